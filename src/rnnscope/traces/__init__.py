"""Signals on disk: the recorded signals of one model on one text. Opens, and is analysed, without torch."""

from rnnscope.traces.trace import TRACE, Recomputable, Trace, open_trace
from rnnscope.traces.writer import TraceWriter

__all__ = ["TRACE", "Recomputable", "Trace", "TraceWriter", "open_trace"]
