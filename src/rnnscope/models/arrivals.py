"""Values on their way from a GPU to the processor's memory, while the GPU computes on.

A GPU writes by itself into pages that stay in their place (pinned), several times as fast as into others, for which it needs the
processor. Such pages are scarce: they can't be swapped, and to get one takes longer than to fill it. So the arrays that are given
out lie in them, they are used again once nobody holds those, and where somebody holds a lot the rest goes into other pages.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import torch
from numpy.typing import NDArray
from torch import Tensor

_MOST = 2**31
"""Bytes in such pages that are held at a time."""
_PRECEDENCE = -2
"""Of the stream that copies. torch shares streams, from a pool for each precedence; what is sent into one that captures a graph
becomes part of it, and nothing else here takes one from this pool."""
_held: WeakValueDictionary[int, NDArray[Any]] = WeakValueDictionary()
"""An array for each such piece of memory; views of it keep it."""

Item = TypeVar("Item")


class Arrival:
    """Some tensors' values as arrays; a GPU begins to bring them at once."""

    def __init__(self, named: dict[str, Tensor]) -> None:
        # numpy has no bfloat16: such values come as float32, which holds them exactly
        values = {name: (v.float() if v.dtype == torch.bfloat16 else v).detach() for name, v in named.items()}
        self._streams = [_copying(device) for device in {value.device for value in values.values() if value.is_cuda}]
        for stream in self._streams:
            stream.wait_stream(torch.cuda.current_stream(stream.device))
        self._arrays = {name: _begun(value) for name, value in values.items()}
        self._events = [stream.record_event() for stream in self._streams]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The values by name, once they are there."""
        for event in self._events:
            event.synchronize()
        return self._arrays


def one_ahead(items: Iterable[Item], really: bool) -> Iterator[Item]:
    """The same items; with `really` each is given out when the next one has begun."""
    waiting = []
    for item in items:
        waiting.append(item)
        if len(waiting) > really:
            yield waiting.pop(0)
    yield from waiting


def on(device: torch.device, values: NDArray[Any]) -> Tensor:
    """An array as a tensor there; nobody waits until a GPU has come to it."""
    value = torch.from_numpy(values)
    return value.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else value.to(device)


def as_array(value: Tensor) -> NDArray[Any]:
    """The tensor's values, once they are there."""
    return Arrival({"value": value}).arrays()["value"]


@cache
def _copying(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device, priority=_PRECEDENCE)  # type: ignore[no-untyped-call]  # torch's own


def _begun(value: Tensor) -> NDArray[Any]:
    if not value.is_cuda:
        return value.numpy()
    if value.nbytes + sum(array.nbytes for array in list(_held.values())) > _MOST:
        return value.cpu().numpy()
    there = torch.empty(value.shape, dtype=value.dtype, pin_memory=True)
    stream = _copying(value.device)
    with torch.cuda.stream(stream):
        there.copy_(value, non_blocking=True)
    value.record_stream(stream)  # its memory is free to be used again only after that
    array: NDArray[Any] = there.numpy()
    _held[id(array)] = array
    return array
