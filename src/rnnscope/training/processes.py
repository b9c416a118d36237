"""Several processes that train one network together, started by `torchrun`.

Each reads its share of the streams; losses and gradients are added up before every update, so all hold the same
weights. One process alone is a group of one. The first process is the one that writes.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, distributed

from rnnscope.exceptions import FollowerError, RecipeError, RnnscopeError, so_many

T = TypeVar("T")


@dataclass(frozen=True)
class Group:
    """`size` processes, this one being number `rank`."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, batch: int) -> slice:
        """This process's streams, of `batch`; shares differ by one at the most."""
        if batch < self.size:
            streams = so_many(batch, "streams")
            raise RecipeError(f"{streams} can't be shared by {self.size} processes; take a larger batch or fewer processes")
        return slice(self.rank * batch // self.size, (self.rank + 1) * batch // self.size)

    @torch.no_grad()
    def add(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes, in one exchange."""
        if self.size == 1:
            return
        flat = torch.cat([t.reshape(-1).float() for t in tensors])
        distributed.all_reduce(flat)
        for tensor, summed in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
            tensor.copy_(summed.view_as(tensor))

    def once(self, work: Callable[[], T]) -> T:
        """What `work` returns in the first process, in all of them. What it raises there ends all of them."""
        if self.size == 1:
            return work()
        outcome: list[object] = [None, None]
        if self.first:
            try:
                outcome = [work(), None]
            except Exception as error:
                distributed.broadcast_object_list([None, str(error)], src=0)
                raise
        try:
            distributed.broadcast_object_list(outcome, src=0)
        except RuntimeError as error:  # the connection broke
            raise FollowerError(f"process {self.rank} lost the first process ({error})") from error
        if outcome[1] is not None:
            raise FollowerError(f"the first process stopped: {outcome[1]}")
        return outcome[0]  # type: ignore[return-value]  # what work() returned, by way of the broadcast


@contextmanager
def joined(device: torch.device) -> Iterator[Group]:
    """The group that this process belongs to, left in good order at the end, or in none when something fails.

    After a failure the others may be gone; taking the connections down then can abort the process.
    """
    if not distributed.is_torchelastic_launched() or int(os.environ["WORLD_SIZE"]) == 1:
        yield Group()
        return
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    yield Group(distributed.get_rank(), distributed.get_world_size())
    distributed.barrier()  # none leaves while another still talks to it
    distributed.destroy_process_group()


def chosen_device(name: str) -> torch.device:
    """The device that a recipe's `auto`, `cpu` or `cuda` means here. Raises `RnnscopeError` where there is none."""
    if name == "cuda" and not torch.cuda.is_available():
        raise RnnscopeError("the recipe asks for a GPU (device 'cuda') and torch finds none here; take device 'auto' or 'cpu'")
    if name == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "the processor"
