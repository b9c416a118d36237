"""How torch uses the processor, or a GPU, while we compute."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rnnscope.models.memory import kept_memory
from rnnscope.native.recurrent import say_if_slow

_inside = False


@contextmanager
def computing(threads: int = 1) -> Iterator[None]:
    """Run torch on `threads` threads, denormal numbers flushed to zero and freed memory kept, and put all back at the end.

    Inside another one it changes nothing.

    One thread is the default: these networks are small, and two threads in a recurrent kernel collapse when
    anything else runs on the machine.
    """
    global _inside
    if _inside:
        yield
        return
    say_if_slow()
    before, _inside = torch.get_num_threads(), True
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    try:
        with kept_memory():
            yield
    finally:
        _inside = False
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


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
