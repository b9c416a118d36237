"""In what order a text is read: rows side by side, a stretch of each at a time.

A row is a segment of the text, or, where one is cut into streams, a piece of one. The order is a function of the text's
segments, the number of streams and the model's width alone. So whoever reads the same text again computes the same
products of the same shapes, and gets the same bits.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

MARK = 256
"""Symbols of a row after which its states are worth keeping: from a mark on, everything can be computed again."""
WIDTH = 128
"""Rows that are read side by side, at most."""
_BYTES = 2**28  # that the values of one passage may take
_SHORTEST = 32

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Passage:
    """What is computed together: the next symbols of the rows of a group that haven't ended yet."""

    group: int
    offset: int
    """Symbols of each row before this passage."""
    rows: Ints
    """Which rows are read, (batch,)."""
    starts: Ints
    """The position in the text at which each begins here, (batch,)."""
    lengths: Ints
    """How many symbols of each are here, (batch,); at least 1."""
    begins: bool
    """Whether the rows begin a segment here, in the model's first state."""

    @cached_property
    def positions(self) -> Ints:
        """The text position of each step, −1 after the end of a row; (time, batch)."""
        steps = np.arange(self.lengths.max())[:, None]
        return np.where(steps < self.lengths, self.starts + steps, -1)

    @property
    def stops(self) -> Ints:
        """The position after the last symbol of each row here, (batch,)."""
        return self.starts + self.lengths


class Plan:
    """The passages of a text whose segments are `spans`, for a model that computes `breadth` values at each symbol.

    With several `streams` long segments are cut into pieces, about so many over the text. Where a model isn't `causal`,
    each segment is a passage of its own.
    """

    def __init__(self, spans: Iterable[tuple[int, int]], breadth: int, *, causal: bool = True, streams: int = 1) -> None:
        starts, stops = np.array(list(spans), np.int64).reshape(-1, 2).T
        self.continues = np.zeros(len(starts), np.bool_)
        """Whether a row goes on where the one before it ended, (rows,)."""
        if streams > 1:
            piece = -(-int((stops - starts).sum()) // streams)
            piece = -(-piece // MARK) * MARK
            cuts = [np.arange(start, stop, piece) for start, stop in zip(starts, stops, strict=True)]
            self.continues = np.concatenate([np.arange(len(cut)) > 0 for cut in cuts])
            ends = [np.append(cut[1:], stop) for cut, stop in zip(cuts, stops, strict=True)]
            starts, stops = np.concatenate(cuts), np.concatenate(ends)
        self.starts, self.stops = starts, stops
        self.streams = streams
        self.breadth = breadth
        self.causal = causal
        self.width = WIDTH if causal else 1
        self.groups = -(-len(starts) // self.width)

    @cached_property
    def marks(self) -> Ints:
        """The positions before which states are kept: every `MARK` symbols of a row, and where a row continues another."""
        if not self.causal:
            return np.empty(0, np.int64)
        counts = -(-(self.stops - self.starts) // MARK)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        offsets = np.arange(int(counts.sum())) - first
        kept = (offsets > 0) | np.repeat(self.continues, counts)
        marks: Ints = (np.repeat(self.starts, counts) + offsets * MARK)[kept]
        return marks

    def marked(self, positions: Ints) -> NDArray[np.bool_]:
        """Whether each position is a mark."""
        found: NDArray[np.bool_] = np.append(self.marks, -1)[np.searchsorted(self.marks, positions)] == positions
        return found

    def rows(self, group: int) -> Ints:
        return np.arange(group * self.width, min((group + 1) * self.width, len(self.starts)))

    def length(self, group: int) -> int:
        """Symbols of the longest row."""
        rows = self.rows(group)
        return int((self.stops[rows] - self.starts[rows]).max())

    def quantum(self, group: int) -> int:
        """Symbols of each row that are computed together; a divisor of `MARK`."""
        if not self.causal:
            return self.length(group)
        quantum = MARK
        while quantum > _SHORTEST and quantum * len(self.rows(group)) * self.breadth * 4 > _BYTES:
            quantum //= 2
        return quantum

    def passages(self, group: int, start: int = 0, stop: int | None = None) -> Iterator[Passage]:
        """The passages of a group with offsets from `start`, a multiple of the quantum, to before `stop` (the end)."""
        rows = self.rows(group)
        stop = self.length(group) if stop is None else min(stop, self.length(group))
        quantum = self.quantum(group)
        for offset in range(start, stop, quantum):
            left = np.minimum(self.stops[rows] - self.starts[rows] - offset, quantum)
            there = left > 0
            begins = ~self.continues[rows] if offset == 0 else np.zeros(len(rows), np.bool_)
            for chosen, begin in ((there & begins, True), (there & ~begins, False)):
                if chosen.any():
                    yield Passage(group, offset, rows[chosen], self.starts[rows[chosen]] + offset, left[chosen], begin)

    def row(self, positions: Ints) -> Ints:
        """The row that each position of the text lies in."""
        return np.searchsorted(self.starts, positions, side="right") - 1
