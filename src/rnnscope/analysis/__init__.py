"""Traces → tables."""

from rnnscope.analysis.hypotheses.base import Hypothesis
from rnnscope.analysis.scoring import score
from rnnscope.analysis.significance import best_units

__all__ = ["Hypothesis", "best_units", "score"]
