"""rnnscope: what is a recurrent network doing?

The names below are the whole public interface. They are imported on first use, so that `import rnnscope` is quick
and a trace can be opened where torch is not installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Architecture": "rnnscope.models",
    "Block": "rnnscope.protocol",
    "ContiguousSplit": "rnnscope.corpora",
    "Corpus": "rnnscope.corpora",
    "Hypothesis": "rnnscope.analysis",
    "LanguageModel": "rnnscope.protocol",
    "NGramLM": "rnnscope.ngrams",
    "Recipe": "rnnscope.training",
    "Recurrence": "rnnscope.models.recurrences",
    "Recurrent": "rnnscope.models",
    "RecurrentLM": "rnnscope.models",
    "RnnscopeError": "rnnscope.exceptions",
    "Run": "rnnscope.training",
    "Signal": "rnnscope.signal",
    "StreamSplit": "rnnscope.corpora",
    "Trace": "rnnscope.traces",
    "Vocabulary": "rnnscope.corpora",
    "WindowLM": "rnnscope.models",
    "ablate": "rnnscope.models.interventions",
    "attribution": "rnnscope.findings.attribution",
    "best_units": "rnnscope.analysis",
    "Evaluation": "rnnscope.models",
    "Breakdown": "rnnscope.breakdown",
    "Comparison": "rnnscope.comparison",
    "Oracle": "rnnscope.breakdown",
    "closest": "rnnscope.comparison.dynamics",
    "compare": "rnnscope.comparison",
    "contexts": "rnnscope.comparison.contexts",
    "corpus": "rnnscope.corpora.named",
    "appearances": "rnnscope.findings.emergence",
    "distances": "rnnscope.comparison.distances",
    "divergences": "rnnscope.comparison.divergence",
    "dynamics": "rnnscope.comparison.dynamics",
    "emergence": "rnnscope.findings.emergence",
    "errors": "rnnscope.breakdown",
    "evaluate": "rnnscope.models",
    "examine": "rnnscope.findings",
    "gained": "rnnscope.breakdown",
    "hypotheses": "rnnscope.analysis.hypotheses.catalogue",
    "hypothesis": "rnnscope.analysis.hypotheses.own",
    "load": "rnnscope.training",
    "lookback": "rnnscope.findings.lookback",
    "named_corpora": "rnnscope.corpora",
    "nearest": "rnnscope.comparison.dynamics",
    "patch": "rnnscope.models.interventions",
    "open_trace": "rnnscope.traces",
    "openings": "rnnscope.analysis.openings",
    "oracle": "rnnscope.breakdown",
    "oracles": "rnnscope.breakdown",
    "planted_benchmark": "rnnscope.planted",
    "recipe": "rnnscope.training",
    "recipes": "rnnscope.training",
    "record": "rnnscope.recording",
    "sample": "rnnscope.models.sampling",
    "saturation": "rnnscope.analysis.saturation",
    "score": "rnnscope.analysis",
    "Study": "rnnscope.studies.study",
    "study": "rnnscope.studies.study",
    "sweep": "rnnscope.sweeps.sweep",
    "timescales": "rnnscope.analysis.timescales",
    "train": "rnnscope.training",
    "venn": "rnnscope.comparison.venn",
    "wrap": "rnnscope.models.wrapped",
    "writes": "rnnscope.analysis.writes",
}

__all__ = ["__version__", *_PUBLIC]

if TYPE_CHECKING:
    from rnnscope.analysis import Hypothesis as Hypothesis
    from rnnscope.analysis import best_units as best_units
    from rnnscope.analysis import score as score
    from rnnscope.analysis.hypotheses.catalogue import hypotheses as hypotheses
    from rnnscope.analysis.hypotheses.own import hypothesis as hypothesis
    from rnnscope.analysis.openings import openings as openings
    from rnnscope.analysis.saturation import saturation as saturation
    from rnnscope.analysis.timescales import timescales as timescales
    from rnnscope.analysis.writes import writes as writes
    from rnnscope.breakdown import Breakdown as Breakdown
    from rnnscope.breakdown import Oracle as Oracle
    from rnnscope.breakdown import errors as errors
    from rnnscope.breakdown import gained as gained
    from rnnscope.breakdown import oracle as oracle
    from rnnscope.breakdown import oracles as oracles
    from rnnscope.comparison import Comparison as Comparison
    from rnnscope.comparison import compare as compare
    from rnnscope.comparison.contexts import contexts as contexts
    from rnnscope.comparison.distances import distances as distances
    from rnnscope.comparison.divergence import divergences as divergences
    from rnnscope.comparison.dynamics import closest as closest
    from rnnscope.comparison.dynamics import dynamics as dynamics
    from rnnscope.comparison.dynamics import nearest as nearest
    from rnnscope.comparison.venn import venn as venn
    from rnnscope.corpora import ContiguousSplit as ContiguousSplit
    from rnnscope.corpora import Corpus as Corpus
    from rnnscope.corpora import StreamSplit as StreamSplit
    from rnnscope.corpora import Vocabulary as Vocabulary
    from rnnscope.corpora import named_corpora as named_corpora
    from rnnscope.corpora.named import corpus as corpus
    from rnnscope.exceptions import RnnscopeError as RnnscopeError
    from rnnscope.findings import examine as examine
    from rnnscope.findings.attribution import attribution as attribution
    from rnnscope.findings.emergence import appearances as appearances
    from rnnscope.findings.emergence import emergence as emergence
    from rnnscope.findings.lookback import lookback as lookback
    from rnnscope.models import Architecture as Architecture
    from rnnscope.models import Evaluation as Evaluation
    from rnnscope.models import Recurrent as Recurrent
    from rnnscope.models import RecurrentLM as RecurrentLM
    from rnnscope.models import WindowLM as WindowLM
    from rnnscope.models import evaluate as evaluate
    from rnnscope.models.interventions import ablate as ablate
    from rnnscope.models.interventions import patch as patch
    from rnnscope.models.recurrences import Recurrence as Recurrence
    from rnnscope.models.sampling import sample as sample
    from rnnscope.models.wrapped import wrap as wrap
    from rnnscope.ngrams import NGramLM as NGramLM
    from rnnscope.planted import planted_benchmark as planted_benchmark
    from rnnscope.protocol import Block as Block
    from rnnscope.protocol import LanguageModel as LanguageModel
    from rnnscope.recording import record as record
    from rnnscope.signal import Signal as Signal
    from rnnscope.studies.study import Study as Study
    from rnnscope.studies.study import study as study
    from rnnscope.sweeps.sweep import sweep as sweep
    from rnnscope.traces import Trace as Trace
    from rnnscope.traces import open_trace as open_trace
    from rnnscope.training import Recipe as Recipe
    from rnnscope.training import Run as Run
    from rnnscope.training import load as load
    from rnnscope.training import recipe as recipe
    from rnnscope.training import recipes as recipes
    from rnnscope.training import train as train


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'rnnscope' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
