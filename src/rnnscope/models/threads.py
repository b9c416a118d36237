"""How torch uses the processor, or a GPU, while we compute."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

from rnnscope.models.memory import kept_memory
from rnnscope.native.recurrent import say_if_slow

_inside = False
_of_kernel: int | None = None
_crew: tuple[int, ThreadPoolExecutor] | None = None


@contextmanager
def computing(threads: int = 1, *, by_kernel: bool = False) -> Iterator[None]:
    """Run torch on `threads` threads, denormal numbers flushed to zero and freed memory kept, and put all back at the end.

    `by_kernel`: our kernel does nearly all there is to do and has the threads; torch's would only wait for work, which
    they do at full speed, on cores that are needed. Inside another one it changes nothing.

    One thread is the default: these networks are small, and two threads in a recurrent kernel of torch's collapse when
    anything else runs on the machine.
    """
    global _inside, _of_kernel
    if _inside:
        yield
        return
    say_if_slow()
    before, _inside, _of_kernel = torch.get_num_threads(), True, threads if by_kernel else None
    torch.set_num_threads(1 if by_kernel else threads)
    torch.set_flush_denormal(True)
    try:
        with kept_memory():
            yield
    finally:
        _inside, _of_kernel = False, None
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


def kernel_threads() -> int:
    """On how many threads our kernel computes: by default as many as torch has."""
    return _of_kernel or torch.get_num_threads()


def shared(n: int, least: int) -> list[range]:
    """n rows in as many parts as our kernel has threads, of at least so many each."""
    parts = max(1, min(kernel_threads(), n // least))
    return [range(k * n // parts, (k + 1) * n // parts) for k in range(parts)]


def side_by_side(parts: Sequence[range], compute: Callable[[range, int], None]) -> None:
    """Call `compute` with each part and its number, each on a thread of its own, the first on this one."""
    first, *others = parts
    waiting = [_helpers(len(others)).submit(compute, part, k) for k, part in enumerate(others, 1)]
    compute(first, 0)
    for each in waiting:
        each.result()


def _helpers(least: int) -> ThreadPoolExecutor:
    """So many threads at least, that stay: starting them at every call took what they gained (LSTM 1×64)."""
    global _crew
    if _crew is None or _crew[0] < least:
        _crew = least, ThreadPoolExecutor(least, "rnnscope")
    return _crew[1]


def _without_threads() -> None:
    global _crew
    _crew = None  # threads aren't there after a fork


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_without_threads)


@contextmanager
def all_of_float32(device: torch.device) -> Iterator[None]:
    """On a GPU, products of float32 in float32: by default a recurrent kernel rounds what it multiplies to ten bits (TF32).

    That is enough for an update of the weights, but a recorded value is meant to be what the equations give.
    """
    if device.type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield
