"""One pass over a text: every unit, every label, both parts, on as many threads as there are cores."""

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from rnnscope.analysis.bins import Bins
from rnnscope.analysis.labels import Labels
from rnnscope.analysis.sources import Arrays, Source
from rnnscope.analysis.tally import BEFORE, BEGIN, GO_ON, Batch, Shard
from rnnscope.progress import Progress, silent
from rnnscope.signal import Signal

ROWS = 8_192
"""Symbols that are counted at once."""
CHOSEN, REPORTED = 32_768, 65_536
"""Symbols of each part whose bins are kept for what counts alone can't tell: probes, rotations, shifts, lags, intervals."""


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def binned(source: Source, signals: Sequence[Signal]) -> Bins:
    """The bins of the units of some signals, side by side."""
    sample = source.sample([s.name for s in signals])
    return Bins.of(np.concatenate([sample[s.name] for s in signals], axis=1))


def count(
    source: Source, signals: Sequence[Signal], labels: Labels, bins: Bins, *,
    start: int = 0, stop: int | None = None, threads: int | None = None, progress: Progress = silent,
) -> list[Shard]:  # fmt: skip
    """Count the units of some signals over the text from `start` to before `stop`: shards, side by side in the units' order."""
    stop = len(labels) if stop is None else stop
    threads = max(1, min(threads or cores(), len(bins) // 16))
    edges = np.linspace(0, len(bins), threads + 1).astype(int).tolist()
    slices = [slice(a, b) for a, b in zip(edges, edges[1:], strict=False)]
    shards = [Shard.of(bins.part(units), labels, (CHOSEN, REPORTED)) for units in slices]
    with ThreadPoolExecutor(threads) as pool:
        parts = [_Part(k, labels, slices, shards, pool) for k in (0, 1)]
        names, done = [s.name for s in signals], 0
        before: dict[int, NDArray[np.float32]] = {}
        begins = {int(a) for a in labels.corpus.bounds} | {labels.middle}
        lead = start - 1 if start not in begins else start
        for first, arrays in source.stretches(names, lead, stop):
            length = len(arrays[names[0]])
            values = np.concatenate([arrays[name] for name in names], axis=1).astype(np.float32, copy=False)
            for low, high in _cuts(first, first + length, labels.middle):
                part = parts[int(low >= labels.middle)]
                piece = values[low - first : high - first]
                if low < start:  # only looked at
                    part.add(low, piece, BEFORE)
                elif low in begins:
                    part.add(low, piece, BEGIN)
                else:
                    part.add(low - 1, np.concatenate([before.pop(low)[None], piece]), BEFORE)
                if high not in begins:
                    before[high] = piece[-1].copy()
            done += length
            progress(done, stop - start)
        for part in parts:
            part.flush()
            part.wait()
    return shards


def _cuts(first: int, last: int, middle: int) -> list[tuple[int, int]]:
    return [(first, middle), (middle, last)] if first < middle < last else [(first, last)]


class _Part:
    """One part of the text: rows are gathered until there are enough, then counted by all threads."""

    def __init__(self, part: int, labels: Labels, slices: list[slice], shards: list[Shard], pool: ThreadPoolExecutor) -> None:
        self.part, self.labels, self.slices, self.shards, self.pool = part, labels, slices, shards, pool
        self._values: list[NDArray[np.float32]] = []
        self._positions: list[NDArray[np.int64]] = []
        self._rows: list[NDArray[np.uint8]] = []
        self._filled = 0
        self._waiting: list[Future[None]] = []

    def add(self, first: int, values: NDArray[np.float32], kind: int) -> None:
        rows = np.full(len(values), GO_ON, np.uint8)
        rows[0] = kind
        self._values.append(values)
        self._positions.append(np.arange(first, first + len(values)))
        self._rows.append(rows)
        self._filled += len(values)
        if self._filled >= ROWS:
            self.flush()

    def flush(self) -> None:
        if not self._filled:
            return
        positions, rows = np.concatenate(self._positions), np.concatenate(self._rows)
        levels = np.concatenate([self.labels.levels(int(p[0]), int(p[-1]) + 1) for p in self._positions], axis=1)
        weights, classes = self.labels.weights(levels), self.labels.one_hot(levels)
        weights[rows == BEFORE] = 0
        classes[rows == BEFORE] = 0
        batch, values = Batch(positions, rows, weights, classes), self._values
        self.wait()
        self._waiting = [
            self.pool.submit(shard.add, self.part, np.concatenate([v[:, units] for v in values]), batch)
            for shard, units in zip(self.shards, self.slices, strict=True)
        ]
        self._values, self._positions, self._rows, self._filled = [], [], [], 0

    def wait(self) -> None:
        for work in self._waiting:
            work.result()
        self._waiting = []
