"""Counting: from the values of units and the labels of symbols to tables from which every score follows.

All that is added up are whole numbers. So tallies of pieces of a text can be merged in any order, with the same bits.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnscope.analysis.bins import Bins
from rnnscope.analysis.labels import Layout
from rnnscope.native import histograms
from rnnscope.native.histograms import BINS, Codes

COARSE = 3
"""Classes of labels are counted in bins 2 ** 3 times as wide."""
_FIXED = 2.0**20  # sums of products are rounded to whole numbers of this many parts
_NEAR = 512  # rows that are multiplied at once: they stay in a cache, which is three times as fast
GO_ON, BEGIN, BEFORE = 0, 1, 2
"""What a row of a batch is: it follows the row before; it begins a text anew; it only says what came before, and doesn't count."""


@dataclass(frozen=True)
class Batch:
    """Symbols that are counted at once: their positions, what each row is, and their labels as a layout puts them in columns."""

    positions: NDArray[np.int64]
    rows: NDArray[np.uint8]
    weights: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    factors: NDArray[np.float64]  # where yes-or-no claims apply, and where they hold

    @classmethod
    def of(cls, positions: NDArray[np.int64], rows: NDArray[np.uint8], levels: NDArray[np.uint8], layout: Layout) -> "Batch":
        """From labels (claims, rows)."""
        weights, classes = layout.weights(levels), layout.one_hot(levels)
        weights[rows == BEFORE] = 0
        classes[rows == BEFORE] = 0
        return cls(positions, rows, weights, classes, weights[:, layout.masked + layout.binary].astype(np.float64))


@dataclass
class Tally:
    """What was counted over a part of the text.

    `counts` (units, 256, columns) holds the labels' weights by bin, `classes` (units, 32, classes) their classes; `rises` and
    `falls` (units, 257) where runs begin. In fixed point, over standardised values x: `sums` (units, masks) and `squares` are Σx
    and Σx² where claims apply, `held` (units, binary claims) is Σx where they hold.
    """

    counts: NDArray[Any]
    classes: NDArray[Any]
    rises: NDArray[np.int64]
    falls: NDArray[np.int64]
    sums: NDArray[np.int64]
    squares: NDArray[np.int64]
    held: NDArray[np.int64]

    @classmethod
    def empty(cls, units: int, layout: Layout) -> "Tally":
        masks, binary = len(layout.masked), len(layout.binary)
        return cls(
            np.zeros((units, BINS, layout.columns), np.uint32),
            np.zeros((units, BINS >> COARSE, layout.classes), np.uint32),
            *(np.zeros((units, size), np.int64) for size in (BINS + 1, BINS + 1, masks, masks, binary)),
        )

    def add(self, codes: Codes, batch: Batch) -> None:
        """Count a batch: codes (units, rows)."""
        histograms.tally(codes, batch.weights, batch.classes, self.counts, self.classes)
        histograms.runs(codes, batch.rows, self.rises, self.falls)

    def add_moments(self, values: NDArray[np.float32], bins: Bins, batch: Batch) -> None:
        """Sums over a batch: values (rows, units)."""
        masks = self.sums.shape[1]
        sums, squares = np.zeros((len(bins), batch.factors.shape[1])), np.zeros((len(bins), masks))
        for first in range(0, len(values), _NEAR):
            rows = slice(first, first + _NEAR)
            standard = bins.standard(values[rows]).astype(np.float64)
            sums += standard.T @ batch.factors[rows]
            np.square(standard, out=standard)
            squares += standard.T @ batch.factors[rows, :masks]
        whole = np.rint(sums * _FIXED).astype(np.int64)
        self.sums += whole[:, :masks]
        self.held += whole[:, masks:]
        self.squares += np.rint(squares * _FIXED).astype(np.int64)

    def merge(self, other: "Tally") -> None:
        for field in fields(self):
            mine = getattr(self, field.name)
            mine += getattr(other, field.name)

    def moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Σx and Σx² where claims apply, (units, masks), and Σx where yes-or-no claims hold, (units, binary claims)."""
        return self.sums / _FIXED, self.squares / _FIXED, self.held / _FIXED

    @cached_property
    def by_column(self) -> NDArray[Any]:
        """`counts` with the columns first, (columns, units, 256): what scores are made from, one claim after the other."""
        return np.ascontiguousarray(np.moveaxis(self.counts, -1, 0))


@dataclass
class Sample:
    """The bins of all units at places that lie `step` symbols apart from `start` on: codes (units, places)."""

    start: int
    step: int
    codes: Codes

    @classmethod
    def spread(cls, start: int, stop: int, most: int, units: int) -> "Sample":
        step = max(1, -(-(stop - start) // most))
        return cls(start, step, np.zeros((units, max(0, -(-(stop - start) // step))), np.uint8))

    @property
    def positions(self) -> NDArray[np.int64]:
        return self.start + self.step * np.arange(self.codes.shape[1])

    def put(self, codes: Codes, batch: Batch) -> None:
        offset = batch.positions - self.start
        here = np.flatnonzero((batch.rows != BEFORE) & (offset >= 0) & (offset % self.step == 0))
        places = offset[here] // self.step
        here = here[places < self.codes.shape[1]]
        self.codes[:, offset[here] // self.step] = codes[:, here]


@dataclass
class Shard:
    """Some of the units, counted by one thread: tallies of the two parts of the text, samples of both."""

    bins: Bins
    tallies: tuple[Tally, Tally]
    samples: tuple[Sample, Sample]

    @classmethod
    def of(cls, bins: Bins, layout: Layout, edges: tuple[int, int, int], most: tuple[int, int]) -> "Shard":
        """An empty one; the parts of the text lie between the `edges`."""
        first, second = (Sample.spread(edges[k], edges[k + 1], most[k], len(bins)) for k in (0, 1))
        tallies = [Tally.empty(len(bins), layout) for _ in (0, 1)]
        return cls(bins, (tallies[0], tallies[1]), (first, second))

    def add(self, part: int, values: NDArray[np.float32], batch: Batch) -> None:
        """Count a batch of one part of the text; values (rows, units) of these units."""
        codes = self.bins.codes(values)
        self.tallies[part].add(codes, batch)
        self.tallies[part].add_moments(values, self.bins, batch)
        self.samples[part].put(codes, batch)

    def merge(self, other: "Shard") -> None:
        """Add what was counted of the same units elsewhere in the text."""
        for mine, theirs in zip(self.tallies, other.tallies, strict=True):
            mine.merge(theirs)
        for sample, more in zip(self.samples, other.samples, strict=True):
            sample.codes |= more.codes  # each place was seen by one of them; the others left it at 0
