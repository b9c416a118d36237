"""In what order a text is read: segments side by side, a stretch of each at a time.

The order is a function of the text's segments and the model's width alone. So whoever reads the same text again computes
the same products of the same shapes, and gets the same bits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

MARK = 256
"""Symbols of a segment after which its states are worth keeping: from a mark on, everything can be computed again."""
WIDTH = 128
"""Segments that are read side by side, at most."""
_BYTES = 2**29  # that the values of one passage may take
_SHORTEST = 32


@dataclass(frozen=True)
class Passage:
    """What is computed together: the next symbols of each segment in a group that hasn't ended yet."""

    group: int
    offset: int
    """Symbols of each segment before this passage."""
    segments: NDArray[np.int64]
    """Which segments are read, (batch,)."""
    starts: NDArray[np.int64]
    """The position in the text at which each begins here, (batch,)."""
    lengths: NDArray[np.int64]
    """How many symbols of each are here, (batch,); at least 1."""

    @cached_property
    def positions(self) -> NDArray[np.int64]:
        """The text position of each step, −1 after the end of a segment; (time, batch)."""
        steps = np.arange(self.lengths.max())[:, None]
        return np.where(steps < self.lengths, self.starts + steps, -1)

    @property
    def stop(self) -> int:
        """Symbols of the longest segments up to the end of this passage."""
        return self.offset + int(self.lengths.max())


class Plan:
    """The passages of a text whose segments are `spans`, for a model that computes `breadth` values at each symbol.

    Where a model isn't `causal`, each segment is a passage of its own.
    """

    def __init__(self, spans: Sequence[tuple[int, int]], breadth: int, *, causal: bool = True) -> None:
        self.starts, self.stops = np.array(spans, np.int64).reshape(-1, 2).T
        self.breadth = breadth
        self.causal = causal
        self.width = WIDTH if causal else 1
        self.groups = -(-len(self.starts) // self.width)

    def quantum(self, group: int) -> int:
        """Symbols of each segment that are computed together; a divisor of `MARK`."""
        rows, lengths = self._group(group)
        if not self.causal:
            return int(lengths.max())
        quantum = MARK
        while quantum > _SHORTEST and quantum * len(rows) * self.breadth * 4 > _BYTES:
            quantum //= 2
        return quantum

    def _group(self, group: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rows = np.arange(group * self.width, min((group + 1) * self.width, len(self.starts)))
        return rows, self.stops[rows] - self.starts[rows]

    def passages(self, group: int = 0, offset: int = 0) -> Iterator[Passage]:
        """All passages from that place on, which must be one's beginning or the end of a group."""
        for g in range(group, self.groups):
            longest = int(self._group(g)[1].max())
            for at in range(offset if g == group else 0, longest, self.quantum(g)):
                yield self.passage(g, at)

    def passage(self, group: int, offset: int) -> Passage:
        rows, lengths = self._group(group)
        left = np.minimum(lengths - offset, self.quantum(group))
        there = left > 0
        return Passage(group, offset, rows[there], self.starts[rows[there]] + offset, left[there])

    def segment(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The segment that each position of the text lies in."""
        return np.searchsorted(self.starts, positions, side="right") - 1
