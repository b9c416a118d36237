"""`RecurrentLM`: a stack of recurrent layers over one-hot symbols, as a torch module and as a `LanguageModel`."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from rnnscope.corpora import Corpus, Vocabulary
from rnnscope.exceptions import UsageError, VerificationError
from rnnscope.files import fingerprint
from rnnscope.models import cells, fused
from rnnscope.models.architecture import Architecture
from rnnscope.models.cells import CELLS, Cell, Named, Weights
from rnnscope.models.protocol import Block
from rnnscope.signal import Signal, select

QUANTUM = 256
"""Symbols that are computed together when a text is read; fixed, so that the size of a block changes no value."""
_WIDTH = 128  # segments read side by side

State = list[Named]
"""One dict per layer: a name for each carried state, each of shape (batch, units)."""


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

    def forward(self, x: Tensor, state: Named) -> tuple[Tensor, Named]:
        """Hidden states (time, batch, units) and the last states, through a kernel where one fits."""
        if fused.covers(self.cell):
            return fused.hidden_states(self.cell, x, state, self.weights)
        named = cells.unroll(self.cell, fused.project(x, self.weights), state, self.weights)
        return named["hidden"], {name: named[name][-1] for name in self.cell.states}

    def record(self, x: Tensor, state: Named, *, kernel: bool = True) -> Named:
        """Every signal of a stretch by name, each (time, batch, units); `kernel=False` steps through the equations."""
        if kernel and fused.covers(self.cell):
            hidden, _ = fused.hidden_states(self.cell, x, state, self.weights)
            return cells.replay(self.cell, fused.project(x, self.weights), {"hidden": hidden}, state, self.weights)
        return cells.unroll(self.cell, fused.project(x, self.weights), state, self.weights)


class RecurrentLM(nn.Module):
    """A recurrent language model: torch module (ids in, logits out) and `LanguageModel` (corpus in, signals out).

    >>> model = RecurrentLM(Architecture("lstm", 2, 8), Vocabulary.of("abc"))
    >>> [s.name for s in model.signals][:3]
    ['layer0/input', 'layer0/forget', 'layer0/output']
    """

    def __init__(self, architecture: Architecture, vocabulary: Vocabulary, *, name: str | None = None) -> None:
        super().__init__()
        self.architecture = architecture
        self.vocabulary = vocabulary
        self.name = name or str(architecture)
        cell, units = CELLS[architecture.cell], architecture.units
        self.layers = nn.ModuleList(Layer(cell, units if k else len(vocabulary), units) for k in range(architecture.layers))
        self.readout = nn.Linear(units, len(vocabulary))

    @property
    def stack(self) -> list[Layer]:
        return list(self.layers)  # type: ignore[arg-type]  # a ModuleList doesn't know what it holds

    @property
    def signals(self) -> list[Signal]:
        """Everything that can be recorded: the layers' gates and states, `log_prob` and `log_probs`."""
        per_layer = [s for k, layer in enumerate(self.stack) for s in cells.signals(layer.cell, k, layer.units)]
        return [
            *per_layer,
            Signal("log_prob", 0, "log p(the symbol that really came next), nats", None, 0.0),
            Signal("log_probs", len(self.vocabulary), "log softmax(W_y h + b_y), nats", None, 0.0),
        ]

    @property
    def fingerprint(self) -> str:
        """Of the architecture, the vocabulary and every weight."""
        weights = [p.detach().cpu().contiguous().numpy().data.cast("B") for p in self.parameters()]
        return fingerprint("network", self.architecture.to_json(), self.vocabulary.fingerprint, *weights)

    def initial_state(self, batch: int) -> State:
        return [{name: self.readout.weight.new_zeros(batch, layer.units) for name in layer.cell.states} for layer in self.stack]

    def forward(
        self, ids: Tensor, state: State | None = None, *, between: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, State]:
        """Logits (time, batch, symbols) and the states after, from symbol numbers (time, batch).

        `between` is applied to what each layer hands on, to the next one or to the softmax: the place of dropout.
        """
        x, last = ids, []
        for layer, first in zip(self.stack, state or self.initial_state(ids.shape[1]), strict=True):
            x, after = layer(x, first)
            x = between(x) if between else x
            last.append(after)
        return self.readout(x), last

    @torch.no_grad()
    def record(self, ids: Tensor, state: State, *, kernel: bool = True) -> tuple[Named, State]:
        """Every signal of a stretch, (time, batch, units), `logits` among them, and the states after."""
        x, named, last = ids, {}, []
        for k, (layer, first) in enumerate(zip(self.stack, state, strict=True)):
            signals = layer.record(x, first, kernel=kernel)
            named.update({f"layer{k}/{kind}": value for kind, value in signals.items()})
            last.append({name: signals[name][-1] for name in layer.cell.states})
            x = signals["hidden"]
        named["logits"] = self.readout(x)
        return named, last

    def read(self, corpus: Corpus, signals: Sequence[str], *, block: int = QUANTUM, kernel: bool = True) -> Iterator[Block]:
        """See `LanguageModel.read`. Segments are read side by side; each starts from a zero state.

        `kernel=False` steps through the readable equations instead of torch's kernels.
        Raises `UsageError` for a corpus with another vocabulary and `UnknownNameError` for an unknown signal.
        """
        if corpus.vocabulary != self.vocabulary:
            raise UsageError(
                f"{corpus!r} has another vocabulary than {self.name}; read the text with the model's: "
                "Corpus.from_text(…, vocabulary=model.vocabulary)"
            )
        if block < 1:
            raise UsageError(f"a block holds at least 1 symbol, not {block}")
        names = [s.name for s in select(self.signals, signals)]
        spans = list(corpus.spans())
        after = corpus.next_ids()
        for first in range(0, len(spans), _WIDTH):
            yield from self._read_side_by_side(corpus, after, spans[first : first + _WIDTH], names, block, kernel)

    def _read_side_by_side(
        self,
        corpus: Corpus,
        after: NDArray[np.int64],
        spans: list[tuple[int, int]],
        names: list[str],
        block: int,
        kernel: bool,
    ) -> Iterator[Block]:
        device = self.readout.weight.device
        inside = any("/" in name for name in names)
        state = self.initial_state(len(spans))
        for offset in range(0, max(stop - start for start, stop in spans), QUANTUM):
            lengths = [min(max(stop - start - offset, 0), QUANTUM) for start, stop in spans]
            live = [k for k, length in enumerate(lengths) if length]
            if len(live) < len(lengths):  # segments that have ended leave the batch
                state = [{name: value[live] for name, value in layer.items()} for layer in state]
                spans, lengths = [spans[k] for k in live], [lengths[k] for k in live]
            ids = np.zeros((max(lengths), len(spans)), np.int64)
            wanted = np.zeros_like(ids)
            for k, ((start, _), length) in enumerate(zip(spans, lengths, strict=True)):
                here = slice(start + offset, start + offset + length)
                ids[:length, k] = corpus.ids[here]
                wanted[:length, k] = after[here]
            named, state = self._compute(torch.from_numpy(ids).to(device), state, kernel, inside)
            arrays = {name: _numpy(value) for name, value in self._outputs(named, names, wanted).items()}
            for k, ((start, _), length) in enumerate(zip(spans, lengths, strict=True)):
                for at in range(0, length, block):
                    piece = slice(at, min(at + block, length))
                    yield Block(start + offset + at, {name: value[piece, k] for name, value in arrays.items()})

    @torch.no_grad()
    def _compute(self, ids: Tensor, state: State, kernel: bool, inside: bool) -> tuple[Named, State]:
        if inside or not kernel:
            return self.record(ids, state, kernel=kernel)
        logits, state = self.forward(ids, state)  # only what comes out is wanted: no gate is computed
        return {"logits": logits}, state

    @torch.no_grad()
    def _outputs(self, named: Named, names: list[str], wanted: NDArray[np.int64]) -> Named:
        found = {name: named[name] for name in names if name in named}
        if len(found) < len(names):
            log_probs = log_softmax(named["logits"].float(), -1)
            if "log_probs" in names:
                found["log_probs"] = log_probs
            if "log_prob" in names:
                target = torch.from_numpy(wanted).to(log_probs.device)
                chosen = log_probs.gather(-1, target.clamp(min=0)[..., None])[..., 0]
                found["log_prob"] = chosen.masked_fill(target < 0, float("nan"))
        return found

    def verify(self, text: str | bytes | Corpus, *, tolerance: float = 1e-4) -> dict[str, float]:
        """Replay a text step by step through the readable equations; the largest difference for each signal.

        Differences are relative where a value is above 1 in size, absolute below. Both run on their own states in
        float32, so that rounding grows along the text: 1e-6 to 1e-5 is usual, wrong equations differ far more.

        Raises `VerificationError` naming the worst signal if a difference is above `tolerance`.
        """
        corpus = text if isinstance(text, Corpus) else Corpus.from_text(text, vocabulary=self.vocabulary)
        names = [s.name for s in self.signals]
        worst = dict.fromkeys(names, 0.0)
        fast, slow = self.read(corpus, names), self.read(corpus, names, kernel=False)
        for a, b in zip(fast, slow, strict=True):
            for name in names:
                worst[name] = max(worst[name], _difference(a.arrays[name], b.arrays[name], name == "log_prob"))
        name = max(worst, key=worst.__getitem__)
        if not worst[name] <= tolerance:
            raise VerificationError(
                f"{self.name} can't be recorded: {name} differs by {worst[name]:.1e} between the kernel and the equations, "
                f"more than the tolerance of {tolerance:.1e}"
            )
        return worst

    def parameter_count(self) -> int:
        return self.architecture.parameters(len(self.vocabulary))


def _numpy(value: Tensor) -> NDArray[Any]:
    return value.detach().cpu().numpy()


def _difference(a: NDArray[Any], b: NDArray[Any], unknown: bool) -> float:
    """The largest difference, relative where values are above 1; infinite where something is no number.

    Except, with `unknown`, where neither is one: nobody knows what follows the last symbol.
    """
    excused = np.isnan(a) & np.isnan(b) & unknown
    if ((np.isnan(a) | np.isnan(b)) & ~excused).any():
        return float("inf")
    return float(np.nan_to_num(np.abs(a - b) / np.maximum(1.0, np.abs(b))).max())
