"""Compiled modules of this package, as libraries of C functions."""

import ctypes
from importlib.util import find_spec


def library(name: str) -> ctypes.CDLL | None:
    """The library that was compiled from `cpp/{name}.cpp`; None where there was no compiler."""
    found = find_spec(f"rnnscope.native._{name}")
    return ctypes.CDLL(found.origin) if found and found.origin else None
