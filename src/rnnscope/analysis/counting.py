"""One pass over a text: every unit, every label, both parts, on as many threads as there are cores."""

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnscope.analysis.bins import Bins
from rnnscope.analysis.labels import LEVELS, PIECE, Labels, Layout, Stretch
from rnnscope.analysis.sources import Source
from rnnscope.analysis.tally import BEFORE, BEGIN, GO_ON, Batch, Shard
from rnnscope.exceptions import InputError
from rnnscope.progress import Progress, silent
from rnnscope.signal import Signal

Values = list[NDArray[Any]]
"""Of each signal, (time, unit), in one stretch of text."""

UNITS = 256
"""Units that are counted together; the same on every machine, so that the same sums are rounded the same way."""
LONGEST = 2 * ((2**32 - 1) // LEVELS - PIECE)
"""Symbols of the longest text: sums of labels in either half stay below 2 ** 32."""
_FINITE = "expected finite numbers: does the network diverge?"
CHOSEN, REPORTED = 32_768, 65_536
"""Symbols of each part whose bins are kept for what counts alone can't tell: probes, rotations, shifts, lags, intervals."""


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def binned(source: Source, signals: Sequence[Signal]) -> Bins:
    """The bins of the units of some signals, side by side."""
    sample = source.sample([s.name for s in signals])
    for s in signals:
        if not np.isfinite(sample[s.name]).all():
            unit = int(np.argwhere(~np.isfinite(sample[s.name]))[0, 1])
            raise InputError(f"unit {unit} of {s.name} has a value that is no finite number; {_FINITE}")
    return Bins.of(np.concatenate([sample[s.name] for s in signals], axis=1))


def count(
    source: Source, signals: Sequence[Signal], labels: Labels | Stretch, bins: Bins, start: int, stop: int, shards: list[Shard],
    *, threads: int, progress: Progress = silent,
) -> None:  # fmt: skip
    """Let shards, side by side in the units' order, count the text from `start` to before `stop`."""
    edges = [0, *np.cumsum([len(shard.bins) for shard in shards]).tolist()]
    with ThreadPoolExecutor(threads) as pool:
        parts = [_Part(k, labels, signals, edges, shards, pool) for k in (0, 1)]
        names, done = [s.name for s in signals], 0
        before: dict[int, Values] = {}
        begins = {int(a) for a in labels.bounds} | {labels.middle}
        if start not in begins:  # what came before is only looked at
            for _, arrays in source.stretches(names, start - 1, start):
                before[start] = [arrays[name][-1:].copy() for name in names]
        for first, arrays in source.stretches(names, start, stop):
            values = [arrays[name] for name in names]
            last = first + len(values[0])
            for low, high in _cuts(first, last, labels.middle):
                part = parts[int(low >= labels.middle)]
                piece = [value[low - first : high - first] for value in values]
                if low in begins:
                    part.add(low, piece, BEGIN)
                else:
                    part.add(low - 1, before.pop(low), BEFORE)
                    part.add(low, piece, GO_ON)
                if high not in begins:
                    before[high] = [value[-1:].copy() for value in piece]
            done += last - first
            progress(done, stop - start)
        for part in parts:
            part.flush()
            part.wait()


def empty_shards(bins: Bins, layout: Layout, symbols: int, middle: int) -> list[Shard]:
    """Shards that have counted nothing of a text yet. Raises `InputError` for a text that is longer than they can count."""
    if symbols > LONGEST:
        raise InputError(f"the text has {symbols:,} symbols; at most {LONGEST:,} can be counted; score a trace of a part of it")
    return [
        Shard.of(bins.part(slice(a, a + UNITS)), layout, (0, middle, symbols), (CHOSEN, REPORTED))
        for a in range(0, len(bins), UNITS)
    ]


def _cuts(first: int, last: int, middle: int) -> list[tuple[int, int]]:
    return [(first, middle), (middle, last)] if first < middle < last else [(first, last)]


class _Part:
    """One part of the text: rows are gathered until there are enough, then counted by all threads, each its own units."""

    def __init__(
        self, part: int, labels: Labels | Stretch, signals: Sequence[Signal], edges: list[int], shards: list[Shard],
        pool: ThreadPoolExecutor,
    ) -> None:  # fmt: skip
        self.part, self.labels, self.signals, self.edges, self.shards, self.pool = part, labels, signals, edges, shards, pool
        self._values: list[Values] = []
        self._positions: list[NDArray[np.int64]] = []
        self._rows: list[NDArray[np.uint8]] = []
        self._filled = 0
        self._waiting: list[Future[None]] = []

    def add(self, first: int, values: Values, kind: int) -> None:
        rows = np.full(len(values[0]), GO_ON, np.uint8)
        rows[0] = kind
        self._values.append(values)
        self._positions.append(np.arange(first, first + len(rows)))
        self._rows.append(rows)
        self._filled += len(rows)
        if self._filled >= PIECE and kind != BEFORE:  # which is for the rows after it
            self.flush()

    def flush(self) -> None:
        if not self._filled:
            return
        positions, rows = np.concatenate(self._positions), np.concatenate(self._rows)
        levels = np.concatenate([self.labels.levels(int(p[0]), int(p[-1]) + 1) for p in self._positions], axis=1)
        batch, values = Batch.of(positions, rows, levels, self.labels.layout), self._values
        self.wait()
        self._waiting = [
            self.pool.submit(self._count, shard, values, slice(a, b), batch)
            for shard, a, b in zip(self.shards, self.edges, self.edges[1:], strict=False)
        ]
        self._values, self._positions, self._rows, self._filled = [], [], [], 0

    def wait(self) -> None:
        for work in self._waiting:
            work.result()
        self._waiting = []

    def _count(self, shard: Shard, values: list[Values], units: slice, batch: Batch) -> None:
        gathered = np.empty((len(batch.rows), units.stop - units.start), np.float32)
        row = 0
        for stretch in values:
            first = -units.start
            for value in stretch:  # the units of one signal after the other, of which some are this shard's
                low, high = max(first, 0), min(first + value.shape[1], gathered.shape[1])
                if low < high:
                    gathered[row : row + len(value), low:high] = value[:, low - first : high - first]
                first += value.shape[1]
            row += len(stretch[0])
        if not np.isfinite(gathered).all():
            at, unit = np.argwhere(~np.isfinite(gathered))[0].tolist()
            raise InputError(
                f"{_name(self.signals, units.start + unit)} is {gathered[at, unit]} at position {batch.positions[at]:,}; {_FINITE}"
            )
        shard.add(self.part, gathered, batch)


def _name(signals: Sequence[Signal], unit: int) -> str:
    for signal in signals:
        if unit < signal.size:
            return f"unit {unit} of {signal.name}"
        unit -= signal.size
    raise IndexError(unit)
