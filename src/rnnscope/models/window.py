"""`WindowLM`: a network without recurrence, which sees the last symbols of the text and nothing before them.

The last `context` symbols, one-hot and concatenated, go through one tanh layer and a softmax: the paper's n-NN. A one-hot
vector times a matrix selects one of its rows, so that the layer's input is a sum of `context` rows, and a row's gradient
is the sum over the places where its symbol stood. Neither needs the one-hot vectors, which are mostly zeros: at six
symbols and 512 units the two sums take a twentieth of the time of the products. Source: PAPER section 5.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag, linear, one_hot

from rnnscope.corpora import Vocabulary
from rnnscope.exceptions import UsageError
from rnnscope.models import loops
from rnnscope.models.architecture import Architecture
from rnnscope.models.base import Network
from rnnscope.models.cells import Named
from rnnscope.models.edits import Edit
from rnnscope.models.recurrent import State
from rnnscope.predictions import predictions
from rnnscope.signal import Signal

HIDDEN = "layer0/hidden"
_BLOCK = 2**19
"""Values whose sums are taken together: 2 MB in float32. With six symbols and 512 units, and another training on the next core,
the way back through the look-up takes half the time that it takes for all values at once."""


class WindowLM(Network):
    """An n-NN: torch module (ids in, logits out) and `LanguageModel` (corpus in, signals out).

    Its state is the window itself: the numbers of the last `context` symbols, (batch, context), the latest one last; −1 where a
    segment has not had as many, which adds nothing to the layer's input. `weight` (context, symbols, units) holds what a symbol
    adds that stands so many symbols back, the latest one first.

    >>> model = WindowLM(Architecture("window", units=8, context=3), Vocabulary.of("abc"))
    >>> [s.name for s in model.signals]
    ['layer0/hidden', 'log_prob', 'entropy', 'log_probs']
    """

    def __init__(self, architecture: Architecture, vocabulary: Vocabulary, *, name: str | None = None) -> None:
        super().__init__(architecture, vocabulary, name)
        if architecture.context is None:
            raise UsageError(f"a WindowLM is made of a window, such as Architecture('window', context=6), not of {architecture!r}")
        self.context, units = architecture.context, architecture.units
        self.weight = nn.Parameter(torch.empty(self.context, len(vocabulary), units))
        self.bias = nn.Parameter(torch.empty(units))
        nn.init.uniform_(self.weight, -1, 1)  # looked up, not multiplied: as large as an embedding's rows
        nn.init.uniform_(self.bias, -(units**-0.5), units**-0.5)
        self.readout = nn.Linear(units, len(vocabulary))

    @property
    def signals(self) -> list[Signal]:
        """The hidden layer, `log_prob`, `entropy` and `log_probs`."""
        words = f"h = tanh(Σ W_k x₋k + b), k = 0 … {self.context - 1}" if self.context > 1 else "h = tanh(W x + b)"
        return [Signal(HIDDEN, self.architecture.units, words, -1.0, 1.0), *predictions(len(self.vocabulary))]

    def begin(self, batch: int) -> State:
        """No symbol yet."""
        return {"window": torch.full((batch, self.context), -1, device=self.device)}

    def forward(
        self, ids: Tensor, state: State | None = None, *, between: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, State]:
        windows, last = self._windows(ids, state or self.begin(ids.shape[1]))
        hidden: Tensor = _Hidden.apply(self.weight, self.bias, windows)  # type: ignore[no-untyped-call]
        return self.readout(between(hidden) if between else hidden), last

    @torch.no_grad()
    def advance(
        self, ids: Tensor, state: State, *, inside: bool = True, kernel: bool = True, edit: Edit | None = None
    ) -> tuple[Named, State]:
        windows, last = self._windows(ids, state)
        if kernel:
            hidden = _hidden(self.weight, self.bias, _rows(windows, len(self.vocabulary)))
        else:
            hidden = torch.stack([self._step(window) for window in windows.unbind(0)])
        if edit is not None:  # nothing of a step goes on to the next but symbols, which no intervention changes
            hidden = torch.stack([edit(t, HIDDEN, value) for t, value in enumerate(hidden.unbind(0))])
        return {HIDDEN: hidden, "logits": loops.project(hidden, self.readout.weight, self.readout.bias)}, last

    def strengthened(self, ids: Tensor, state: State, strength: Tensor, *, edit: Edit | None = None) -> Named:
        window = self._windows(ids, state)[0][-1]
        rows = torch.cat([self.weight.detach().flatten(0, 1), self.weight.new_zeros(1, self.weight.shape[2])])
        before = strength.new_ones(self.context, ids.shape[1])  # of symbols that the state holds, constants
        seen = torch.cat([before, strength])[-self.context :].T
        inputs = rows[_rows(window, len(self.vocabulary))] * seen[..., None]
        hidden = (inputs.sum(1) + self.bias.detach()).tanh()
        if edit is not None:
            hidden = edit(len(ids) - 1, HIDDEN, hidden)
        return {HIDDEN: hidden, "logits": linear(hidden, self.readout.weight.detach(), self.readout.bias.detach())}

    def _windows(self, ids: Tensor, state: State) -> tuple[Tensor, State]:
        """What is seen at each step, (time, batch, context), the latest symbol last; and the state after."""
        symbols = len(self.vocabulary)
        # Else a number that is too large would take another symbol's row. On a GPU the look would wait for the device.
        if ids.device.type == "cpu" and ((ids < 0) | (ids >= symbols)).any():
            raise UsageError(f"{self.name} has symbols 0 to {symbols - 1}, and was given {int(ids.min())} to {int(ids.max())}")
        text = torch.cat([state["window"].T, ids])
        return text[1:].unfold(0, self.context, 1), {"window": text[-self.context :].T.contiguous()}

    def _step(self, window: Tensor) -> Tensor:
        """The hidden layer of one step, (batch, units), as the paper has it: one-hot vectors, concatenated, times a matrix."""
        latest_first = window.flip(1)
        vectors = one_hot(latest_first.clamp(min=0), len(self.vocabulary)) * (latest_first >= 0)[..., None]
        return linear(vectors.flatten(1).to(self.weight), self.weight.flatten(0, 1).T, self.bias).tanh()


def _rows(windows: Tensor, symbols: int) -> Tensor:
    """The row of the flattened weight for every symbol of every window; for a missing one, the row after the last."""
    context = windows.shape[-1]
    back = torch.arange(context - 1, -1, -1, device=windows.device)
    return torch.where(windows < 0, context * symbols, windows + back * symbols)


def _hidden(weight: Tensor, bias: Tensor, rows: Tensor) -> Tensor:
    """tanh of the sums of rows, (…, units), for rows (…, context).

    The bias is added to the rows of the latest symbol, which is never missing. As in `loops`, tanh(a) is 2σ(2a) − 1.
    """
    table = torch.cat([weight[0] + bias, *weight[1:], torch.zeros_like(bias)[None]]).mul_(2)
    sums = embedding_bag(rows.flatten(0, -2), table, mode="sum")
    return loops.centre(sums.sigmoid_()).view(*rows.shape[:-1], -1)


def _summed_by_row(values: Tensor, rows: Tensor, count: int) -> Tensor:
    """For each of `count` rows the sum of the values (places, units) where it was looked up, rows being (places, context).

    The same look-up as in `_hidden`, the other way round: places, sorted by row, are looked up in the values. Values of a block
    of places are looked up before those of the next, while they are in the processor's cache, and the blocks' sums added up.
    """
    places, context = rows.shape
    bags = count + 1  # the last one for missing symbols
    blocks = max(1, min(values.numel() // _BLOCK, places // bags))  # not more sums than values
    block = torch.arange(places, device=rows.device) * blocks // places
    keys, order = (block[:, None] * bags + rows).flatten().sort(stable=True)
    begins = torch.searchsorted(keys, torch.arange(blocks * bags, device=rows.device))
    sums = embedding_bag(order // context, values, begins, mode="sum")
    return sums.view(blocks, bags, -1).sum(0)[:count]


class _Hidden(torch.autograd.Function):
    """`_hidden` with its derivative by hand."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor, windows: Tensor) -> Tensor:
        rows = _rows(windows, weight.shape[1])
        hidden = _hidden(weight, bias, rows)
        ctx.symbols = weight.shape[1]
        ctx.save_for_backward(hidden, rows)
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        hidden, rows = ctx.saved_tensors
        context, symbols = rows.shape[-1], ctx.symbols
        before = torch.ops.aten.tanh_backward(gradient, hidden).flatten(0, -2)
        weight = _summed_by_row(before, rows.flatten(0, -2), context * symbols).view(context, symbols, -1)
        return weight, weight[0].sum(0), None  # each place has one latest symbol
