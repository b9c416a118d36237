"""The recurrences, written once.

A cell is two functions. `gates` is everything that depends only on the input and the previous hidden state;
`advance` is the rest, which needs the previous state itself. A step is one after the other, and returns every
signal by name. Because `gates` has no recurrence in it, it serves for one step and, given the hidden states of a
fused kernel, for a whole stretch of text at once.

Notation: x is the layer's input, already multiplied by W and with its bias b added; h and c are the previous
states; σ is the logistic function; ∘ multiplies element by element. The weights lie as in torch: rows in blocks,
one block per gate. Every signal passes through `edit(kind, value)` where it is computed, so that an intervention acts
on all that follows, in the same step and later. Source: PAPER section 2; torch.nn.LSTM, GRU, RNN.
"""

from collections.abc import Callable
from functools import partial
from typing import ClassVar, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import linear

from rnnscope.models.scan import scan
from rnnscope.signal import Signal

Named = dict[str, Tensor]
Edit = Callable[[str, Tensor], Tensor]
EditOfStep = Callable[[int, str, Tensor], Tensor]
"""The same for a stretch: the step's number in it comes first."""


def unchanged(kind: str, value: Tensor) -> Tensor:
    """The edit that leaves everything as it is."""
    return value


class Weights(NamedTuple):
    """One layer's parameters.

    `input` (gates · units, inputs), `hidden` (gates · units, units), `bias_input` and `bias_hidden` (gates · units,), in the
    order that torch's kernels take them. An LSTM with a projection has `hidden` (gates · units, projected) and, last of all,
    `projection` (projected, units).
    """

    input: Tensor
    hidden: Tensor
    bias_input: Tensor
    bias_hidden: Tensor
    projection: Tensor | None = None


class Equation(NamedTuple):
    text: str
    low: float | None
    high: float | None
    gate: bool


class Cell(Protocol):
    """A recurrence. `blocks` counts the blocks of rows in the weights; `states` names what is carried along."""

    name: ClassVar[str]
    blocks: ClassVar[int]
    states: ClassVar[tuple[str, ...]]
    equations: ClassVar[dict[str, Equation]]

    def gates(self, x: Tensor, state: Named, weights: Weights, edit: Edit = unchanged) -> Named:
        """What follows from the input (…, blocks · units) and the hidden state (…, units) alone, each (…, units)."""
        ...

    def advance(self, gates: Named, x: Tensor, state: Named, weights: Weights, edit: Edit = unchanged) -> Named:
        """The new states, each (…, units)."""
        ...


def step(cell: Cell, x: Tensor, state: Named, weights: Weights, edit: Edit = unchanged) -> Named:
    """Every signal of one step: gates and new states, by name."""
    gates = cell.gates(x, state, weights, edit)
    return {**gates, **cell.advance(gates, x, state, weights, edit)}


def _edited(edit: Edit, named: Named) -> Named:
    return {kind: edit(kind, value) for kind, value in named.items()}


def _gate(text: str) -> Equation:
    return Equation(text, 0.0, 1.0, True)


def _bounded(text: str) -> Equation:
    return Equation(text, -1.0, 1.0, False)


class LSTM:
    """Long short-term memory without peepholes. Rows: input, forget, candidate, output."""

    name: ClassVar[str] = "lstm"
    blocks: ClassVar[int] = 4
    states: ClassVar[tuple[str, ...]] = ("hidden", "cell")
    equations: ClassVar[dict[str, Equation]] = {
        "input": _gate("i = σ(W_i x + U_i h₋₁ + b_i); 1 writes"),
        "forget": _gate("f = σ(W_f x + U_f h₋₁ + b_f); 1 keeps"),
        "output": _gate("o = σ(W_o x + U_o h₋₁ + b_o); 1 shows"),
        "candidate": _bounded("g = tanh(W_g x + U_g h₋₁ + b_g)"),
        "cell": Equation("c = f ∘ c₋₁ + i ∘ g", None, None, False),
        "hidden": _bounded("h = o ∘ tanh(c)"),
    }

    def gates(self, x: Tensor, state: Named, weights: Weights, edit: Edit = unchanged) -> Named:
        i, f, g, o = (x + linear(state["hidden"], weights.hidden, weights.bias_hidden)).chunk(4, -1)
        return _edited(edit, {"input": i.sigmoid(), "forget": f.sigmoid(), "output": o.sigmoid(), "candidate": g.tanh()})

    def cell(self, gates: Named) -> tuple[Tensor, Tensor]:
        """a and b of c = a ∘ c₋₁ + b, (…, units)."""
        return gates["forget"], gates["input"] * gates["candidate"]

    def advance(self, gates: Named, x: Tensor, state: Named, weights: Weights, edit: Edit = unchanged) -> Named:
        keep, write = self.cell(gates)
        cell = edit("cell", keep * state["cell"] + write)
        return {"cell": cell, "hidden": edit("hidden", self.show(gates["output"] * cell.tanh(), weights))}

    def show(self, hidden: Tensor, weights: Weights) -> Tensor:
        """The hidden state, from o ∘ tanh(c)."""
        return hidden


class GRU:
    """Gated recurrent unit as torch has it: r acts after the matrix, z near 1 keeps. Rows: reset, update, candidate."""

    name: ClassVar[str] = "gru"
    blocks: ClassVar[int] = 3
    states: ClassVar[tuple[str, ...]] = ("hidden",)
    equations: ClassVar[dict[str, Equation]] = {
        "reset": _gate("r = σ(W_r x + U_r h₋₁ + b_r); 1 lets the past in, after the matrix"),
        "update": _gate("z = σ(W_z x + U_z h₋₁ + b_z); 1 keeps"),
        "candidate": _bounded("h̃ = tanh(W x + b + r ∘ (U h₋₁ + b'))"),
        "hidden": _bounded("h = (1 − z) ∘ h̃ + z ∘ h₋₁"),
    }

    def gates(self, x: Tensor, state: Named, weights: Weights, edit: Edit = unchanged) -> Named:
        x_r, x_z, x_n = x.chunk(3, -1)
        u_r, u_z, u_n = linear(state["hidden"], weights.hidden, weights.bias_hidden).chunk(3, -1)
        reset = edit("reset", (x_r + u_r).sigmoid())
        return {"reset": reset, **_edited(edit, {"update": (x_z + u_z).sigmoid(), "candidate": (x_n + reset * u_n).tanh()})}

    def advance(self, gates: Named, x: Tensor, state: Named, weights: Weights, edit: Edit = unchanged) -> Named:
        update = gates["update"]
        return {"hidden": edit("hidden", (1 - update) * gates["candidate"] + update * state["hidden"])}


class PaperGRU:
    """Gated recurrent unit as the paper has it: r acts before the matrix, z near 1 overwrites. Rows as in `GRU`."""

    name: ClassVar[str] = "gru-paper"
    blocks: ClassVar[int] = 3
    states: ClassVar[tuple[str, ...]] = ("hidden",)
    equations: ClassVar[dict[str, Equation]] = {
        "reset": _gate("r = σ(W_r x + U_r h₋₁ + b_r); 1 lets the past in, before the matrix"),
        "update": _gate("z = σ(W_z x + U_z h₋₁ + b_z); 1 overwrites"),
        "candidate": _bounded("h̃ = tanh(W x + U (r ∘ h₋₁) + b)"),
        "hidden": _bounded("h = (1 − z) ∘ h₋₁ + z ∘ h̃"),
    }

    def gates(self, x: Tensor, state: Named, weights: Weights, edit: Edit = unchanged) -> Named:
        units = weights.hidden.shape[1]
        hidden = state["hidden"]
        x_r, x_z, x_n = x.chunk(3, -1)
        u_r, u_z = linear(hidden, weights.hidden[: 2 * units], weights.bias_hidden[: 2 * units]).chunk(2, -1)
        reset = edit("reset", (x_r + u_r).sigmoid())
        u_n = linear(reset * hidden, weights.hidden[2 * units :], weights.bias_hidden[2 * units :])
        return {"reset": reset, **_edited(edit, {"update": (x_z + u_z).sigmoid(), "candidate": (x_n + u_n).tanh()})}

    def advance(self, gates: Named, x: Tensor, state: Named, weights: Weights, edit: Edit = unchanged) -> Named:
        update = gates["update"]
        return {"hidden": edit("hidden", (1 - update) * state["hidden"] + update * gates["candidate"])}


class RNN:
    """The plain recurrent network with tanh, which has no gates."""

    name: ClassVar[str] = "rnn"
    blocks: ClassVar[int] = 1
    states: ClassVar[tuple[str, ...]] = ("hidden",)
    equations: ClassVar[dict[str, Equation]] = {"hidden": _bounded("h = tanh(W x + U h₋₁ + b)")}

    def gates(self, x: Tensor, state: Named, weights: Weights, edit: Edit = unchanged) -> Named:
        return {}

    def advance(self, gates: Named, x: Tensor, state: Named, weights: Weights, edit: Edit = unchanged) -> Named:
        return {"hidden": edit("hidden", (x + linear(state["hidden"], weights.hidden, weights.bias_hidden)).tanh())}


class ProjectedLSTM(LSTM):
    """An LSTM whose hidden state is projected, torch's `proj_size`."""

    name: ClassVar[str] = "lstm-projected"
    equations: ClassVar[dict[str, Equation]] = {
        **LSTM.equations,
        "hidden": Equation("h = W_h (o ∘ tanh(c))", None, None, False),
    }

    def show(self, hidden: Tensor, weights: Weights) -> Tensor:
        assert weights.projection is not None
        return linear(hidden, weights.projection)


class ReluRNN(RNN):
    """The plain recurrent network with max(0, ·)."""

    name: ClassVar[str] = "rnn-relu"
    equations: ClassVar[dict[str, Equation]] = {"hidden": Equation("h = max(0, W x + U h₋₁ + b)", 0.0, None, False)}

    def advance(self, gates: Named, x: Tensor, state: Named, weights: Weights, edit: Edit = unchanged) -> Named:
        return {"hidden": edit("hidden", (x + linear(state["hidden"], weights.hidden, weights.bias_hidden)).relu())}


CELLS: dict[str, Cell] = {cell.name: cell for cell in (LSTM(), GRU(), PaperGRU(), RNN())}


def signals(cell: Cell, layer: int, units: int) -> list[Signal]:
    """The signals that a layer of this cell computes, in a fixed order."""
    return [
        Signal(f"layer{layer}/{kind}", units, e.text, e.low, e.high, e.gate, kind in cell.states)
        for kind, e in cell.equations.items()
    ]


def replay(cell: Cell, x: Tensor, states: Named, first: Named, weights: Weights) -> Named:
    """Every signal of a stretch, shape (time, batch, units), from the input and the hidden states of a fused kernel.

    `first` holds the states before the stretch, each (batch, units). The gates of all steps are one product; only
    what the kernel doesn't give, an LSTM's cell, is computed along the text (`scan`).
    """
    previous = {"hidden": torch.cat([first["hidden"][None], states["hidden"][:-1]])}
    named = {**cell.gates(x, previous, weights), "hidden": states["hidden"]}
    if isinstance(cell, LSTM):
        named["cell"] = scan(*cell.cell(named), first["cell"])
    return named


def unroll(cell: Cell, x: Tensor, first: Named, weights: Weights, edit: EditOfStep | None = None) -> Named:
    """Every signal of a stretch, shape (time, batch, units), step by step through the equations.

    `edit` gets the step's number in the stretch, the signal's kind and its value, (batch, units).
    """
    state, steps = first, []
    for t, x_t in enumerate(x.unbind(0)):
        state = step(cell, x_t, state, weights, partial(edit, t) if edit else unchanged)
        steps.append(state)
    return {kind: torch.stack([each[kind] for each in steps]) for kind in cell.equations}
