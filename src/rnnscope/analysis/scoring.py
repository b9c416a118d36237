"""How well units keep track of hypotheses, and what of it could be chance.

`score` reads a trace once. Every unit of every signal that is asked for meets every hypothesis: on the first half of the text,
where units, their polarity and their thresholds are chosen, and on the second, which is what is reported. `counting` makes
tables of whole numbers, `measures` turns them into scores, `chance` says what the best of all units gets by accident,
`intervals` how sure a score is, `controls` what else does as well. Nothing grows with the text.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from rnnscope.analysis import bins as bins_
from rnnscope.analysis import measures
from rnnscope.analysis.chance import Lags, Shifts
from rnnscope.analysis.cluster import count_on_cluster, stretches
from rnnscope.analysis.controls import Floats, LastSymbol, Probe, Space, polarity, probe, rotated, strengths, strings, turned
from rnnscope.analysis.counting import binned, cores, count, empty_shards
from rnnscope.analysis.hypotheses.base import Hypothesis
from rnnscope.analysis.hypotheses.catalogue import chosen
from rnnscope.analysis.intervals import Blocks, interval, p_better
from rnnscope.analysis.labels import Claim, Labels
from rnnscope.analysis.sources import FromTrace, Source, with_units
from rnnscope.analysis.tally import Shard
from rnnscope.exceptions import expect, expect_whole
from rnnscope.native.histograms import Codes
from rnnscope.progress import Progress, silent
from rnnscope.signal import Signal
from rnnscope.traces import TRACE, Trace

COLUMNS = (
    "hypothesis", "kind", "signal", "unit", "polarity", "auroc", "correlation", "information", "point_biserial", "f1", "iou",
    "threshold", "side", "dwell", "lag", "p_value", "auroc_selection", "correlation_selection", "information_selection",
)  # fmt: skip
BOUNDS = {"binary": (0.0, 1.0), "graded": (-1.0, 1.0), "categorical": (0.0, 1.0)}
MEASURES = {"binary": "auroc", "graded": "correlation", "categorical": "information"}
"""What a claim of each kind is judged by."""


def score(
    trace: Trace | Source,
    hypotheses: str | Iterable[str | Hypothesis] | None = None,
    signal: str | Sequence[str] | None = None,
    *,
    labels: Labels | None = None,
    chance: bool = True,
    controls: bool = True,
    seed: int = 0,
    threads: int | None = None,
    cluster: str | None = None,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Score every unit of the signals that match against every hypothesis (all known ones by default; names do, too).

    Without `signal` these are the states, which is where a network can keep anything, or the hidden layer of one without states;
    signals without units are passed over. Returns a row for each unit and hypothesis, best first within a hypothesis as chosen on
    the first half of the text. Everything is of the second half unless it says otherwise:

    - `polarity`: +1 where the unit is high when the hypothesis holds, −1 where it is low (as chosen on the first half).
    - `auroc` of polarity × unit (binary claims only, chance ½), `correlation`: Spearman's, `information`: mutual information as a
      share of the label's entropy, `point_biserial`: Pearson's correlation of polarity × unit with a binary label.
    - `f1` and `iou` at the `threshold`, in the unit's own values, with the best F1 of the first half; `side` is +1 where the claim
      is said to hold from it on, −1 below it. `dwell`: for how many symbols the unit stays there once it is.
    - `lag`: the unit agrees best with what the label is so many symbols later; negative: earlier.
    - `p_value`: how often the best of all units is as good when the labels are shifted round the text (see `chance`).
    - `…_selection`: the same on the first half.

    `attrs["left_out"]` says of each hypothesis that was not tested why; where none could be, the table is empty.
    `attrs["claims"]` has a row for each hypothesis: its best unit's 95 % interval (`low`, `high`), and what else tells it
    (`controls`): the last symbol alone, the best direction of a random rotation, a linear probe on each signal and its selectivity.
    It takes as many `threads` as there are cores, or a Dask `cluster`, tcp://host:port, whose workers see the trace's folder: the
    same table, bit for bit. `labels` are known labels of the same text, in place of hypotheses. Without `chance` there are no
    p-values, lags and intervals, without `controls` no probes and rotations.
    """
    expect(trace, Trace | Source, TRACE)
    expect_whole("seed", seed, 0)
    if threads is not None:
        expect_whole("threads", threads, 1)
    source = FromTrace(trace) if isinstance(trace, Trace) else trace
    signals = with_units(source, signal)
    if labels is None:
        labels = Labels(chosen(hypotheses), source.corpus, trace if isinstance(trace, Trace) else None)
    if not labels.claims:
        empty = pd.DataFrame(columns=list(COLUMNS))
        empty.attrs = {"left_out": labels.left_out, "claims": []}
        return empty
    with threadpool_limits(1, "blas"):  # its threads and ours would fight: ten times slower
        bins = binned(source, signals)
        shards = empty_shards(bins, labels.layout, len(labels), labels.middle)
        if cluster is not None:
            count_on_cluster(cluster, trace, signals, labels, bins, shards, progress=progress)
        else:
            kept = isinstance(source, FromTrace) and source.kept([s.name for s in signals])
            for start, stop in stretches(labels, 1) if kept else [(0, len(labels))]:
                count(source, signals, labels, bins, start, stop, shards, threads=threads or cores(), progress=progress)
        return _Scores(labels, signals, shards, seed, threads or cores()).table(chance, controls)


class _Scores:
    """From what was counted to the table."""

    def __init__(self, labels: Labels, signals: Sequence[Signal], shards: list[Shard], seed: int, threads: int) -> None:
        self.labels, self.signals, self.shards, self.seed, self.threads = labels, signals, shards, seed, threads
        self.units = np.concatenate([np.arange(s.size) for s in signals])
        self.names = np.repeat([s.name for s in signals], [s.size for s in signals])
        second = shards[0].samples[1]
        self.positions = (shards[0].samples[0].positions, second.positions)
        self.levels = tuple(labels.at(p) for p in self.positions)
        self.step = second.step
        self.bins = bins_.joined([shard.bins for shard in shards])

    def table(self, chance: bool, controls: bool) -> pd.DataFrame:
        p_values, lags = self._chance() if chance else (np.full((len(self.units), len(self.labels.claims)), np.nan),) * 2
        described = self._controls() if controls else [{} for _ in self.labels.claims]
        frames, rows = [], []
        for claim in self.labels.claims:
            frame = self._frame(claim, p_values[:, claim.row], lags[:, claim.row])
            order = np.argsort(-frame[MEASURES[claim.kind] + "_selection"].to_numpy(), kind="stable")
            around = self._around(claim, frame, int(order[0])) if chance else {}
            rows.append({"hypothesis": claim.name} | around | described[claim.row])
            frames.append(frame.iloc[order])
        table = pd.concat(frames, ignore_index=True)[list(COLUMNS)]
        table.attrs = {"left_out": self.labels.left_out, "claims": rows}
        return table

    def _chance(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """p-values and lags, (units, claims)."""
        shifts = Shifts(self.labels, self.levels[1], self.step)
        lags = Lags(self.labels, self.positions[1], self.labels.middle)
        codes = [shard.samples[1].codes for shard in self.shards]
        shifted = self._each(shifts.of, codes)
        for _, largest in shifted:
            shifts.add(largest)
        return shifts.p_values(np.concatenate([found for found, _ in shifted])), np.concatenate(self._each(lags.of, codes)).astype(
            float
        )

    def _frame(self, claim: Claim, p_value: NDArray[Any], lag: NDArray[Any]) -> pd.DataFrame:
        parts = self._each(lambda shard: [self._measured(claim, shard, part) for part in (0, 1)], self.shards)
        first, second = ({name: np.concatenate([p[k][name] for p in parts]) for name in parts[0][k]} for k in (0, 1))
        key = MEASURES[claim.kind]
        sign = polarity(claim, first[key]) if claim.kind != "categorical" else np.ones(len(self.units))
        known: dict[str, Any] = {"hypothesis": claim.name, "kind": claim.kind, "signal": self.names, "unit": self.units}
        known |= {"polarity": sign.astype(int), "p_value": p_value, "lag": lag if claim.kind != "categorical" else np.nan}
        for suffix, values in (("", second), ("_selection", first)):
            known["information" + suffix] = values["information"]
            known["auroc" + suffix] = np.where(sign > 0, values["auroc"], 1 - values["auroc"])
            known["correlation" + suffix] = sign * values["correlation"]
        known["point_biserial"] = sign * second["point_biserial"]
        thresholds = self._each(lambda shard: self._thresholds(claim, shard), self.shards)
        known |= {name: np.concatenate([t[name] for t in thresholds]) for name in ("f1", "iou", "threshold", "side", "dwell")}
        return pd.DataFrame(known)

    def _measured(self, claim: Claim, shard: Shard, part: int) -> dict[str, NDArray[Any]]:
        tally, nothing = shard.tallies[part], np.full(len(shard.bins), np.nan)
        found = dict.fromkeys(("auroc", "correlation", "point_biserial"), nothing)
        frequencies = self.labels.frequencies(claim, part)
        if claim.kind == "categorical":
            return found | {"information": strengths(claim, tally, frequencies)}
        high, all_ = (tally.by_column[column].astype(np.float64) for column in (claim.column, claim.mask))
        found["correlation"] = measures.rank_correlation(high, all_, frequencies)
        if claim.kind == "graded":
            joint = tally.classes[..., claim.classes].astype(np.float64)
            return found | {"information": _share(measures.information(joint), joint.sum((0, 1)))}
        sums, squares, holds = tally.moments()
        mask, place = self.labels.layout.masked.index(claim.mask), self.labels.layout.binary.index(claim.column)
        count_, held = float(all_[0].sum()), float(high[0].sum())
        found["auroc"] = measures.auroc(high, all_)
        found["point_biserial"] = measures.pearson(sums[:, mask], squares[:, mask], holds[:, place], held, count_)
        bits = measures.information(np.stack([all_ - high, high], axis=-1))
        return found | {"information": _share(bits, np.array([count_ - held, held]))}

    def _thresholds(self, claim: Claim, shard: Shard) -> dict[str, NDArray[Any]]:
        if claim.kind != "binary":
            return dict.fromkeys(("f1", "iou", "threshold", "side", "dwell"), np.full(len(shard.bins), np.nan))
        tables = [[t.by_column[c].astype(np.float64) for c in (claim.column, claim.mask)] for t in shard.tallies]
        best = measures.Thresholds.best(*tables[0])
        edges = np.concatenate([np.full((len(shard.bins), 1), -np.inf), shard.bins.edges], axis=1)
        second = shard.tallies[1]
        return {
            "f1": best.f1(*tables[1]),
            "iou": best.iou(*tables[1]),
            "threshold": np.take_along_axis(edges, best.bin[:, None], axis=1)[:, 0],
            "side": best.side,
            "dwell": best.dwell(second.by_column[0].astype(np.float64), second.rises.astype(float), second.falls.astype(float)),
        }

    def _codes(self, unit: int, part: int) -> Codes:
        for shard in self.shards:
            if unit < len(shard.bins):
                codes: Codes = shard.samples[part].codes[unit]
                return codes
            unit -= len(shard.bins)
        raise IndexError(unit)

    def _around(self, claim: Claim, frame: pd.DataFrame, best: int) -> dict[str, Any]:
        """How sure a claim's best unit is, and whether it beats the last symbol."""
        sign, level = float(frame["polarity"].iloc[best]), self.levels[1][claim.row]
        blocks = Blocks(len(level), self.step, self.seed)
        last = self.last_symbol
        whole, drawn = blocks.scores(claim, self._codes(best, 1), level)
        alone = blocks.scores(claim, last.codes(self.labels, claim, self.positions[1]), level, coarse=0)
        whole, drawn = float(turned(claim, np.array(whole), np.array(sign))), turned(claim, drawn, np.array(sign))
        value = float(frame[MEASURES[claim.kind]].iloc[best])
        around = interval(value, whole, drawn, BOUNDS[claim.kind])
        return {
            "low": around.low,
            "high": around.high,
            "last_symbol": float(last.scores[claim.row]),
            "p_last_symbol": p_better(drawn, alone[1]),
            "label_dwell": self.labels.dwell(claim, 1) if claim.kind == "binary" else np.nan,
        }

    def _each(self, work: Callable[[Any], Any], over: Sequence[Any]) -> list[Any]:
        """The same for each of several, side by side."""
        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(work, over))

    @cached_property
    def last_symbol(self) -> LastSymbol:
        return LastSymbol.of(self.labels)

    def _controls(self) -> list[dict[str, Any]]:
        """For each claim what the best of all signals' probes and rotations get."""
        labels, names = self.labels, [s.name for s in self.signals]
        numbers = tuple(strings(labels, p, self.seed) for p in self.positions)
        codes = tuple(np.concatenate([shard.samples[k].codes for shard in self.shards]) for k in (0, 1))
        edges = np.cumsum([0, *(s.size for s in self.signals)])

        def known(place: tuple[int, int]) -> tuple[Floats, Probe]:
            units = slice(*place)
            space = Space.of(self.bins.part(units), (codes[0][units], codes[1][units]), (self.levels[0], self.levels[1]))
            return rotated(space, labels, self.seed), probe(space, labels, (numbers[0], numbers[1]))

        found = self._each(known, list(pairwise(edges)))
        turns, probes, tasks = [t for t, _ in found], [p.scores for _, p in found], [p.control for _, p in found]
        rows = []
        for claim in labels.claims:
            k = int(np.nanargmax([p[claim.row] for p in probes])) if not np.isnan([p[claim.row] for p in probes]).all() else 0
            got, task = probes[k][claim.row], tasks[k][claim.row]
            rows.append(
                {"rotated": max(t[claim.row] for t in turns), "probe": got, "probe_signal": names[k], "selectivity": got - task}
            )
        return rows


def _share(bits: NDArray[Any], frequencies: NDArray[Any]) -> NDArray[Any]:
    bound = float(measures.entropy(frequencies))
    return bits / bound if bound else bits * 0
