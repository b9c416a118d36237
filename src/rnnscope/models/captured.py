"""Work on a GPU as a graph: thousands of small kernels that are launched at once.

A stretch of a recurrence is a few kernels for each step, and to launch one takes the processor longer than it takes the GPU to
compute it. Source: torch.cuda.CUDAGraph.
"""

import threading
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch

from rnnscope.models.cells import Named

Work = Callable[[Named], Named]

_WARM = 2
"""Calls that are computed kernel by kernel: libraries are loaded and choose their ways, optimisers make their averages."""
_one_at_a_time = threading.Lock()
"""Trainings side by side are threads, and cuDNN can't stand that one computes while another captures. Replays may go on."""


class Replayed:
    """`work`, a function of named tensors, which a GPU replays when it gets tensors of the same shapes again and again.

    Nothing in it may wait for the GPU, and what else it reads must stay in its place. Elsewhere it is called as it is.
    What is returned is overwritten by the next call.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._calls: Counter[object] = Counter()
        self._captured: dict[object, _Captured] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> "Replayed":
        return Replayed(deepcopy(self._work, memo))

    def __call__(self, given: Named) -> Named:
        if not all(value.is_cuda for value in given.values()):
            return self._work(given)
        shapes = tuple((name, value.shape, value.dtype) for name, value in given.items())
        self._calls[shapes] += 1
        if self._calls[shapes] <= _WARM:
            with _one_at_a_time:
                return self._work(given)
        if shapes not in self._captured:
            with _one_at_a_time:
                self._captured[shapes] = _Captured(self._work, given)
        return self._captured[shapes](given)


def copied(found: Named) -> Named:
    """The same, kept from being overwritten."""
    return {name: value.clone() if value.is_cuda else value for name, value in found.items()}


class _Captured:
    """Its tensors stay where they are: only their values are new at each call."""

    def __init__(self, work: Work, given: Named) -> None:
        self._given = {name: value.clone() for name, value in given.items()}
        self._graph = torch.cuda.CUDAGraph()
        # A stream of one's own: what others send into a stream that captures would become part of it.
        own = torch.cuda.current_stream()
        stream = None if own == torch.cuda.default_stream() else own
        with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
            self._found = work(self._given)  # not computed yet

    def __call__(self, given: Named) -> Named:
        torch._foreach_copy_(list(self._given.values()), [given[name] for name in self._given])
        self._graph.replay()
        return self._found
