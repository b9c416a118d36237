"""`RecurrentLM`: a stack of recurrent layers over one-hot symbols, as a torch module and as a `LanguageModel`."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, linear

from rnnscope.corpora import Vocabulary
from rnnscope.exceptions import UsageError
from rnnscope.models import cells, compiled, fused, gradients, loops
from rnnscope.models.architecture import Architecture
from rnnscope.models.base import Network
from rnnscope.models.captured import Replayed, copied
from rnnscope.models.cells import CELLS, Cell, Named, Weights
from rnnscope.models.edits import Edit, at_place
from rnnscope.models.recurrent import State
from rnnscope.predictions import predictions
from rnnscope.signal import Signal


class Layer(nn.Module):
    """One recurrent layer: its four parameters, named and laid out as in torch.nn."""

    def __init__(self, cell: Cell, inputs: int, units: int) -> None:
        super().__init__()
        rows = cell.blocks * units
        self.cell = cell
        self.units = units
        self.weight_ih = nn.Parameter(torch.empty(rows, inputs))
        self.weight_hh = nn.Parameter(torch.empty(rows, units))
        self.bias_ih = nn.Parameter(torch.empty(rows))
        self.bias_hh = nn.Parameter(torch.empty(rows))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -(units**-0.5), units**-0.5)

    @property
    def weights(self) -> Weights:
        return Weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)

    @property
    def is_plain(self) -> bool:
        """Whether to call it is to compute `forward` as it stands here."""
        hooks = (self._forward_hooks, self._forward_pre_hooks, self._backward_hooks, self._backward_pre_hooks)
        return type(self).forward is Layer.forward and not any(hooks)

    def forward(self, x: Tensor, state: Named) -> tuple[Tensor, Named]:
        """Hidden states (time, batch, units) and the last states, through a kernel where one fits."""
        if fused.covers(self.cell):
            return fused.hidden_states(self.cell, x, state, self.weights)
        named = cells.unroll(self.cell, fused.project(x, self.weights), state, self.weights)
        return named["hidden"], {name: named[name][-1] for name in self.cell.states}


class RecurrentLM(Network):
    """A recurrent language model: torch module (ids in, logits out) and `LanguageModel` (corpus in, signals out).

    >>> model = RecurrentLM(Architecture("lstm", 2, 8), Vocabulary.of("abc"))
    >>> [s.name for s in model.signals][:3]
    ['layer0/input', 'layer0/forget', 'layer0/output']
    """

    def __init__(self, architecture: Architecture, vocabulary: Vocabulary, *, name: str | None = None) -> None:
        super().__init__(architecture, vocabulary, name)
        if architecture.cell not in CELLS:
            raise UsageError(f"a RecurrentLM is made of one of the cells {', '.join(CELLS)}, not of {architecture!r}")
        cell, units = CELLS[architecture.cell], architecture.units
        self.layers = nn.ModuleList(Layer(cell, units if k else len(vocabulary), units) for k in range(architecture.layers))
        self.readout = nn.Linear(units, len(vocabulary))
        self._forget()

    def _forget(self) -> None:
        self._inside, self._outside = Replayed(self._signals), Replayed(self._logits)

    def _apply(self, *given: Any, **named: Any) -> "RecurrentLM":
        self._forget()  # what was captured: the weights may have moved
        super()._apply(*given, **named)  # type: ignore[no-untyped-call]  # torch's own
        return self

    @property
    def stack(self) -> list[Layer]:
        return list(self.layers)  # type: ignore[arg-type]  # a ModuleList doesn't know what it holds

    @property
    def signals(self) -> list[Signal]:
        """Everything that can be recorded: the layers' gates and states, `log_prob` and `log_probs`."""
        per_layer = [s for k, layer in enumerate(self.stack) for s in cells.signals(layer.cell, k, layer.units)]
        return [*per_layer, *predictions(len(self.vocabulary))]

    def begin(self, batch: int) -> State:
        """All zeros."""
        zeros = self.readout.weight.new_zeros
        return {f"layer{k}/{name}": zeros(batch, layer.units) for k, layer in enumerate(self.stack) for name in layer.cell.states}

    def forward(
        self, ids: Tensor, state: State | None = None, *, between: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, State]:
        x, last = self._shown(ids, state, between)
        return self.readout(x), last

    def loss(
        self, ids: Tensor, targets: Tensor, state: State, scale: float, *, between: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, State]:
        weight, bias = self.readout.weight, self.readout.bias
        if not (compiled.computes(weight) and compiled.computes(bias)):
            return super().loss(ids, targets, state, scale, between=between)
        x, last = self._shown(ids, state, between)
        return gradients.loss(x, weight, bias, targets, scale), {name: value.detach() for name, value in last.items()}

    def _at_once(self, ids: Tensor, targets: Tensor, state: State, scale: float) -> tuple[Tensor, State] | None:
        """None where the kernel doesn't know a layer, where one isn't as it was made, or where autograd would do more: for a hook,
        for a weight that is frozen or is made from others.
        """
        stack, readout = self.stack, (self.readout.weight, self.readout.bias)
        layers = [layer.weights for layer in stack]
        weights = [*(w for layer in layers for w in layer[:4]), *readout]
        plain = all(layer.is_plain and compiled.covers(layer.cell, given) for layer, given in zip(stack, layers, strict=True))
        if not (plain and all(map(compiled.computes, readout)) and all(map(_is_plain, weights))):
            return None
        state = state or self.begin(ids.shape[1])
        first = [_of_layer(state, k, layer) for k, layer in enumerate(stack)]
        loss, after, found = gradients.of_network(stack[0].cell, layers, readout, first, ids, targets, scale)
        for parameter, gradient in zip(weights, found, strict=True):
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
        return torch.tensor(loss), {f"layer{k}/{name}": value for k, named in enumerate(after) for name, value in named.items()}

    def _shown(self, ids: Tensor, state: State | None, between: Callable[[Tensor], Tensor] | None) -> tuple[Tensor, State]:
        """What the softmax sees, and the state after."""
        state = state or self.begin(ids.shape[1])
        x, last = ids, {}
        for k, layer in enumerate(self.stack):
            x, after = layer(x, _of_layer(state, k, layer))
            x = between(x) if between else x
            last.update({f"layer{k}/{name}": value for name, value in after.items()})
        return x, last

    @torch.no_grad()
    def advance(
        self, ids: Tensor, state: State, *, inside: bool = True, kernel: bool = True, edit: Edit | None = None
    ) -> tuple[Named, State]:
        if not inside and kernel and edit is None:
            found = copied(self._outside({"ids": ids, **state}))  # only what comes out is wanted: no gate is computed
            return {"logits": found.pop("logits")}, found
        if kernel and edit is None:
            named = copied(self._inside({"ids": ids, **state}))
        else:
            named = self._every_signal(ids, state, kernel=kernel, edit=edit)
        return named, {name: named[name][-1] for name in state}

    def _logits(self, given: Named) -> Named:
        logits, last = self.forward(given["ids"], {name: value for name, value in given.items() if name != "ids"})
        return {"logits": logits, **last}

    def _signals(self, given: Named) -> Named:
        return self._every_signal(given["ids"], given)

    def _every_signal(self, ids: Tensor, state: State, *, kernel: bool = True, edit: Edit | None = None) -> Named:
        x, named = ids, {}
        for k, layer in enumerate(self.stack):
            at_layer = at_place(edit, f"layer{k}")
            first = _of_layer(state, k, layer)
            signals = fused.every_signal(layer.cell, x, first, layer.weights, kernel=kernel, edit=at_layer)
            named.update({f"layer{k}/{kind}": value for kind, value in signals.items()})
            x = signals["hidden"]
        return named | {"logits": loops.project(x, self.readout.weight, self.readout.bias)}

    def strengthened(self, ids: Tensor, state: State, strength: Tensor, *, edit: Edit | None = None) -> Named:
        x, named = strength, {}
        for k, layer in enumerate(self.stack):
            weights = Weights(*(w.detach() for w in layer.weights if w is not None))
            rows = (
                embedding(ids, weights.input.T) * strength[..., None] + weights.bias_input if k == 0 else fused.project(x, weights)
            )
            first = {kind: value.detach() for kind, value in _of_layer(state, k, layer).items()}
            signals = cells.unroll(layer.cell, rows, first, weights, at_place(edit, f"layer{k}"))
            named.update({f"layer{k}/{kind}": value[-1] for kind, value in signals.items()})
            x = signals["hidden"]
        named["logits"] = linear(x[-1], self.readout.weight.detach(), self.readout.bias.detach())
        return named


def _is_plain(weight: Tensor) -> bool:
    """Whether all that autograd would do with its gradient is to keep it."""
    hooks = (weight._backward_hooks, weight._post_accumulate_grad_hooks)
    return weight.requires_grad and weight.is_leaf and not any(hooks)


def _of_layer(state: State, k: int, layer: Layer) -> Named:
    return {name: state[f"layer{k}/{name}"] for name in layer.cell.states}
