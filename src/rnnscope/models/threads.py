"""How torch uses the processor while we compute."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rnnscope.models.memory import kept_memory

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
