"""The paper's GRU, for which torch has no kernel, with its derivative written by hand.

Autograd over single steps spends most of its time on bookkeeping: here the time loop allocates nothing, keeps only
what the way back needs, and leaves the gradients of the weights to one matrix product at the end.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from rnnscope.models import loops


class PaperGRURecurrence(torch.autograd.Function):
    """The hidden states of `cells.PaperGRU`, (time, batch, units).

    From the projected input (time, batch, 3 · units), the first state (batch, units), the recurrent weights
    (3 · units, units) and their bias (3 · units,). With a = U h₋₁ and h = h₋₁ + z ∘ (h̃ − h₋₁), the way back is
    δh̃ = δh ∘ z ∘ (1 − h̃²), δz = δh ∘ (h̃ − h₋₁) ∘ z(1 − z), δr = (U_hᵀ δh̃) ∘ h₋₁ ∘ r(1 − r).
    """

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, first: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        units = x.shape[2] // 3
        gates = x + bias  # becomes r, z, h̃
        gates[..., 2 * units :] *= 2
        hidden, opened = loops.paper_gru(gates, first, torch.cat([weight[: 2 * units], 2 * weight[2 * units :]]))
        ctx.save_for_backward(hidden, opened, gates, weight)
        return hidden[1:].clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        hidden, opened, gates, weight = ctx.saved_tensors
        units = hidden.shape[2]
        reset, update, candidate = gates.split(units, -1)
        # Everything that needs no recurrence, for all steps at once.
        slopes = torch.cat([
            hidden[:-1] * (reset * (1 - reset)),
            (candidate - hidden[:-1]) * (update * (1 - update)),
            update * (1 - candidate * candidate),
        ], -1)  # fmt: skip
        keeps = 1 - update
        from_gates, from_candidate = weight[: 2 * units].contiguous(), weight[2 * units :].contiguous()
        inputs = torch.empty_like(gates)
        delta, inner = torch.zeros_like(hidden[0]), torch.empty_like(hidden[0])
        steps = [each.unbind(0) for each in (gradients[0], inputs, slopes, keeps, reset)]
        for received, into, slope, keep, open_ in zip(*(reversed(each) for each in steps), strict=True):
            delta.add_(received)
            torch.mul(delta[:, None], slope.unflatten(1, (3, units))[:, 1:], out=into.unflatten(1, (3, units))[:, 1:])
            torch.mm(into[:, 2 * units :], from_candidate, out=inner)
            torch.mul(inner, slope[:, :units], out=into[:, :units])
            delta.mul_(keep).addcmul_(inner, open_).addmm_(into[:, : 2 * units], from_gates)
        flat = inputs.flatten(0, 1)
        to_weight = torch.cat([
            flat[:, : 2 * units].T @ hidden[:-1].flatten(0, 1),
            flat[:, 2 * units :].T @ opened.flatten(0, 1),
        ])  # fmt: skip
        return inputs, delta, to_weight, flat.sum(0)


def paper_gru(x: Tensor, first: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    hidden: Tensor = PaperGRURecurrence.apply(x, first, weight, bias)  # type: ignore[no-untyped-call]
    return hidden
