"""Values on their way from a GPU to the processor's memory, while the GPU computes on.

A GPU writes by itself into pages that stay in their place (pinned), several times as fast as into others, for which it needs the
processor. Such pages are scarce: they can't be swapped, and to get one takes longer than to fill it. So the arrays that are given
out lie in them, they are used again once nobody holds those, and where somebody holds a lot the rest goes into other pages.
"""

import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import torch
from numpy.typing import NDArray
from torch import Tensor

_MOST = 2**31
"""Bytes of arrays in such pages that somebody holds; torch takes up to twice as many, and keeps them for the next."""
_PRECEDENCE = -2
"""Of the stream that copies. torch shares streams, from a pool for each precedence; what is sent into one that captures a graph
becomes part of it, and nothing else here takes one from this pool."""
_lock = threading.Lock()  # models are read by several threads at once
_held: WeakValueDictionary[int, NDArray[Any]] = WeakValueDictionary()
"""An array for each such piece of memory; views of it keep it."""
_streams: dict[torch.device, torch.cuda.Stream] = {}

Item = TypeVar("Item")


class Arrival:
    """Some tensors' values as arrays; a GPU begins to bring them at once."""

    def __init__(self, named: dict[str, Tensor]) -> None:
        # numpy has no bfloat16: such values come as float32, which holds them exactly
        values = {name: (v.float() if v.dtype == torch.bfloat16 else v).detach() for name, v in named.items()}
        streams = {device: _copying(device) for device in {value.device for value in values.values() if value.is_cuda}}
        for device, stream in streams.items():
            stream.wait_stream(torch.cuda.current_stream(device))
        self._arrays = {name: _begun(value, streams.get(value.device)) for name, value in values.items()}
        self._events = [stream.record_event() for stream in streams.values()]

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


def _copying(device: torch.device) -> torch.cuda.Stream:
    with _lock:
        if device not in _streams:
            _streams[device] = torch.cuda.Stream(device, priority=_PRECEDENCE)  # type: ignore[no-untyped-call]  # torch's own
        return _streams[device]


def _begun(value: Tensor, stream: torch.cuda.Stream | None) -> NDArray[Any]:
    if stream is None or _bytes_held() + value.nbytes > _MOST:
        return value.cpu().numpy()
    there = torch.empty(value.shape, dtype=value.dtype, pin_memory=True)
    with torch.cuda.stream(stream):
        there.copy_(value, non_blocking=True)
    value.record_stream(stream)  # its memory is free to be used again only after that
    array: NDArray[Any] = there.numpy()
    with _lock:
        _held[id(array)] = array
    return array


def _bytes_held() -> int:
    with _lock:
        return sum(array.nbytes for array in _held.values())
