"""rnnscope: what is a recurrent network doing?

The names below are the whole public interface. They are imported on first use, so that `import rnnscope` is quick
and a trace can be opened where torch is not installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Architecture": "rnnscope.models",
    "Block": "rnnscope.models",
    "ContiguousSplit": "rnnscope.corpora",
    "Corpus": "rnnscope.corpora",
    "Hypothesis": "rnnscope.analysis",
    "LanguageModel": "rnnscope.models",
    "Recipe": "rnnscope.training",
    "RecurrentLM": "rnnscope.models",
    "RnnscopeError": "rnnscope.exceptions",
    "Run": "rnnscope.training",
    "Signal": "rnnscope.signal",
    "StreamSplit": "rnnscope.corpora",
    "Trace": "rnnscope.traces",
    "Vocabulary": "rnnscope.corpora",
    "best_units": "rnnscope.analysis",
    "corpus": "rnnscope.corpora",
    "hypotheses": "rnnscope.analysis",
    "load": "rnnscope.training",
    "named_corpora": "rnnscope.corpora",
    "open_trace": "rnnscope.traces",
    "record": "rnnscope.recording",
    "sample": "rnnscope.models.sampling",
    "saturation": "rnnscope.analysis",
    "score": "rnnscope.analysis",
    "study": "rnnscope.studies",
    "train": "rnnscope.training",
}

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    from rnnscope.analysis import Hypothesis, best_units, hypotheses, saturation, score
    from rnnscope.corpora import ContiguousSplit, Corpus, StreamSplit, Vocabulary, corpus, named_corpora
    from rnnscope.exceptions import RnnscopeError
    from rnnscope.models import Architecture, Block, LanguageModel, RecurrentLM
    from rnnscope.models.sampling import sample
    from rnnscope.recording import record
    from rnnscope.signal import Signal
    from rnnscope.studies import study
    from rnnscope.traces import Trace, open_trace
    from rnnscope.training import Recipe, Run, load, train


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'rnnscope' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
