"""Traces → tables."""

from rnnscope.analysis.significance import best_units
from rnnscope.analysis.hypotheses.base import Hypothesis
from rnnscope.analysis.scoring import score

__all__ = ["Hypothesis", "best_units", "score"]
