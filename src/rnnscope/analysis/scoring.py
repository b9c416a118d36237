"""How well units keep track of hypotheses.

Every unit is scored against every hypothesis on the first half of the text, where the best one is chosen, and on the
second half, which is what is reported. A binary hypothesis is scored by the area under the ROC curve, a graded one by
rank correlation. The control is the best unit of the same network before it was trained, chosen and reported alike.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnnscope.analysis import ranks
from rnnscope.analysis.hypotheses.base import Hypothesis, label
from rnnscope.analysis.hypotheses.catalogue import hypotheses as all_hypotheses
from rnnscope.exceptions import InputError
from rnnscope.progress import Progress, silent
from rnnscope.signal import Signal, representations
from rnnscope.traces import Trace

LEAST, STRETCHES = 20, 5
"""A hypothesis is tested where each half of the text has so many symbols with and without it, in so many stretches."""

COLUMNS = ("hypothesis", "kind", "signal", "unit", "polarity", "auroc", "correlation", "auroc_selection", "correlation_selection")


class _Half:
    """One half of the text, with the hypotheses grouped by where they apply, so that each group shares its ranks."""

    def __init__(self, labels: dict[str, NDArray[np.float32]], part: slice) -> None:
        self.part = part
        self.groups: list[tuple[NDArray[np.bool_], list[str], NDArray[np.bool_], ranks.Floats]] = []
        masks: dict[bytes, list[str]] = {}
        for name, values in labels.items():
            masks.setdefault(np.packbits(~np.isnan(values[part])).tobytes(), []).append(name)
        for names in masks.values():
            mask = ~np.isnan(labels[names[0]][part])
            stacked = np.stack([labels[name][part][mask] for name in names], axis=1)
            self.groups.append((mask, names, stacked > 0, ranks.midranks(ranks.dense(stacked))))

    def score(self, values: NDArray[Any]) -> dict[str, tuple[ranks.Floats, ranks.Floats]]:
        """For each hypothesis the AUROC and the rank correlation of every unit, from values (time, units)."""
        places = ranks.dense(values[self.part])
        found: dict[str, tuple[ranks.Floats, ranks.Floats]] = {}
        for mask, names, truth, label_ranks in self.groups:
            unit_ranks = ranks.midranks(places if mask.all() else places[mask])
            areas = np.nan_to_num(ranks.auroc(unit_ranks, truth), nan=0.5)
            correlations = np.nan_to_num(ranks.correlation(unit_ranks, label_ranks), nan=0.0)
            found |= {name: (areas[:, k], correlations[:, k]) for k, name in enumerate(names)}
        return found


def score(
    trace: Trace,
    hypotheses: Iterable[Hypothesis] | None = None,
    signal: str | Sequence[str] | None = None,
    *,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Score every unit of the signals that match against every hypothesis (all known ones by default).

    Without `signal` these are the states, which is where a network can keep anything, or the hidden layer of one without states;
    signals without units are passed over.

    Returns a row for each unit and hypothesis, best first within a hypothesis as chosen on the first half of the text:
    `polarity` is +1 where the unit is high when the hypothesis holds, −1 where it is low; `auroc` (binary only) and
    `correlation` are those of polarity × unit on the second half; `…_selection` the same on the first. `attrs["left_out"]`
    says of each hypothesis that was not tested why; where none could be, the table is empty.
    """
    wanted = list(all_hypotheses() if hypotheses is None else hypotheses)
    chosen = representations(trace.signals) if signal is None else trace.select(signal)
    signals = [s for s in chosen if s.size]
    if not signals:
        raise InputError(
            trace.lost
            or f"{trace!r} has no units to score in {signal or 'its states'}; record and name signals such as 'layer*/hidden'"
        )
    labels, left_out = testable(wanted, trace)
    if not labels:
        empty = pd.DataFrame(columns=list(COLUMNS))
        empty.attrs["left_out"] = left_out
        return empty
    kinds = {h.name: h.kind for h in wanted}
    middle = len(trace) // 2
    first, second = _Half(labels, slice(0, middle)), _Half(labels, slice(middle, None))
    frames, done, total = [], 0, sum(s.size for s in signals)
    for s in signals:
        for units, values in trace.columns(s):
            selected, held = first.score(values), second.score(values)
            frames += [_frame(name, kinds[name], s, units, selected[name], held[name]) for name in labels]
            done += units.stop - units.start
            progress(done, total)
    table = pd.concat(frames, ignore_index=True)
    order = {name: k for k, name in enumerate(labels)}
    table = table.assign(_order=table["hypothesis"].map(order), _strength=-_strength(table, "_selection"))
    table = table.sort_values(["_order", "_strength"], kind="stable").drop(columns=["_order", "_strength"])
    table = table.reset_index(drop=True)
    table.attrs["left_out"] = left_out
    return table


def testable(hypotheses: Sequence[Hypothesis], trace: Trace) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]]:
    """Labels of the hypotheses that the recorded text can test, and for each of the others the reason."""
    labels = label(hypotheses, trace.corpus)
    left_out = {h.name: f"is about {' and '.join(h.languages)}" for h in hypotheses if h.name not in labels}
    middle = len(trace) // 2
    for h in hypotheses:
        for values in (labels[h.name][:middle], labels[h.name][middle:]) if h.name in labels else ():
            known = values[~np.isnan(values)]
            if h.kind == "graded":
                if len(known) < LEAST or len(np.unique(known)) < 2:
                    left_out[h.name] = "applies to too little of one half of the text, or is the same all over it"
                continue
            stretches = int((np.diff(known > 0, prepend=False) & (known > 0)).sum())
            if min((known > 0).sum(), (known == 0).sum()) < LEAST or stretches < STRETCHES:
                left_out[h.name] = (
                    f"holds or fails at fewer than {LEAST} symbols, or in fewer than {STRETCHES} stretches, of one half of the text"
                )
    return {name: values for name, values in labels.items() if name not in left_out}, left_out


def _frame(
    name: str,
    kind: str,
    signal: Signal,
    units: slice,
    selection: tuple[ranks.Floats, ranks.Floats],
    held: tuple[ranks.Floats, ranks.Floats],
) -> pd.DataFrame:
    (area_s, correlation_s), (area, correlation) = selection, held
    polarity = np.where((area_s if kind == "binary" else correlation_s + 0.5) >= 0.5, 1, -1)
    binary = kind == "binary"
    return pd.DataFrame(
        {
            "hypothesis": name,
            "kind": kind,
            "signal": signal.name,
            "unit": np.arange(units.start, units.stop),
            "polarity": polarity,
            "auroc": np.where(polarity > 0, area, 1 - area) if binary else np.nan,
            "correlation": polarity * correlation,
            "auroc_selection": np.where(polarity > 0, area_s, 1 - area_s) if binary else np.nan,
            "correlation_selection": polarity * correlation_s,
        },
        columns=list(COLUMNS),
    )


def _strength(table: pd.DataFrame, suffix: str = "") -> "pd.Series[float]":
    return table["auroc" + suffix].where(table["kind"] == "binary", table["correlation" + suffix])


HIGH, MARGIN = 0.95, 0.05
"""A unit counts as a finding where its AUROC is above `HIGH` and beats the untrained network's best by more than `MARGIN`."""


def best_units(table: pd.DataFrame, untrained: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row for each hypothesis: the unit that was chosen on the first half, with its `score` on the second.

    `measure` says what the score is: `auroc` (0.5 is chance) or `correlation` (0 is chance). With the table of the
    untrained network, `untrained` is the score of its own best unit, and `finding` says whether the
    unit is one by `HIGH` and `MARGIN`. Sorted by score, binary hypotheses first.
    """
    best = table.groupby("hypothesis", sort=False).head(1).copy()
    best["measure"] = np.where(best["kind"] == "binary", "auroc", "correlation")
    best["score"] = _strength(best)
    columns = ["hypothesis", "kind", "signal", "unit", "polarity", "measure", "score"]
    if untrained is not None:
        control = untrained.groupby("hypothesis", sort=False).head(1)
        best["untrained"] = best["hypothesis"].map(_strength(control.set_index("hypothesis")))
        better = best["score"] - best["untrained"] > MARGIN
        best["finding"] = (best["measure"] == "auroc") & (best["score"] > HIGH) & better
        columns += ["untrained", "finding"]
    best = best.sort_values(["kind", "score"], ascending=[True, False], kind="stable")
    return best[columns].reset_index(drop=True)
