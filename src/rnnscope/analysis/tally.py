"""Counting: from the values of units and the labels of symbols to tables from which every score follows.

All that is added up are whole numbers. So tallies of pieces of a text can be merged in any order, with the same bits.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnscope import native
from rnnscope.analysis.bins import Bins
from rnnscope.analysis.labels import Labels
from rnnscope.native import BINS, Codes

COARSE = 3
"""Classes of labels are counted in bins 2 ** 3 times as wide."""
_FIXED = 2.0**20  # sums of products are rounded to whole numbers of this many parts
GO_ON, BEGIN, BEFORE = 0, 1, 2
"""What a row of a batch is: it follows the row before; it begins a text anew; it only says what came before, and doesn't count."""


@dataclass(frozen=True)
class Batch:
    """Symbols that are counted at once: positions, what each row is, labels (claims, rows), all units' values (rows, units)."""

    positions: NDArray[np.int64]
    rows: NDArray[np.uint8]
    weights: NDArray[np.uint8]
    classes: NDArray[np.uint8]


@dataclass
class Tally:
    """What was counted over a part of the text.

    `counts` (units, 256, columns) holds the labels' weights by bin, `classes` (units, 32, classes) their classes; `rises` and
    `falls` (units, 257) where runs begin; `products` (units, columns) and `squares` the values and their squares, standardised,
    times the weights, in fixed point.
    """

    counts: NDArray[Any]
    classes: NDArray[Any]
    rises: NDArray[np.int64]
    falls: NDArray[np.int64]
    products: NDArray[np.int64]
    squares: NDArray[np.int64]

    @classmethod
    def empty(cls, units: int, columns: int, classes: int) -> "Tally":
        return cls(
            np.zeros((units, BINS, columns), np.uint32),
            np.zeros((units, BINS >> COARSE, classes), np.uint32),
            np.zeros((units, BINS + 1), np.int64),
            np.zeros((units, BINS + 1), np.int64),
            np.zeros((units, columns), np.int64),
            np.zeros((units, columns), np.int64),
        )

    def add(self, codes: Codes, standard: NDArray[np.float32] | None, batch: Batch) -> None:
        """Count a batch: codes (units, rows), standardised values (rows, units), which are used up, where products are wanted."""
        native.tally(codes, batch.weights, self.counts)
        if batch.classes.shape[1]:
            native.tally(codes, batch.classes, self.classes, COARSE)
        native.runs(codes, batch.rows, self.rises, self.falls)
        if standard is not None:
            weights = batch.weights.astype(np.float32)
            self.products += np.rint(standard.T @ weights * _FIXED).astype(np.int64)
            np.square(standard, out=standard)
            self.squares += np.rint(standard.T @ weights * _FIXED).astype(np.int64)

    def merge(self, other: "Tally") -> None:
        for field in fields(self):
            mine = getattr(self, field.name)
            mine += getattr(other, field.name)

    def moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Σ x w and Σ x² w for every unit and column of weights."""
        return self.products / _FIXED, self.squares / _FIXED

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
    def of(cls, bins: Bins, labels: Labels, most: tuple[int, int]) -> "Shard":
        sizes = (len(bins), labels.columns, labels.classes)
        spans = ((0, labels.middle), (labels.middle, len(labels)))
        first, second = (Sample.spread(*span, most[k], len(bins)) for k, span in enumerate(spans))
        return cls(bins, (Tally.empty(*sizes), Tally.empty(*sizes)), (first, second))

    def add(self, part: int, values: NDArray[np.float32], batch: Batch) -> None:
        """Count a batch of one part of the text; values (rows, units) of these units."""
        codes = self.bins.codes(values)
        self.tallies[part].add(codes, self.bins.standard(values), batch)
        self.samples[part].put(codes, batch)
