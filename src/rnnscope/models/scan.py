"""c = a ∘ c₋₁ + b for a whole stretch, where every a and b is known: in some 4√time operations instead of one for each step.

The stretch is cut into blocks. What a block makes of nothing, and what it leaves of what it is given, is computed for all blocks
side by side, step by step; then each block is given what the one before it ends with. All factors are gates, between 0 and 1, so
that nothing grows on the way. On a GPU an operation is a kernel that costs its start, however small it is.
"""

from math import isqrt

import torch
from torch import Tensor


def scan(keep: Tensor, write: Tensor, first: Tensor) -> Tensor:
    """Every c, (time, batch, units), of a = `keep` and b = `write`, each (time, batch, units), after `first`, (batch, units)."""
    steps = isqrt(len(keep))
    blocks = len(keep) // steps
    whole = blocks * steps
    c = torch.empty_like(write)
    a, b, inside = (each[:whole].view(blocks, steps, *write.shape[1:]) for each in (keep, write, c))
    left = torch.empty_like(a)  # of what a block is given, after each of its steps
    inside[:, 0], left[:, 0] = b[:, 0], a[:, 0]
    for t in range(1, steps):
        torch.addcmul(b[:, t], a[:, t], inside[:, t - 1], out=inside[:, t])
        torch.mul(a[:, t], left[:, t - 1], out=left[:, t])
    given, last = torch.empty_like(a[:, 0]), first
    for k in range(blocks):
        given[k] = last
        last = torch.addcmul(inside[k, -1], left[k, -1], last)
    inside.addcmul_(left, given[:, None])
    for t in range(whole, len(keep)):
        last = torch.addcmul(write[t], keep[t], last, out=c[t])
    return c
