"""Traces → tables."""

from rnnscope.analysis.hypotheses.base import Hypothesis
from rnnscope.analysis.scoring import best_units, score

__all__ = ["Hypothesis", "best_units", "score"]
