"""Dropout whose random numbers depend on the seed and the update alone."""

import torch
from torch import Tensor

_ODD = 0x9E3779B97F4A7C15  # spreads neighbouring updates over the generator's seeds


class Dropout:
    """Sets a share of the values to 0 and scales the others up, so that the mean stays.

    Every update seeds the generator anew: a resumed training draws what one that was never stopped draws, and a
    checkpoint holds no random state. The masks are those of all `batch` streams, of which this process has `share`:
    several processes draw what one would.
    """

    def __init__(self, rate: float, seed: int, batch: int, share: slice, device: torch.device) -> None:
        self.rate, self.seed, self.batch, self.share = rate, seed, batch, share
        self.generator = torch.Generator(device)

    def begin(self, update: int) -> None:
        self.generator.manual_seed(((self.seed << 32) + update) * _ODD % 2**63)

    def __call__(self, x: Tensor) -> Tensor:
        """`x` has shape (time, this process's streams, units)."""
        mask = torch.empty(len(x), self.batch, x.shape[2], device=x.device, dtype=x.dtype)
        mask.bernoulli_(1 - self.rate, generator=self.generator)
        return x * mask[:, self.share].div_(1 - self.rate)
