"""A recurrent layer over a stretch of text, its way back, and updates, in C++ (`cpp/recurrent.cpp`), by addresses, without torch.

A path is a kind of processor. `PATH` is the one in use, None where nothing was compiled or the processor has none of them.
"""

import ctypes
import platform
import sys
import warnings
from ctypes import c_double, c_float, c_int64, c_void_p
from enum import IntEnum

from rnnscope.exceptions import SlowWarning
from rnnscope.native.library import library


class Path(IntEnum):
    """What products are made with; each has all that those before it have."""

    AVX2 = 1
    AVX512 = 2
    AVX512_BF16 = 3
    AMX = 4


CELLS = {"rnn": 0, "lstm": 1, "gru": 2, "gru-paper": 3}
SAVED = {"rnn": 1, "lstm": 4, "gru": 4, "gru-paper": 3}
"""Blocks of units in `gates`: an LSTM's i, f, g, o; a GRU's r, z, h̃ and, in torch's, U h₋₁ + b' of the candidate."""
DELTAS = {"rnn": 1, "lstm": 4, "gru": 4, "gru-paper": 3}
"""Blocks of units in the gradient of the biases; torch's GRU has U's candidate, r, z, W's candidate."""


class Held(ctypes.Structure):
    """What a signal is held at (`Layer.held`)."""

    _fields_ = [("at", c_void_p), ("step", c_int64), ("row", c_int64)]


class Layer(ctypes.Structure):
    """`cpp/recurrent/calls.h` says what each is."""

    _fields_ = [
        *((name, c_int64) for name in ("cell", "time", "batch", "units", "inputs", "symbols", "start", "stop")),
        ("ids", c_void_p), ("x", c_void_p), ("x_row", c_int64), ("begin", c_void_p), ("bias", c_void_p),
        *((name, c_void_p) for name in ("input_panels", "panels", "candidate_panels", "gates", "cells", "hidden", "reduced")),
        ("hidden_row", c_int64), ("held", Held * 6),
    ]  # fmt: skip


class Back(ctypes.Structure):
    _fields_ = [
        ("received", c_void_p), ("received_row", c_int64),
        *((name, c_void_p) for name in ("to_hidden", "to_cell", "panels", "candidate_panels", "input_panels", "to_x")),
        ("to_x_row", c_int64),
        *((name, c_void_p) for name in ("to_input", "to_recurrent", "to_bias")),
    ]  # fmt: skip


class Readout(ctypes.Structure):
    _fields_ = [
        *((name, c_int64) for name in ("rows", "units", "symbols")), ("hidden", c_void_p), ("hidden_row", c_int64),
        *((name, c_void_p) for name in ("bias", "panels", "back_panels", "targets")),
        ("scale", c_float), ("nats", c_double), ("to_hidden", c_void_p), ("to_hidden_row", c_int64),
        ("to_weight", c_void_p), ("to_bias", c_void_p),
    ]  # fmt: skip


class Descent(ctypes.Structure):
    _fields_ = [
        ("n", c_int64), *((name, c_void_p) for name in ("weights", "gradients", "squares", "means")),
        *((name, c_double) for name in ("rate", "smoothing", "momentum", "begun_squares", "begun_means")),
        *((name, c_float) for name in ("epsilon", "bound", "scale")),
    ]  # fmt: skip


def _ours(found: ctypes.CDLL | None) -> ctypes.CDLL | None:
    """The library, if it was compiled from these sources: another one would misread what it is handed."""
    if found is None or not hasattr(found, "layout"):
        return None
    found.layout.restype = c_int64
    layout = 0
    for each in (Layer, Back, Readout, Descent):
        layout = layout << 10 | ctypes.sizeof(each)
    return found if found.layout() == layout else None


_COMPILED = library("recurrent")
_LIBRARY = _ours(_COMPILED)


def best_path() -> Path | None:
    """The best of this processor; None where it has none, or nothing was compiled."""
    best = _LIBRARY.best_path() if _LIBRARY else 0
    return Path(best) if best else None


PATH = best_path()
_ABOUT = {
    Path.AMX: "AMX for bfloat16, AVX-512 for all else: all that this kernel can use",
    Path.AVX512_BF16: "AVX-512, bfloat16 included",
    Path.AVX512: "AVX-512; this processor has no instructions for bfloat16, so that networks are trained in float32",
    Path.AVX2: "AVX2; this processor has no AVX-512",
}
_WITHOUT_TILES = ["this processor has no AMX", "Linux doesn't allow AMX here", "AMX gave wrong sums in a trial and isn't used"]
_BUILT_HERE = sys.platform == "linux" and platform.machine() == "x86_64"


def about() -> str:
    """With what networks are computed on this processor, and why."""
    if PATH is Path.AVX512_BF16:
        assert _LIBRARY is not None
        return f"{_ABOUT[PATH]}; {_WITHOUT_TILES[_LIBRARY.tile_use()]}"
    if PATH is not None:
        return _ABOUT[PATH]
    if _LIBRARY is not None:
        return "torch: the kernel needs AVX2, which this processor hasn't"
    if _COMPILED is not None:
        return "torch: the kernel was compiled from other sources than these; install rnnscope once more"
    return (
        "torch: the kernel wasn't compiled when rnnscope was installed; install g++, then rnnscope once more"
        if _BUILT_HERE
        else "torch: the kernel is for Linux on x86-64"
    )


_said = False


def say_if_slow() -> None:
    """Warn, once, where nothing but a compiler is missing."""
    global _said
    if _LIBRARY is None and _BUILT_HERE and not _said:
        _said = True
        warnings.warn(f"networks are computed by {about()}; it is faster", SlowWarning, stacklevel=2)


def packed_bytes(reduced: bool, depth: int, columns: int) -> int:
    """Of a matrix (depth, columns), packed for products; `reduced` to bfloat16."""
    assert _LIBRARY is not None
    _LIBRARY.packed_size.restype = c_int64
    return int(_LIBRARY.packed_size(PATH, reduced, c_int64(depth), c_int64(columns)))


def pack(reduced: bool, to: int, matrix: int, shape: tuple[int, int], strides: tuple[int, int]) -> None:
    """Pack a float32 matrix (depth, columns), its strides in elements."""
    assert _LIBRARY is not None
    _LIBRARY.pack(PATH, reduced, c_void_p(to), c_void_p(matrix), *map(c_int64, (*shape, *strides)))


def lay_out(to: int, matrix: int, bias: int, shape: tuple[int, int], strides: tuple[int, int]) -> None:
    """Copy a float32 matrix (rows, columns), its strides in elements, row by row, a bias (columns) added."""
    assert _LIBRARY is not None
    _LIBRARY.lay_out(PATH, *map(c_void_p, (to, matrix, bias)), *map(c_int64, (*shape, *strides)))


def walk(reduced: bool, layer: Layer, back: Back | None = None) -> None:
    """Compute a layer's stretch; with `back`, its way back."""
    assert _LIBRARY is not None
    _LIBRARY.walk(PATH, reduced, ctypes.byref(layer), ctypes.byref(back) if back else None)


def read_out(reduced: bool, readout: Readout) -> float:
    """The softmax's loss, a sum of nats, and its gradients."""
    assert _LIBRARY is not None
    readout.nats = 0.0
    _LIBRARY.read_out(PATH, reduced, ctypes.byref(readout))
    return float(readout.nats)


def sum_of_squares(address: int, n: int) -> float:
    """Of n numbers in float32."""
    assert _LIBRARY is not None
    _LIBRARY.sum_of_squares.restype = c_double
    return float(_LIBRARY.sum_of_squares(PATH, c_void_p(address), c_int64(n)))


def descend(descent: Descent) -> None:
    """Update weights as torch.optim.RMSprop or torch.optim.Adam do it, all in float32."""
    assert _LIBRARY is not None
    _LIBRARY.descend(PATH, ctypes.byref(descent))


def at_the_ceiling(reduced: bool, times_over: int) -> float:
    """Multiply tiles from the nearest cache, nothing else: how many multiplications and additions that were."""
    assert _LIBRARY is not None
    _LIBRARY.at_the_ceiling.restype = c_double
    return float(_LIBRARY.at_the_ceiling(PATH, reduced, c_int64(times_over)))
