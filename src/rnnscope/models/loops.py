"""The equations of `cells` as loops that a processor likes: every signal of a stretch, in memory that is laid out beforehand.

The projected input of the whole stretch is computed first, and each step turns its part of it into the gates, in place.
Nothing is allocated but the product of a step, which stays in the cache. A fused kernel returns hidden states only, and
the gates would have to be computed from them again, the recurrent product included: on a processor that costs more.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding, linear

from rnnscope.models.cells import Cell, Named, Weights

Product = Callable[[Tensor, Tensor], Tensor]


def covers(cell: Cell, weights: Weights) -> bool:
    """Whether there is a loop for this cell, on this device and in this precision."""
    return cell.name in _LOOPS and weights.hidden.device.type == "cpu" and weights.hidden.dtype == torch.float32


def every_signal(cell: Cell, x: Tensor, state: Named, weights: Weights) -> Named:
    """Every signal of a stretch by kind, each (time, batch, units). `x` and `state` as in `fused.hidden_states`."""
    return _LOOPS[cell.name](x, state, weights)


def product(weight: Tensor) -> Product:
    """(h, x) → x + h Uᵀ for a U that is used again and again: laid out once as the processor wants it.

    oneDNN's products with packed weights are more than twice as fast as MKL's on a processor that isn't Intel's.
    """
    if _packs(weight):
        packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())
        add: Any = torch.ops.mkldnn._linear_pointwise.binary
        return lambda h, x: add(h, x, packed, None, "add")
    transposed = weight.T.contiguous()
    return lambda h, x: torch.addmm(x, h, transposed)


def project(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """W x + b for a whole stretch, in memory of its own; `x` as in `fused.hidden_states`."""
    if not x.is_floating_point():
        return embedding(x, (weight + bias[:, None]).T.contiguous())
    if _packs(weight):
        packed = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous())
        projected: Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")
        return projected
    return linear(x, weight, bias)


def _packs(weight: Tensor) -> bool:
    known = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")  # type: ignore[no-untyped-call]
    return bool(known and weight.device.type == "cpu" and weight.dtype == torch.float32)


def _lstm(x: Tensor, state: Named, weights: Weights) -> Named:
    units = weights.hidden.shape[0] // 4
    # i, f, o, g: what goes through the logistic function lies together
    w, u, b = (_last_two_swapped(each) for each in (weights.input, weights.hidden, weights.bias_input + weights.bias_hidden))
    gates, recur = project(x, w, b), product(u)
    cells, hiddens = gates.new_empty(*gates.shape[:2], units), gates.new_empty(*gates.shape[:2], weights.hidden.shape[1])
    sigmoids, (i, f, o, g) = gates[..., : 3 * units], gates.chunk(4, -1)
    shown = gates.new_empty(gates.shape[1], units)
    h, c = state["hidden"], state["cell"]
    for gate, sigmoid, i_t, f_t, o_t, g_t, cell, hidden in zip(
        *(each.unbind(0) for each in (gates, sigmoids, i, f, o, g, cells, hiddens)), strict=True
    ):
        sums = recur(h, gate)
        torch.sigmoid(sums[:, : 3 * units], out=sigmoid)
        torch.tanh(sums[:, 3 * units :], out=g_t)
        c = torch.mul(f_t, c, out=cell).addcmul_(i_t, g_t)
        torch.tanh(c, out=shown)
        if weights.projection is None:
            h = torch.mul(o_t, shown, out=hidden)
        else:
            h = torch.mm(shown.mul_(o_t), weights.projection.T, out=hidden)
    return {"input": i, "forget": f, "output": o, "candidate": g, "cell": cells, "hidden": hiddens}


def _last_two_swapped(rows: Tensor) -> Tensor:
    i, f, g, o = rows.chunk(4)
    return torch.cat([i, f, o, g])


def _gru(x: Tensor, state: Named, weights: Weights) -> Named:
    units = weights.hidden.shape[1]
    gates, recur = project(x, weights.input, weights.bias_input), product(weights.hidden)
    bias = weights.bias_hidden.expand(gates.shape[1], -1).contiguous()
    hiddens, both, (r, z, n) = gates.new_empty(*gates.shape[:2], units), gates[..., : 2 * units], gates.chunk(3, -1)
    h = state["hidden"]
    for both_t, r_t, z_t, n_t, hidden in zip(*(each.unbind(0) for each in (both, r, z, n, hiddens)), strict=True):
        inner = recur(h, bias)
        both_t.add_(inner[:, : 2 * units]).sigmoid_()
        n_t.addcmul_(r_t, inner[:, 2 * units :]).tanh_()
        h = torch.lerp(n_t, h, z_t, out=hidden)
    return {"reset": r, "update": z, "candidate": n, "hidden": hiddens}


def _paper_gru(x: Tensor, state: Named, weights: Weights) -> Named:
    gates = project(x, weights.input, weights.bias_input + weights.bias_hidden)
    hiddens, _ = paper_gru(gates, state["hidden"], weights.hidden)
    r, z, n = gates.chunk(3, -1)
    return {"reset": r, "update": z, "candidate": n, "hidden": hiddens[1:]}


def paper_gru(gates: Tensor, first: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Turns the projected input with both biases, (time, batch, 3 · units), into r, z, h̃ in place.

    Returns the hidden states with the first one in front, (time + 1, batch, units), and r ∘ h₋₁, (time, batch, units).
    """
    time, batch, rows = gates.shape
    units = rows // 3
    hiddens, opened = gates.new_empty(time + 1, batch, units), gates.new_empty(time, batch, units)
    hiddens[0] = first
    to_gates, to_candidate = product(weight[: 2 * units]), product(weight[2 * units :])
    h = hiddens[0]
    both, (r, z, n) = gates[..., : 2 * units], gates.chunk(3, -1)
    for both_t, r_t, z_t, n_t, inner, hidden in zip(
        *(each.unbind(0) for each in (both, r, z, n, opened, hiddens[1:])), strict=True
    ):
        torch.sigmoid(to_gates(h, both_t), out=both_t)
        torch.mul(r_t, h, out=inner)
        torch.tanh(to_candidate(inner, n_t), out=n_t)
        h = torch.lerp(h, n_t, z_t, out=hidden)
    return hiddens, opened


def _rnn(nonlinearity: Callable[..., Tensor]) -> Callable[[Tensor, Named, Weights], Named]:
    def loop(x: Tensor, state: Named, weights: Weights) -> Named:
        hiddens, recur = project(x, weights.input, weights.bias_input + weights.bias_hidden), product(weights.hidden)
        h = state["hidden"]
        for hidden in hiddens.unbind(0):
            h = nonlinearity(recur(h, hidden), out=hidden)
        return {"hidden": hiddens}

    return loop


def _relu(x: Tensor, out: Tensor) -> Tensor:
    return torch.clamp(x, min=0, out=out)


_LOOPS: dict[str, Callable[[Tensor, Named, Weights], Named]] = {
    "lstm": _lstm,
    "lstm-projected": _lstm,
    "gru": _gru,
    "gru-paper": _paper_gru,
    "rnn": _rnn(torch.tanh),
    "rnn-relu": _rnn(_relu),
}
