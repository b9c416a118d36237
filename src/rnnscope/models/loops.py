"""The equations of `cells` as loops that a processor likes: every signal of a stretch, in memory that is laid out beforehand.

The projected input of the whole stretch is computed first, and each step turns its part of it into the gates, in place.
Nothing is allocated but the product of a step, which stays in the cache. A fused kernel returns hidden states only, and
the gates would have to be computed from them again, the recurrent product included: on a processor that costs more.

torch's logistic function is ten times as fast as its tanh, so that here tanh(a) is 2σ(2a) − 1, right to 1e-7. Weights
whose sum goes through tanh are doubled beforehand, which loses nothing.
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


def product_into(weight: Tensor) -> Product:
    """The same, where the sum may be written over x: a kernel less on a GPU."""
    if _packs(weight):
        return product(weight)
    transposed = weight.T.contiguous()
    return lambda h, x: x.addmm_(h, transposed)


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
    w, u, b = (_last_doubled(each, 4) for each in (weights.input, weights.hidden, weights.bias_input + weights.bias_hidden))
    gates, recur = project(x, w, b), product(u)
    cells, hiddens = gates.new_empty(*gates.shape[:2], units), gates.new_empty(*gates.shape[:2], weights.hidden.shape[1])
    i, f, o, g = gates.chunk(4, -1)
    shown = gates.new_empty(gates.shape[1], units)
    h, c = state["hidden"], state["cell"]
    for gate, i_t, f_t, o_t, g_t, cell, hidden in zip(
        *(each.unbind(0) for each in (gates, i, f, o, g, cells, hiddens)), strict=True
    ):
        torch.sigmoid(recur(h, gate), out=gate)
        centre(g_t)
        c = torch.mul(f_t, c, out=cell).addcmul_(i_t, g_t)
        centre(torch.mul(c, 2, out=shown).sigmoid_())
        if weights.projection is None:
            h = torch.mul(o_t, shown, out=hidden)
        else:
            h = torch.mm(shown.mul_(o_t), weights.projection.T, out=hidden)
    return {"input": i, "forget": f, "output": o, "candidate": g, "cell": cells, "hidden": hiddens}


def _last_doubled(rows: Tensor, blocks: int) -> Tensor:
    """The rows of the candidate doubled and put last: an LSTM's output gate comes before it."""
    parts = list(rows.chunk(blocks))
    if blocks == 4:
        parts[2], parts[3] = parts[3], parts[2]
    return torch.cat([*parts[:-1], 2 * parts[-1]])


def centre(sigmoid: Tensor) -> Tensor:
    """In place 2s − 1: tanh(a), where s is σ(2a)."""
    return torch.add(_MINUS_ONE, sigmoid, alpha=2, out=sigmoid)


_MINUS_ONE = torch.tensor(-1.0)


def _gru(x: Tensor, state: Named, weights: Weights) -> Named:
    units = weights.hidden.shape[1]
    w, u, b, b_hidden = (_last_doubled(rows, 3) for rows in weights[:4] if rows is not None)
    gates, recur = project(x, w, b), product(u)
    bias = b_hidden.expand(gates.shape[1], -1).contiguous()
    hiddens, both, (r, z, n) = gates.new_empty(*gates.shape[:2], units), gates[..., : 2 * units], gates.chunk(3, -1)
    h = state["hidden"]
    for both_t, r_t, z_t, n_t, hidden in zip(*(each.unbind(0) for each in (both, r, z, n, hiddens)), strict=True):
        inner = recur(h, bias)
        both_t.add_(inner[:, : 2 * units]).sigmoid_()
        centre(n_t.addcmul_(r_t, inner[:, 2 * units :]).sigmoid_())
        h = torch.lerp(n_t, h, z_t, out=hidden)
    return {"reset": r, "update": z, "candidate": n, "hidden": hiddens}


def _paper_gru(x: Tensor, state: Named, weights: Weights) -> Named:
    w, u, b = (_last_doubled(each, 3) for each in (weights.input, weights.hidden, weights.bias_input + weights.bias_hidden))
    gates = project(x, w, b)
    hiddens, _ = paper_gru(gates, state["hidden"], u)
    r, z, n = gates.chunk(3, -1)
    return {"reset": r, "update": z, "candidate": n, "hidden": hiddens[1:]}


def paper_gru(gates: Tensor, first: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Turns the projected input with both biases, (time, batch, 3 · units), into r, z, h̃ in place.

    The candidate's rows of input, biases and `weight` are doubled.

    Returns the hidden states with the first one in front, (time + 1, batch, units), and r ∘ h₋₁, (time, batch, units).
    """
    time, batch, rows = gates.shape
    units = rows // 3
    hiddens, opened = gates.new_empty(time + 1, batch, units), gates.new_empty(time, batch, units)
    hiddens[0] = first
    to_gates, to_candidate = product_into(weight[: 2 * units]), product_into(weight[2 * units :])
    h = hiddens[0]
    both, (r, z, n) = gates[..., : 2 * units], gates.chunk(3, -1)
    for both_t, r_t, z_t, n_t, inner, hidden in zip(
        *(each.unbind(0) for each in (both, r, z, n, opened, hiddens[1:])), strict=True
    ):
        torch.sigmoid(to_gates(h, both_t), out=both_t)
        torch.mul(r_t, h, out=inner)
        centre(torch.sigmoid(to_candidate(inner, n_t), out=n_t))
        h = torch.lerp(h, n_t, z_t, out=hidden)
    return hiddens, opened


def _rnn(x: Tensor, state: Named, weights: Weights) -> Named:
    w, u, b = (2 * each for each in (weights.input, weights.hidden, weights.bias_input + weights.bias_hidden))
    hiddens, recur = project(x, w, b), product(u)
    h = state["hidden"]
    for hidden in hiddens.unbind(0):
        h = centre(torch.sigmoid(recur(h, hidden), out=hidden))
    return {"hidden": hiddens}


def _relu_rnn(x: Tensor, state: Named, weights: Weights) -> Named:
    hiddens, recur = project(x, weights.input, weights.bias_input + weights.bias_hidden), product(weights.hidden)
    h = state["hidden"]
    for hidden in hiddens.unbind(0):
        h = torch.clamp(recur(h, hidden), min=0, out=hidden)
    return {"hidden": hiddens}


_LOOPS: dict[str, Callable[[Tensor, Named, Weights], Named]] = {
    "lstm": _lstm,
    "lstm-projected": _lstm,
    "gru": _gru,
    "gru-paper": _paper_gru,
    "rnn": _rnn,
    "rnn-relu": _relu_rnn,
}
