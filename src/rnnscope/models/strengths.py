"""How strongly each symbol enters somebody's module: what `Wrapped.strengthened` does to it while it runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class LookUp:
    """In place of an embedding's forward: the row of each symbol of a text, (time, batch), multiplied by its strength.

    It is called for the whole text at once, or for one symbol after the other by the module's own loop. What isn't the text's
    symbols (numbers of places) is looked up as it is.
    """

    def __init__(self, ids: Tensor, strength: Tensor, batch_first: bool) -> None:
        self._ids, self._strength = (value.T if batch_first else value for value in (ids, strength))
        self._steps, self._strengths = ids, strength
        self._done = 0

    def __call__(self, theirs: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
        found = theirs(given)
        if given.numel() == self._ids.numel() and torch.equal(given.reshape(self._ids.shape), self._ids):
            return found * self._strength.reshape(given.shape)[..., None]
        if self._done < len(self._steps) and torch.equal(given.flatten(), self._steps[self._done]):
            self._done += 1
            return found * self._strengths[self._done - 1].reshape(given.shape)[..., None]
        return found


@contextmanager
def frozen(module: nn.Module) -> Iterator[Any]:
    """No parameter wants a gradient: what has one rests on something else."""
    wanted = [p for p in module.parameters() if p.requires_grad]
    try:
        for parameter in wanted:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)
