"""The accelerator of our own for processors: layers and the softmax in C++ (`native.recurrent`), with their derivatives.

In float32, or, where autocasting asks for bfloat16 and the processor multiplies it, with products of bfloat16 whose sums, states
and gates stay float32. A row's values don't depend on the rows beside it.
"""

from ctypes import Structure
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from rnnscope.models.cells import Cell, Named, Weights
from rnnscope.models.threads import shared, side_by_side
from rnnscope.native import recurrent as native
from rnnscope.native.recurrent import CELLS, DELTAS, SAVED

_ROWS = 8
"""Of a batch, that are worth a thread."""


def knows(cell: str, *, reduced: bool) -> bool:
    """Whether layers of this cell are computed here on this processor, in float32 or `reduced` to bfloat16."""
    return cell in CELLS and native.PATH is not None and (not reduced or native.PATH >= native.Path.AVX512_BF16)


def covers(cell: Cell, weights: Weights) -> bool:
    """Whether this cell can be computed here."""
    return cell.name in CELLS and all(computes(w) for w in weights[:4])


def computes(w: Tensor) -> bool:
    """Whether these weights are multiplied here: on a processor that the kernel knows, in the precision that is asked for."""
    if native.PATH is None or w.device.type != "cpu" or w.dtype != torch.float32:
        return False
    if torch.is_autocast_enabled("cpu"):
        return torch.get_autocast_dtype("cpu") == torch.bfloat16 and native.PATH >= native.Path.AVX512_BF16
    return True


def every_signal(cell: Cell, x: Tensor, state: Named, weights: Weights, held: Named) -> Named:
    """As `fused.every_signal`; `held` as from `Holding.held`, by kind."""
    walked = walk(cell.name, x, state["hidden"], state.get("cell"), weights, reduced=False, held=held)
    blocks = walked.gates.chunk(SAVED[cell.name], -1)
    named = dict(zip(_GATES[cell.name], blocks, strict=False))
    if walked.cells is not None:
        named["cell"] = walked.cells[1:]
    return named | {"hidden": walked.hidden[1:]}


_GATES = {
    "rnn": (),
    "lstm": ("input", "forget", "candidate", "output"),
    "gru": ("reset", "update", "candidate"),
    "gru-paper": ("reset", "update", "candidate"),
}


_HELD = {cell: [*gates, *[""] * (4 - len(gates)), "cell", "hidden"] for cell, gates in _GATES.items()}
"""In which order C++ is told what is held."""


class Walked(NamedTuple):
    """A layer's stretch: gates (time, batch, blocks · units), and states (time + 1, batch, units), the first one in front.

    Float32, or, with products of bfloat16, gates in half precision and `hidden` only of the last step, (batch, units).
    """

    x: Tensor
    gates: Tensor
    cells: Tensor | None
    hidden: Tensor
    reduced: Tensor | None  # hidden states in bfloat16, rows of an even length

    @property
    def shown(self) -> Tensor:
        """Hidden states, (time, batch, units)."""
        return self.hidden[1:] if self.reduced is None else self.reduced[1:, :, : self.hidden.shape[1]]

    @property
    def last(self) -> tuple[Tensor, ...]:
        """The last state of each kind, (batch, units), in memory of its own."""
        hidden = self.hidden[-1].clone() if self.reduced is None else self.hidden
        return (hidden,) if self.cells is None else (hidden, self.cells[-1].clone())


def walk(
    cell: str, x: Tensor, hidden: Tensor, cells: Tensor | None, weights: Weights, *, reduced: bool, held: Named | None = None
) -> Walked:
    time, batch, units = *x.shape[:2], weights.hidden.shape[1]
    new = hidden.new_empty
    x = _operand(x, reduced) if x.is_floating_point() else x.contiguous()
    walked = Walked(
        x,
        new(time, batch, SAVED[cell] * units, dtype=torch.float16 if reduced else torch.float32),
        new(time + 1, batch, units) if cells is not None else None,
        hidden.clone(memory_format=torch.contiguous_format) if reduced else new(time + 1, batch, units),
        torch.empty(time + 1, batch, units + units % 2, dtype=torch.bfloat16) if reduced else None,
    )
    if not reduced:
        walked.hidden[0] = hidden
    if walked.cells is not None and cells is not None:
        walked.cells[0] = cells
    if walked.reduced is not None:
        walked.reduced[0, :, :units] = hidden
        if units % 2:
            walked.reduced[..., units:] = 0
    layer, kept = _layer(cell, walked, weights)
    for kind, values in (held or {}).items():
        values = values.to(hidden.device, torch.float32)
        kept.append(values)
        layer.held[_HELD[cell].index(kind)] = native.Held(values.data_ptr(), *values.stride()[:2])
    side_by_side(shared(batch, _ROWS), lambda rows, _: native.walk(reduced, _of_rows(layer, rows)))
    del kept
    return walked


def _layer(cell: str, walked: Walked, weights: Weights, *, forward: bool = True) -> tuple[native.Layer, list[Any]]:
    """What C++ is told, and what has to stay alive until it is done."""
    x, reduced, units = walked.x, walked.reduced is not None, weights.hidden.shape[1]
    layer = native.Layer(cell=CELLS[cell], time=len(x), batch=x.shape[1], units=units)
    pointers: dict[str, Tensor | None] = {"gates": walked.gates, "cells": walked.cells, "hidden": walked.hidden}
    if walked.reduced is not None:
        pointers["reduced"], layer.hidden_row = walked.reduced, walked.reduced.shape[2]
    if x.is_floating_point():
        pointers["x"], layer.inputs, layer.x_row = x, x.shape[2], _row(x)
    else:
        pointers["ids"], layer.symbols = x, weights.input.shape[1]
    if forward:
        gates = 2 * units if cell.startswith("gru") else len(weights.hidden)
        bias = weights.bias_input + weights.bias_hidden
        if cell == "gru":
            bias[2 * units :] = weights.bias_input[2 * units :]
            pointers["bias"] = weights.bias_hidden[2 * units :].contiguous()
        begin = bias if x.is_floating_point() else _rows_of_symbols(weights.input, bias)
        pointers["begin"], pointers["panels"] = begin, _packed(weights.hidden[:gates].T, reduced)
        if gates < len(weights.hidden):
            pointers["candidate_panels"] = _packed(weights.hidden[gates:].T, reduced)
        if x.is_floating_point():
            pointers["input_panels"] = _packed(weights.input.T, reduced)
    _point(layer, pointers)
    return layer, list(pointers.values())


def way_back(
    cell: str,
    walked: Walked,
    weights: Weights,
    received: Tensor,
    to_hidden: Tensor,
    to_cell: Tensor | None,
    *,
    wants_x: bool,
) -> tuple[Tensor | None, Tensor, Tensor | None, list[Tensor]]:
    """Gradients of x, of the first states, and of the four weights, from those of the hidden states and of the last states."""
    x, units, floating, reduced = walked.x, weights.hidden.shape[1], walked.x.is_floating_point(), walked.reduced is not None
    batch, rows = x.shape[1], len(weights.hidden)
    gates = 2 * units if cell == "gru-paper" else rows
    received = _operand(received, reduced)
    to_hidden = to_hidden.float().contiguous().clone()
    to_cell = to_cell.float().contiguous().clone() if to_cell is not None else None
    # A candidate of torch's GRU is multiplied by r on its way to U, not on its way to W: there it comes first.
    recurrent = weights.hidden.roll(units, 0) if cell == "gru" else weights.hidden
    back = native.Back(received_row=_row(received))
    pointers = {
        "received": received, "to_hidden": to_hidden, "to_cell": to_cell, "panels": _packed(recurrent[:gates], reduced),
        "candidate_panels": _packed(recurrent[gates:], reduced) if gates < rows else None,
    }  # fmt: skip
    to_x = None
    if floating and wants_x:
        to_x = torch.empty(x.shape, dtype=x.dtype)
        pointers |= {"to_x": to_x, "input_panels": _packed(weights.input, reduced)}
        back.to_x_row = x.shape[2]
    _point(back, pointers)
    layer, kept = _layer(cell, walked, weights, forward=False)
    sums = [
        {
            "to_input": _zeros(*weights.input.shape),
            "to_recurrent": _zeros(*weights.hidden.shape),
            "to_bias": _zeros(DELTAS[cell] * units),
        }
        for _ in shared(batch, _ROWS)
    ]

    def compute(part: range, k: int) -> None:
        mine = native.Back.from_buffer_copy(back)
        _point(mine, sums[k])
        native.walk(reduced, _of_rows(layer, part), mine)

    side_by_side(shared(batch, _ROWS), compute)
    del kept
    to_input, to_recurrent, to_bias = (sum(each[1:], each[0]) for each in zip(*(s.values() for s in sums), strict=True))
    if cell == "gru":
        to_recurrent, both = to_recurrent.roll(-units, 0), (to_bias[units:], to_bias[: 3 * units].roll(-units, 0))
    else:
        both = (to_bias, to_bias.clone())
    return to_x, to_hidden, to_cell, [to_input, to_recurrent, *both]


class Read(NamedTuple):
    """A loss, `nats` in all times `scale`, and its gradients."""

    loss: float
    to_hidden: Tensor
    to_weight: Tensor
    to_bias: Tensor


def read_out(hidden: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, scale: float, *, reduced: bool) -> Read:
    """The softmax on hidden states (time, batch, units), while what its gradients need is in the cache."""
    (symbols, units), (time, batch) = weight.shape, targets.shape
    hidden, targets = _operand(hidden, reduced), targets.contiguous()
    to_hidden = torch.empty(hidden.shape, dtype=hidden.dtype)
    pointers = {"bias": bias.detach().contiguous(), "panels": _packed(weight.T, reduced), "back_panels": _packed(weight, reduced)}
    readout = native.Readout(units=units, symbols=symbols, scale=scale, hidden_row=_row(hidden), to_hidden_row=units)
    _point(readout, pointers)
    parts = shared(time, -(-_ROWS // batch))
    sums = [{"to_weight": _zeros(symbols, units), "to_bias": _zeros(symbols)} for _ in parts]
    nats = [0.0] * len(parts)

    def compute(part: range, k: int) -> None:
        mine, steps = native.Readout.from_buffer_copy(readout), slice(part.start, part.stop)
        mine.rows = len(part) * batch
        _point(mine, sums[k] | {"hidden": hidden[steps], "targets": targets[steps], "to_hidden": to_hidden[steps]})
        nats[k] = native.read_out(reduced, mine)

    side_by_side(parts, compute)
    return Read(sum(nats) * scale, to_hidden, *(sum(each[1:], each[0]) for each in zip(*(s.values() for s in sums), strict=True)))


def _operand(x: Tensor, reduced: bool) -> Tensor:
    """(time, batch, units) in rows that are equally far apart, in the dtype of products; of bfloat16 of an even length."""
    x = x.to(torch.bfloat16 if reduced else torch.float32)
    if reduced and x.shape[2] % 2:
        return pad(x, (0, 1))[..., :-1]
    time, batch, _ = x.shape
    together = time == 1 or batch == 1 or x.stride(0) == batch * x.stride(1)
    return x if together and x.stride(2) == 1 else x.contiguous()


def _row(x: Tensor) -> int:
    """How far apart rows are; torch lets the stride of a dimension of size 1 be anything."""
    time, batch, width = x.shape
    return x.stride(1) if batch > 1 else x.stride(0) if time > 1 else width


def _zeros(*shape: int) -> Tensor:
    return torch.zeros(shape, dtype=torch.float32)


def _packed(matrix: Tensor, reduced: bool) -> Tensor:
    """A matrix (depth, columns) as products want it."""
    depth, columns = matrix.shape
    room = torch.empty(native.packed_bytes(reduced, depth, columns), dtype=torch.uint8)
    matrix = matrix.detach()
    native.pack(reduced, room.data_ptr(), matrix.data_ptr(), (depth, columns), (matrix.stride(0), matrix.stride(1)))
    return room


def _rows_of_symbols(matrix: Tensor, bias: Tensor) -> Tensor:
    """What each symbol adds to the gates, (symbols, columns), from the input's weights (columns, symbols)."""
    (columns, symbols), (right, down) = matrix.shape, matrix.stride()
    rows = torch.empty(symbols, columns, dtype=torch.float32)
    native.lay_out(rows.data_ptr(), matrix.detach().data_ptr(), bias.data_ptr(), (symbols, columns), (down, right))
    return rows


def _point(structure: Structure, pointers: dict[str, Tensor | None] | dict[str, Tensor]) -> None:
    for name, tensor in pointers.items():
        setattr(structure, name, None if tensor is None else tensor.data_ptr())


def _of_rows(layer: native.Layer, rows: range) -> native.Layer:
    mine = native.Layer.from_buffer_copy(layer)
    mine.start, mine.stop = rows.start, rows.stop
    return mine
