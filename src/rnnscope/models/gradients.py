"""Derivatives by the compiled kernel: of a layer and of the softmax's loss for torch's autograd, and of a whole network at once."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rnnscope.models import compiled
from rnnscope.models.cells import Cell, Named, Weights
from rnnscope.models.compiled import Walked


def hidden_states(cell: Cell, x: Tensor, state: Named, weights: Weights) -> tuple[Tensor, Named]:
    """As `fused.hidden_states`."""
    given = (weights.input, weights.hidden, weights.bias_input, weights.bias_hidden)
    hidden, *last = _Stretch.apply(cell.name, x, state["hidden"], state.get("cell"), *given)  # type: ignore[no-untyped-call]
    return hidden, dict(zip(cell.states, last, strict=False))


def loss(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, scale: float) -> Tensor:
    """`scale` times the sum of nats of the `targets` (time, batch) under a softmax on hidden states (time, batch, units)."""
    found: Tensor = _Loss.apply(hidden, weight, bias, targets, scale)  # type: ignore[no-untyped-call]
    return found


@torch.no_grad()
def of_network(
    cell: Cell,
    layers: Sequence[Weights],
    readout: tuple[Tensor, Tensor],
    states: Sequence[Named],
    ids: Tensor,
    targets: Tensor,
    scale: float,
) -> tuple[float, list[Named], list[Tensor]]:
    """`loss` of a stack of layers that reads symbol numbers (time, batch), each layer's states after it, and the gradients of
    each layer's four weights and of the readout's two.

    All that an update needs, without autograd: its way from layer to layer is felt with small networks.
    """
    reduced, x, walks = _reduced(), ids, []
    for state, weights in zip(states, layers, strict=True):
        walks.append(compiled.walk(cell.name, x, state["hidden"], state.get("cell"), weights, reduced=reduced))
        x = walks[-1].shown
    read = compiled.read_out(x, *readout, targets, scale, reduced=reduced)
    last = [walked.last for walked in walks]
    received: Tensor | None = read.to_hidden
    gradients = [read.to_weight, read.to_bias]
    for k in reversed(range(len(layers))):
        ends = [torch.zeros_like(value) for value in last[k]]
        assert received is not None
        received, _, _, found = compiled.way_back(
            cell.name, walks.pop(), layers[k], received, ends[0], ends[1] if len(ends) > 1 else None, wants_x=k > 0
        )
        gradients = found + gradients
    return read.loss, [dict(zip(cell.states, each, strict=False)) for each in last], gradients


class _Stretch(torch.autograd.Function):
    """A layer over a stretch: hidden states, and the last ones of each kind."""

    @staticmethod
    def forward(
        ctx: Any, cell: str, x: Tensor, hidden: Tensor, cells: Tensor | None, w: Tensor, u: Tensor, b: Tensor, b_hidden: Tensor
    ) -> tuple[Tensor, ...]:
        walked = compiled.walk(cell, x, hidden, cells, Weights(w, u, b, b_hidden), reduced=_reduced())
        ctx.cell = cell
        ctx.save_for_backward(*walked, w, u, b, b_hidden)
        return walked.shown, *walked.last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, received: Tensor, to_hidden: Tensor, to_cell: Tensor | None = None) -> tuple[Any, ...]:
        *saved, w, u, b, b_hidden = ctx.saved_tensors
        weights, wants_x = Weights(w, u, b, b_hidden), ctx.needs_input_grad[1]
        *to_given, found = compiled.way_back(ctx.cell, Walked(*saved), weights, received, to_hidden, to_cell, wants_x=wants_x)
        return (None, *to_given, *found)


class _Loss(torch.autograd.Function):
    """Its gradients are computed with it."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, scale: float) -> Tensor:
        read = compiled.read_out(hidden, weight, bias, targets, scale, reduced=_reduced())
        ctx.save_for_backward(*read[1:])
        return torch.tensor(read.loss)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, received: Tensor) -> tuple[Any, ...]:
        return (*_times(received, ctx.saved_tensors), None, None)


def _reduced() -> bool:
    return torch.is_autocast_enabled("cpu")


def _times(factor: Tensor, gradients: Sequence[Tensor]) -> Sequence[Tensor]:
    return gradients if factor.item() == 1 else [each * factor.to(each.dtype) for each in gradients]
