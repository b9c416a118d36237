"""Untrained networks as controls: the same architecture, other first weights, the same text."""

from collections.abc import Sequence

import pandas as pd

from rnnscope.analysis.labels import Labels
from rnnscope.analysis.scoring import score
from rnnscope.analysis.sources import FromModel
from rnnscope.models.threads import computing
from rnnscope.progress import Progress, silent
from rnnscope.protocol import LanguageModel
from rnnscope.traces import Trace
from rnnscope.training import Run

DRAWS = 5
"""How many untrained networks are tried: enough to know how much they differ."""
READ = 131_072
"""Symbols that they read, at most."""


def first_models(run: Run, draws: int = DRAWS) -> list[LanguageModel]:
    """The network of a run with the weights that it began with, and with as many other draws of them."""
    return [run.model(untrained=True, draw=draw) for draw in range(draws)]


def scored(
    models: Sequence[LanguageModel],
    labels: Labels,
    trace: Trace,
    signal: str | Sequence[str] | None,
    *,
    progress: Progress = silent,
) -> list[pd.DataFrame]:
    """The scores of each on the text of a trace, of which at most `READ` symbols are read."""
    if len(labels) > READ:
        labels = Labels(labels.hypotheses, labels.corpus.head(READ), trace)
    tables = []
    with computing():
        for k, model in enumerate(models):

            def share(done: int, total: int, note: str = "", k: int = k) -> None:
                progress(k * total + done, len(models) * total, note)

            tables.append(
                score(FromModel(model, labels.corpus), signal=signal, labels=labels, chance=False, controls=False, progress=share)
            )
    return tables
