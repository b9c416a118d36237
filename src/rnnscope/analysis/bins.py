"""Quantile bins: where a unit's values are cut so that counting in bins ranks them nearly as sorting would.

Uniform bins are useless (a saturated gate lies in one of them). These hold equal shares of a sample of the unit's values,
except that the outermost ones are halved again and again: a unit for something rare is decided at the edge of its range.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnscope.native import histograms
from rnnscope.native.histograms import BINS, EDGES, Codes

Floats = NDArray[np.float64]

_TAIL = 16
_EVEN = EDGES - 2 * _TAIL + 1
_OUTER = 0.5 ** (np.arange(_TAIL, 0, -1) / 2) / _EVEN
FRACTIONS: Floats = np.concatenate([_OUTER, np.arange(1, _EVEN) / _EVEN, 1 - _OUTER[::-1]])
"""The shares of the values below each edge, (255,)."""


@dataclass(frozen=True)
class Bins:
    """The edges of units, (units, 255), ascending; what a value is centred by and divided by, (units,)."""

    edges: NDArray[np.float32]
    middle: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def of(cls, sample: NDArray[Any]) -> "Bins":
        """Those of a sample (values, units) of finite numbers."""
        ordered = np.ascontiguousarray(sample.T, np.float32)
        ordered.sort(axis=1)
        places = np.minimum((FRACTIONS * ordered.shape[1]).astype(np.int64), ordered.shape[1] - 1)
        scale = ordered.std(axis=1, dtype=np.float64).astype(np.float32)
        middle = ordered.mean(axis=1, dtype=np.float64).astype(np.float32)
        edges = np.ascontiguousarray(ordered[:, places])
        # Where many values are the same, several edges are: the last of them is put just above, so that others are told apart.
        again = edges[:, 1:] == edges[:, :-1]
        last = again & (np.diff(edges, axis=1, append=np.inf)[:, 1:] > 0)
        edges[:, 1:][last] = np.nextafter(edges[:, 1:][last], np.float32(np.inf))
        return cls(edges, middle, np.where(scale > 0, scale, np.float32(1)))

    def __len__(self) -> int:
        return len(self.middle)

    def part(self, units: slice) -> "Bins":
        return Bins(self.edges[units], self.middle[units], self.scale[units])

    def codes(self, values: NDArray[np.float32]) -> Codes:
        """The bin that each value is in: (values, units) → (units, values)."""
        return histograms.assign(values, self.edges)

    def standard(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values of mean 0 and variance 1, as far as the sample knows."""
        standard: NDArray[np.float32] = (values - self.middle) / self.scale
        return standard

    @cached_property
    def centres(self) -> NDArray[np.float32]:
        """A standardised value for each bin, (units, 256): half way between its edges, the outermost at theirs."""
        edges = (self.edges - self.middle[:, None]) / self.scale[:, None]
        inner = (edges[:, 1:] + edges[:, :-1]) / 2
        centres: NDArray[np.float32] = np.concatenate([edges[:, :1], inner, edges[:, -1:]], axis=1)
        assert centres.shape[1] == BINS
        return centres


def joined(bins: Sequence[Bins]) -> Bins:
    return Bins(*(np.concatenate([getattr(b, name) for b in bins]) for name in ("edges", "middle", "scale")))
