"""How torch uses the processor while we compute."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rnnscope.models.memory import kept_memory


@contextmanager
def computing(threads: int = 1) -> Iterator[None]:
    """Run torch on `threads` threads, denormal numbers flushed to zero and freed memory kept, and put all back at the end.

    One thread is the default: these networks are small, and two threads in a recurrent kernel collapse when
    anything else runs on the machine.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    try:
        with kept_memory():
            yield
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)
