"""Inner loops in C++, and the same in numpy where they could not be compiled: whole numbers, equal to the bit.

`compiled` says which of the two is in use.
"""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array

from rnnscope.native.library import library

EDGES, BINS = 255, 256
COLUMNS, CLASSES = 64, 128
"""Columns of weights, and of zeros and ones, come in multiples of these: what lies in a line of the cache, two ones in a byte."""

Codes = NDArray[np.uint8]
Weights = NDArray[np.uint8]
Counts = NDArray[np.uint32]
Runs = NDArray[np.int64]


_KERNELS = library("histograms")
compiled = _KERNELS is not None


def assign(values: NDArray[np.float32], edges: NDArray[np.float32]) -> Codes:
    """How many of a unit's edges (units, 255), ascending, are at most its value: (time, units) → (units, time)."""
    time, units = values.shape
    if _KERNELS is None:
        return np.stack([np.searchsorted(e, v, side="right") for e, v in zip(edges, values.T, strict=True)]).astype(np.uint8)
    codes = np.empty((units, time), np.uint8)
    if time:
        _KERNELS.assign(_at(values, np.float32), _at(edges, np.float32), _at(codes, np.uint8), *map(ctypes.c_int64, (time, units)))
    return codes


def tally(codes: Codes, weights: Weights, ones: Weights, counts: Counts, classes: Counts) -> None:
    """Count by the bins that units are in: codes (units, time).

    To `counts` (units, 256, columns) are added weights (time, columns) of at most 127, to `classes` (units, wider bins, columns)
    zeros and ones (time, columns).
    """
    units, time = codes.shape
    shift = (BINS // classes.shape[1]).bit_length() - 1
    if _KERNELS is None:
        for rows, into, coarse in ((weights, counts, 0), (ones, classes, shift)):
            each, row = np.ones(time, np.float64), rows.astype(np.float64)
            for u in range(units):
                bins = codes[u].astype(np.int32) >> coarse
                into[u] += (csc_array((each, bins, np.arange(time + 1)), shape=(into.shape[1], time)) @ row).astype(np.uint32)
        return
    arrays = (_at(codes, np.uint8), _at(weights, np.uint8), _at(ones, np.uint8), _at(counts, np.uint32), _at(classes, np.uint32))
    _KERNELS.tally(*arrays, *map(ctypes.c_int64, (time, units, weights.shape[1], ones.shape[1])), ctypes.c_int32(shift))


def runs(codes: Codes, rows: NDArray[np.uint8], rises: Runs, falls: Runs) -> None:
    """Count where runs begin, by threshold: codes (units, time), `rises` and `falls` (units, 257).

    The running sum of `rises` to k is how often a code of k or more follows one below k, or begins a text; that of `falls`,
    how often one below k follows one of k or more, or begins a text. `rows` (time,) says of each time whether it goes on
    (0; the first mustn't), begins a text anew (1), or only says what came before the next (2).
    """
    units, time = codes.shape
    if _KERNELS is None:
        now = codes.astype(np.int64)
        before = np.concatenate([now[:, :1], now[:, :-1]], axis=1)
        begins, goes_on = (np.broadcast_to(rows == kind, now.shape) for kind in (1, 0))
        for into, starts, stops, there in (
            (rises, np.where(begins, 0, before + 1), now + 1, begins | (goes_on & (now > before))),
            (falls, now + 1, np.where(begins, BINS, before + 1), begins | (goes_on & (now < before))),
        ):
            unit = np.nonzero(there)[0]
            np.add.at(into, (unit, starts[there]), 1)
            np.add.at(into, (unit, stops[there]), -1)
        return
    sizes = map(ctypes.c_int64, (time, units))
    _KERNELS.runs(_at(codes, np.uint8), _at(rows, np.uint8), _at(rises, np.int64), _at(falls, np.int64), *sizes)


def _at(array: NDArray[Any], dtype: Any) -> ctypes.c_void_p:
    if array.dtype != dtype or not array.flags.c_contiguous:
        raise TypeError(f"a kernel was given {array.dtype} with strides {array.strides}; expected contiguous {np.dtype(dtype)}")
    return ctypes.c_void_p(array.ctypes.data)
