"""Model + corpus → trace."""

from rnnscope.recording.recorder import record

__all__ = ["record"]
