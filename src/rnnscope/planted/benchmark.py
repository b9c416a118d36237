"""The benchmark: how a method does on planted networks, and how often it finds what isn't there."""

from collections.abc import Callable, Sequence

import pandas as pd

from rnnscope.analysis import best_units, score
from rnnscope.analysis.labels import Labels
from rnnscope.analysis.sources import FromModel
from rnnscope.models.threads import computing
from rnnscope.planted.judging import judge
from rnnscope.planted.networks import random_network
from rnnscope.planted.tasks import Task, tasks
from rnnscope.progress import Progress, silent

Method = Callable[[Task], pd.DataFrame]
"""What is measured: from a task's `values` and `labels` to a ranking with the columns `hypothesis`, `signal`, `unit`, `score` and,
if the method says what it takes for more than chance, `finding`."""
CONTROLS = 5
_FIRST = 1_000_000  # the seed from which controls are drawn: none of the tasks' own


def planted_benchmark(
    method: Method | None = None, *, cells: Sequence[str] = ("lstm", "gru"), networks: int = 1, units: int = 64,
    symbols: int = 30_000, seed: int = 0, progress: Progress = silent,
) -> pd.DataFrame:  # fmt: skip
    """Measure a method of finding units, rnnscope's `own` by default. Returns the table of `judge`.

    For each cell (`lstm`, `gru`) and so many networks: the network with planted units, a random one, and the planted one on a
    shuffled text, each of so many `units` on a text of so many `symbols`.

    >>> def variance(task):  # a bad one: units that move most
    ...     rows = [(h, s, k, v) for s, x in task.values.items() for k, v in enumerate(x.var(0)) for h in task.labels]
    ...     return pd.DataFrame(rows, columns=["hypothesis", "signal", "unit", "score"])
    >>> table = planted_benchmark(variance, cells=["lstm"], symbols=1000)
    >>> bool(table["found"].mean() < 0.5)
    True
    """
    found, truths = [], []
    total = 3 * networks * len(cells)
    for done, task in enumerate(tasks(cells, networks, units, symbols, seed)):
        progress(done, total, task.name)
        found.append((method or own)(task).assign(network=task.name))
        truths.append(task.truth)
    progress(total, total)
    return judge(pd.concat(found, ignore_index=True), truths)


def own(task: Task) -> pd.DataFrame:
    """rnnscope's own method: `score`, and `best_units` against random networks of the same size on the same text.

    The score is on the second half of the text. `finding` is true of a unit that was chosen on the first half and is
    significant at a false discovery rate of 0.05, however weak.
    """
    labels = Labels(task.hypotheses, task.corpus)
    controls = [random_network(task.made.cell, task.truth.units, _FIRST + CONTROLS * task.made.seed + k) for k in range(CONTROLS)]
    with computing():
        table = score(FromModel(task.made.model, task.read), labels=labels, controls=False)
        others = [score(FromModel(c.model, task.read), labels=labels, chance=False, controls=False) for c in controls]
    best = best_units(table, others)
    sure = set(best.loc[best["significant"], ["hypothesis", "signal", "unit"]].itertuples(index=False, name=None))
    rows = table[["hypothesis", "signal", "unit", "polarity"]].copy()
    rows["score"] = table["correlation"].where(table["kind"] == "graded", table["auroc"])
    rows["finding"] = [key in sure for key in zip(rows["hypothesis"], rows["signal"], rows["unit"], strict=True)]
    return rows
