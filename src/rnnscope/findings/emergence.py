"""When units appear: how well they tell what they tell in the trained network at each snapshot of its training."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rnnscope.analysis.hypotheses.base import Hypothesis
from rnnscope.analysis.hypotheses.catalogue import chosen
from rnnscope.analysis.labels import Labels
from rnnscope.analysis.scoring import MEASURES, score
from rnnscope.analysis.sources import FromModel, with_units
from rnnscope.comparison.dynamics import opened, snapshots_of, text_to_read
from rnnscope.corpora import Corpus
from rnnscope.exceptions import UsageError, expect, expect_table
from rnnscope.models.threads import computing
from rnnscope.progress import Progress, silent
from rnnscope.training import Run

COLUMNS = (
    "hypothesis", "measure", "signal", "unit", "update", "epochs", "score", "polarity", "best_signal", "best_unit", "best_score",
    "same",
)  # fmt: skip
READ = 32_768
"""Symbols that are read at each snapshot."""
RISE = 0.05
"""A unit whose score rises by less has not appeared, in the score's own measure."""
_UNIT = ("hypothesis", "signal", "unit")


def emergence(
    run: Run | str | Path,
    units: pd.DataFrame | None = None,
    corpus: Corpus | None = None,
    *,
    hypotheses: str | Iterable[str | Hypothesis] | None = None,
    signal: str | Sequence[str] | None = None,
    symbols: int = READ,
    progress: Progress = silent,
) -> pd.DataFrame:
    """The score of each unit for its hypothesis at every snapshot of a run, and which unit was the best then.

    `units` has a row for each unit, with columns `hypothesis`, `signal`, `unit`: what `best_units` and `examine` give, or some rows
    of it. Left out, it is the best unit of the last snapshot for each of the `hypotheses` (all by default), in the signals that
    match `signal` (the states). Hypotheses of your own are given there, too. Read are the first `symbols` of `corpus`, or of the
    test part of the run's own text. A row for each unit and snapshot:

    - `measure`: what the score is (`auroc`, `correlation`, `information`); `update` and `epochs`: when.
    - `score` on the second half of the text, with the `polarity` that the unit had on the first (see `score`).
    - `best_signal`, `best_unit`, `best_score`: of the unit that was then chosen for the hypothesis on the first half, in all
      signals that were scored; `same`: whether it is this one.

    `attrs["left_out"]` says of each hypothesis that the text can't test why. See `appearances` for what follows from it.
    Raises `UsageError` for a run without snapshots, for what is no table of units, and where nothing can be tested.

    >>> import tempfile
    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 30)
    >>> recipe = rs.Recipe(architecture=rs.Architecture("lstm", 1, 6), epochs=1, batch=4, length=100, warmup=1, snapshots=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = rs.train(recipe, text, folder + "/run")
    ...     table = rs.emergence(run, None, text, hypotheses=["word_start"])
    ...     [snapshot.update for snapshot in run.snapshots] == table["update"].tolist()
    True
    >>> bool(table["same"].iloc[-1])  # the unit was chosen at the end
    True
    """
    run = opened(run)
    kept = snapshots_of(run)
    if units is not None:
        _check_units(units)
    text = text_to_read(run, corpus, symbols)
    labels = Labels(_hypotheses(units, hypotheses), text)
    if not labels.claims:
        why = next(iter(labels.left_out.items()), ("none", "there is none"))
        raise UsageError(f"no hypothesis can be tested on {text!r} ({why[0]}: {why[1]}); give others, or more text")
    signals = list(dict.fromkeys(units["signal"])) if units is not None and signal is None else signal
    tables = []
    with computing():
        for k, snapshot in enumerate(reversed(kept)):  # the last one first: it says which units
            source = FromModel(run.model(at=snapshot.update), text)
            names = [s.name for s in with_units(source, signals)]
            table = score(source, signal=names, labels=labels, chance=False, controls=False)
            best = table.groupby("hypothesis", sort=False).head(1)
            if units is None:
                units = best[list(_UNIT)]
            tables.append(_at(table, best, units, snapshot.update, snapshot.epochs))
            progress((k + 1) * len(text), len(kept) * len(text), f"update {snapshot.update:,}")
    found = pd.concat(tables).rename_axis("row").sort_values(["row", "update"], ignore_index=True)
    found.attrs = {"left_out": labels.left_out}
    return found


def _check_units(units: object) -> None:
    expect(units, pd.DataFrame, "a table of units, as rs.best_units gives")
    assert isinstance(units, pd.DataFrame)
    if missing := [name for name in _UNIT if name not in units]:
        raise UsageError(f"a table of units has columns {', '.join(_UNIT)}; {missing[0]} is missing; rs.best_units gives one")
    if not len(units):
        raise UsageError("the table of units is empty; expected at least one row; leave it out to take the best units there are")


def _hypotheses(units: pd.DataFrame | None, given: str | Iterable[str | Hypothesis] | None) -> list[Hypothesis]:
    if units is None:
        return chosen(given)
    own = {h.name: h for h in (chosen(given) if given is not None else [])}
    names = dict.fromkeys(units["hypothesis"])
    return [own[name] if name in own else chosen([name])[0] for name in names]


def _at(table: pd.DataFrame, best: pd.DataFrame, units: pd.DataFrame, update: int, epochs: float) -> pd.DataFrame:
    """The rows of one snapshot."""
    scores = {(row["hypothesis"], row["signal"], row["unit"]): row for row in table.to_dict("records")}
    first = {row["hypothesis"]: row for row in best.to_dict("records")}
    rows: list[dict[str, Any]] = []
    for name, signal, unit in units[list(_UNIT)].itertuples(index=False):
        if name not in first:
            continue  # the text can't test it, as `left_out` says
        if (name, signal, unit) not in scores:
            raise UsageError(f"there is no unit {unit} in {signal!r}, or it was not scored; expected signals of this run's network")
        own, chief = scores[name, signal, unit], first[name]
        measure = MEASURES[str(own["kind"])]
        rows.append(
            {
                "hypothesis": name, "measure": measure, "signal": signal, "unit": unit, "update": update, "epochs": epochs,
                "score": float(own[measure]), "polarity": int(own["polarity"]),
                "best_signal": chief["signal"], "best_unit": int(chief["unit"]), "best_score": float(chief[measure]),
                "same": (chief["signal"], chief["unit"]) == (signal, unit),
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def appearances(table: pd.DataFrame, *, share: float = 0.5, threshold: float | None = None) -> pd.DataFrame:
    """When each unit of a table of `emergence` appears: its score reaches a threshold.

    The threshold is `share` of the way from the score before the first update to the one of the last snapshot, or the one that is
    given. A row for each unit, first to appear first: `hypothesis measure signal unit`, the score at the `first` and the `last`
    snapshot, the `threshold`, `update` and `epochs` when it is reached, `lasting`: the epochs from when on the score stays there,
    and `chosen`: the epochs from when on this unit stays the best one for its hypothesis. Missing where that never is.

    Without a threshold that is given, a unit has to come to mean something: its last score is above the first by at least 0.05
    (`RISE`), and farther from chance (0.5 for an AUROC, else 0) than the first. Others have no `update`, `epochs` and `lasting`.

    Raises `UsageError` for a share that isn't above 0 and at most 1.

    >>> scores = {"update": [0, 1, 2, 4], "epochs": [0, 0.5, 1, 2], "score": [0.5, 0.8, 0.6, 0.9]}
    >>> unit = {"hypothesis": "in_word", "measure": "auroc", "signal": "layer0/cell", "unit": 3}
    >>> table = pd.DataFrame(scores | unit | {"same": [False, True, True, True]})
    >>> appearances(table)[["threshold", "update", "lasting", "chosen"]].values.tolist()
    [[0.7, 1, 2.0, 0.5]]
    """
    expect_table(table, ("signal", "unit", "hypothesis", "score"), "rs.emergence")
    if not 0 < share <= 1:
        raise UsageError(f"a share of the way is above 0 and at most 1, not {share!r}")
    rows = []
    for key, part in table.groupby(list(_UNIT), sort=False):
        part = part.sort_values("update")
        scores = part["score"].to_numpy(float)
        first, last = scores[0], scores[-1]
        way = np.clip(first + share * (last - first), min(first, last), max(first, last))  # not beyond, as rounding may be
        wanted = way if threshold is None else threshold
        measure = part["measure"].iloc[0]
        there = (scores >= wanted) & (threshold is not None or _rises(measure, first, last))
        rows.append(
            (
                *key[:1], measure, *key[1:], first, last, wanted,
                *(part[name].iloc[int(there.argmax())] if there.any() else np.nan for name in ("update", "epochs")),
                _from_when(there, part), _from_when(part["same"].to_numpy(bool), part),
            )
        )  # fmt: skip
    columns = (
        "hypothesis", "measure", "signal", "unit", "first", "last", "threshold", "update", "epochs", "lasting", "chosen",
    )  # fmt: skip
    found = pd.DataFrame(rows, columns=list(columns)).astype({"update": "Int64"})
    return found.sort_values("update", kind="stable").reset_index(drop=True)


def _rises(measure: str, first: float, last: float) -> bool:
    """Whether a score ends beyond what it was, and what chance is."""
    chance = 0.5 if measure == "auroc" else 0.0
    return last - first >= RISE and abs(last - chance) > abs(first - chance)


def _from_when(there: Any, part: pd.DataFrame) -> float:
    """The epochs from which on something holds to the end."""
    if not there[-1]:
        return float("nan")
    fails = np.flatnonzero(~there)
    return float(part["epochs"].iloc[int(fails[-1]) + 1 if len(fails) else 0])
