"""`wrap`: somebody else's torch module as a language model.

The module keeps doing what it does around its recurrence, whatever that is. Only while it reads, the forward of each
`nn.LSTM`, `nn.GRU` and `nn.RNN` inside is exchanged for one that takes up the state where the last stretch ended and
notes every gate and state, by the equations in `cells`. `verify` holds the result against the module as it was given.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rnnscope.corpora import Corpus, Vocabulary
from rnnscope.exceptions import UsageError, VerificationError, expect
from rnnscope.files import fingerprint
from rnnscope.models import cells, fused
from rnnscope.models.cells import GRU, LSTM, RNN, Cell, Named, ProjectedLSTM, ReluRNN, Weights
from rnnscope.models.recurrent import Edit, Recurrent, State, predictions
from rnnscope.signal import Signal

Call = Callable[[nn.Module, Tensor], Any]
_BATCH, _TIME = 2, 3  # of the trial call: two sizes that tell the axes apart
_FUTURE = "; sees the symbols to the right"


def wrap(module: nn.Module, vocabulary: Vocabulary, *, call: Call | None = None, name: str | None = None) -> "Wrapped":
    """A torch module as a language model: recorded, scored, ablated, sampled from as one that was trained here.

    `module(ids)` takes symbol numbers, (batch, time) or (time, batch), numbered as in `vocabulary`, and returns logits or
    log-probabilities: a tensor whose last axis is the vocabulary, the first element of a tuple, or `.logits`. Where it is called
    otherwise, `call(module, ids)` does it. Inside are one or more `nn.LSTM`, `nn.GRU` or `nn.RNN`, of any depth, with or without
    biases, projections, both directions; their layers are numbered on from one to the next in the order in which they are called.
    A backward direction is `layer0.reverse`. What surrounds them must treat every symbol alone; `verify` finds out.

    The module stays as it is found between calls, also after an error: training mode, forward, random state.
    Raises `UsageError` naming the submodule that stands in the way.
    """
    expect(module, nn.Module, "a torch module that takes symbol numbers and returns logits")
    expect(vocabulary, Vocabulary, "the vocabulary that numbers its symbols; rs.Vocabulary.of(text) makes one")
    return Wrapped(module, vocabulary, call or _plainly, name or type(module).__name__)


def _plainly(module: nn.Module, ids: Tensor) -> Any:
    return module(ids)


class Wrapped(Recurrent):
    """A torch module as a language model; `wrap` makes one."""

    def __init__(self, module: nn.Module, vocabulary: Vocabulary, call: Call, name: str) -> None:
        self.module, self.vocabulary, self.name = module, vocabulary, name
        self._call = call
        self._taps = _found(module, name)
        self._batch_first = self._tried()
        self.causal = not any(tap.module.bidirectional for tap in self._taps)

    @property
    def signals(self) -> list[Signal]:
        out = predictions(len(self.vocabulary))
        if not self.causal:
            out = [replace(signal, equation=signal.equation + _FUTURE) for signal in out]
        return [*(signal for tap in self._taps for signal in tap.signals()), *out]

    @property
    def fingerprint(self) -> str:
        """Of the module's kind, its parameters and buffers, and the vocabulary."""
        weights = [
            np.ascontiguousarray(value.detach().cpu().reshape(-1).view(torch.uint8).numpy()).data
            for value in self.module.state_dict().values()
        ]
        kinds = [f"{path}: {type(part).__qualname__}" for path, part in self.module.named_modules()]
        return fingerprint("wrapped", kinds, list(self.module.state_dict()), self.vocabulary.fingerprint, *weights)

    @property
    def device(self) -> torch.device:
        return next((p.device for p in self.module.parameters()), torch.device("cpu"))

    def begin(self, batch: int) -> State:
        """Nothing yet: the module itself says what its states begin with."""
        return {}

    @torch.no_grad()
    def advance(
        self, ids: Tensor, state: State, *, inside: bool = True, kernel: bool = True, edit: Edit | None = None
    ) -> tuple[Named, State]:
        noting = inside or not kernel or edit is not None
        named: Named = {}
        last: State = {}
        with self._as_is(), ExitStack() as stack:
            for tap in self._taps:
                reading = partial(tap.note, named, last, state, kernel, edit) if noting else partial(tap.carry, last, state)
                stack.enter_context(_exchanged(tap.module, reading))
            named["logits"] = self._logits(ids)
        return named, last

    def verify(self, text: str | bytes | Corpus, *, tolerance: float = 1e-4) -> dict[str, float]:
        """Hold what would be recorded against the module as it was given; the largest difference for each signal.

        Three ways to read the text: as it is recorded; through the readable equations; and by the module's own forward, its
        kernels and surroundings untouched, once over the whole text, and (where it reads from the left only) once symbol by
        symbol, which shows every state of every layer. Differences as in `Recurrent.verify`. Raises `VerificationError`.
        """
        corpus = text if isinstance(text, Corpus) else Corpus.from_text(text, vocabulary=self.vocabulary)
        worst = super().verify(corpus, tolerance=tolerance)
        for start, stop in corpus.spans():
            ids = torch.from_numpy(corpus.ids[start:stop].astype(np.int64))[:, None].to(self.device)
            recorded, _ = self.advance(ids, self.begin(1))
            with torch.no_grad(), self._as_is():
                alone: Named = {"logits": self._logits(ids)}
            self._compare(recorded, alone, worst, tolerance, "the module reads the text at once")
            if self.causal:
                self._compare(recorded, self._stepped(ids), worst, tolerance, "the module reads symbol by symbol")
        return worst

    def _stepped(self, ids: Tensor) -> Named:
        state, steps = self.begin(1), []
        for each in ids:
            named, state = self.advance(each[None], state, inside=False)
            steps.append({**{name: value[None] for name, value in state.items()}, **named})
        return {name: torch.cat([step[name] for step in steps]) for name in steps[0]}

    def _compare(self, recorded: Named, theirs: Named, worst: dict[str, float], tolerance: float, way: str) -> None:
        for name, value in theirs.items():
            ours = recorded[name]
            if name == "logits":  # log-probabilities are logits, too, up to a constant
                name, ours, value = "log_probs", ours.log_softmax(-1), value.log_softmax(-1)
            found = float(((ours - value).abs() / value.abs().clamp(min=1)).max())
            worst[name] = max(worst[name], found)
            if not found <= tolerance:
                raise VerificationError(
                    f"{self.name} can't be recorded: {name} differs by {found:.1e} from when {way}, more than the tolerance of "
                    f"{tolerance:.1e}; whatever is around its recurrence must treat every symbol alone"
                )

    def _logits(self, ids: Tensor) -> Tensor:
        """(time, batch, symbols), whichever way round the module has it."""
        time, batch = ids.shape
        found = self._call(self.module, ids.T if self._batch_first else ids)
        found = getattr(found, "logits", found[0] if isinstance(found, tuple | list) else found)
        symbols = len(self.vocabulary)
        shape = (batch, time, symbols) if self._batch_first else (time, batch, symbols)
        if not isinstance(found, Tensor) or tuple(found.shape) not in (shape, (time * batch, symbols)):
            given = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
            raise UsageError(
                f"{self.name} returned {given} for {batch} segments of {time} symbols; expected logits {shape}, the vocabulary's "
                f"{symbols} symbols last"
            )
        found = found.reshape(shape)
        return found.transpose(0, 1) if self._batch_first else found

    def _tried(self) -> bool:
        """Call it once, to see in which order the parts are called and which of its axes is time."""
        seen: list[tuple[_Tap, tuple[int, ...]]] = []

        def look(tap: _Tap, theirs: Any, x: Any, hx: Any = None) -> Any:
            if not isinstance(x, Tensor) or x.ndim != 3:
                given = f"of shape {tuple(x.shape)}" if isinstance(x, Tensor) else f"that is a {type(x).__name__}"
                raise UsageError(f"{tap.path} of {self.name} gets an input {given}; expected a tensor with three axes")
            seen.append((tap, tuple(x.shape)))
            return theirs(x, hx)

        ids = torch.zeros(_BATCH, _TIME, dtype=torch.int64, device=self.device)
        with torch.no_grad(), self._as_is(), ExitStack() as stack:
            for tap in self._taps:
                stack.enter_context(_exchanged(tap.module, partial(look, tap)))
            try:
                self._call(self.module, ids)
            except UsageError:
                raise
            except Exception as error:
                words = " ".join(str(error).split())
                raise UsageError(
                    f"{self.name} can't be called with symbol numbers alone ({type(error).__name__}: {words}); "
                    "give call=lambda module, ids: … that returns its logits"
                ) from error
        called = [tap for tap, _ in seen]
        for tap in self._taps:
            if called.count(tap) != 1:
                raise UsageError(
                    f"{tap.path} of {self.name} is called {called.count(tap)} times for a text; expected once, over all of it"
                )
        orders = set()
        for tap, (first, second, _) in seen:
            axes = (first, second) if tap.module.batch_first else (second, first)
            if sorted(axes) != [_BATCH, _TIME]:
                raise UsageError(
                    f"{tap.path} of {self.name} gets {axes[0]} segments of {axes[1]} symbols, where the module got {_BATCH} of "
                    f"{_TIME}; expected as many"
                )
            orders.add(axes == (_BATCH, _TIME))
        if len(orders) > 1:
            raise UsageError(f"the parts of {self.name} take turns in what they call time; check their batch_first")
        layer, sees = 0, False
        for tap in called:
            tap.first, tap.sees = layer, sees
            layer += tap.module.num_layers
            sees = sees or tap.module.bidirectional
        self._taps = called
        return orders.pop()

    @contextmanager
    def _as_is(self) -> Iterator[None]:
        """Dropout off and random states kept, and everything put back."""
        modes = [(part, part.training) for part in self.module.modules()]
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            try:
                for part, _ in modes:
                    part.training = False
                yield
            finally:
                for part, training in modes:
                    part.training = training


_KINDS: dict[type[nn.RNNBase], Cell] = {nn.LSTM: LSTM(), nn.GRU: GRU(), nn.RNN: RNN()}


def _found(module: nn.Module, name: str) -> list["_Tap"]:
    if isinstance(module, torch.jit.ScriptModule) or hasattr(module, "_orig_mod"):
        raise UsageError(f"{name} is compiled, its parts can't be reached; wrap the module that it was made from")
    taps = []
    for path, part in module.named_modules():
        if isinstance(part, nn.RNNBase):
            if type(part).forward not in [kind.forward for kind in _KINDS]:
                raise UsageError(
                    f"{path or name} is a {type(part).__name__} with a forward of its own; its equations are not known"
                )
            taps.append(_Tap(path or name, part))
        elif isinstance(part, nn.RNNCellBase):
            raise UsageError(
                f"{path or name} is a {type(part).__name__}, stepped by a loop of its own; expected nn.LSTM, nn.GRU or nn.RNN"
            )
    if not taps:
        raise UsageError(f"{name} has no nn.LSTM, nn.GRU or nn.RNN inside; expected at least one")
    return taps


class _Tap:
    """One of torch's recurrent modules, taken apart into layers.

    `first` is the number of its lowest layer; `sees` says that what it gets has seen the symbols to the right.
    """

    def __init__(self, path: str, module: nn.RNNBase) -> None:
        self.path, self.module, self.first, self.sees = path, module, 0, False
        kind = next(cell for base, cell in _KINDS.items() if isinstance(module, base))
        if module.proj_size:
            kind = ProjectedLSTM()
        if getattr(module, "nonlinearity", "tanh") == "relu":
            kind = ReluRNN()
        self.cell: Cell = kind
        self.directions = ("", ".reverse") if module.bidirectional else ("",)

    def place(self, k: int, direction: str) -> str:
        return f"layer{self.first + k}{direction}"

    def signals(self) -> list[Signal]:
        sizes = {"hidden": self.module.proj_size or self.module.hidden_size}
        return [
            replace(
                signal,
                name=f"{self.place(k, direction)}/{signal.kind}",
                size=sizes.get(signal.kind, signal.size),
                equation=signal.equation + (_FUTURE if direction or self.sees or (k and self.module.bidirectional) else ""),
            )
            for k in range(self.module.num_layers)
            for direction in self.directions
            for signal in cells.signals(self.cell, k, self.module.hidden_size)
        ]

    def weights(self, k: int, direction: str) -> Weights:
        ending = f"_l{k}{direction.replace('.', '_')}"
        w, u = getattr(self.module, f"weight_ih{ending}"), getattr(self.module, f"weight_hh{ending}")
        none = w.new_zeros(len(w))
        b, d = (getattr(self.module, f"{bias}{ending}") if self.module.bias else none for bias in ("bias_ih", "bias_hh"))
        return Weights(w, u, b, d, getattr(self.module, f"weight_hr{ending}") if self.module.proj_size else None)

    def start(self, x: Tensor, hx: Any, state: State) -> dict[str, Named]:
        """The state of every layer before a stretch: what the last one left, else what the module gives, else zeros."""
        places = [self.place(k, direction) for k in range(self.module.num_layers) for direction in self.directions]
        if f"{places[0]}/hidden" in state:
            return {place: {kind: state[f"{place}/{kind}"] for kind in self.cell.states} for place in places}
        if hx is None:
            sizes = {"hidden": self.module.proj_size or self.module.hidden_size, "cell": self.module.hidden_size}
            zero = {kind: x.new_zeros(x.shape[1], sizes[kind]) for kind in self.cell.states}
            return {place: dict(zero) for place in places}
        given = hx if isinstance(hx, tuple) else (hx,)
        return {place: {kind: given[n][k] for n, kind in enumerate(self.cell.states)} for k, place in enumerate(places)}

    def carry(self, last: State, state: State, theirs: Any, x: Tensor, hx: Any = None) -> Any:
        """The module's own forward, from the state that the last stretch left."""
        turned = x.transpose(0, 1) if self.module.batch_first else x
        first = list(self.start(turned, hx, state).values())
        whole = tuple(torch.stack([each[kind] for each in first]) for kind in self.cell.states)
        out, after = theirs(x, whole if len(whole) > 1 else whole[0])
        values = after if isinstance(after, tuple) else (after,)
        for k, place in enumerate(self.start(turned, hx, state)):
            last.update({f"{place}/{kind}": value[k] for kind, value in zip(self.cell.states, values, strict=True)})
        return out, after

    def note(
        self, named: Named, last: State, state: State, kernel: bool, edit: Edit | None, theirs: Any, x: Tensor, hx: Any = None
    ) -> Any:
        """The same layer by layer, every signal noted on the way and given to `edit` where it is computed."""
        x = x.transpose(0, 1) if self.module.batch_first else x
        first, after = self.start(x, hx, state), []
        for k in range(self.module.num_layers):
            sides = []
            for direction in self.directions:
                place = self.place(k, direction)
                turn: Any = partial(torch.flip, dims=(0,)) if direction else lambda value: value
                weights = self.weights(k, direction)
                found = _layer(self.cell, turn(x), first[place], weights, kernel, _placed(edit, place, len(x), bool(direction)))
                after.append({kind: found[kind][-1] for kind in self.cell.states})
                named.update({f"{place}/{kind}": turn(value) for kind, value in found.items()})
                last.update({f"{place}/{kind}": value for kind, value in after[-1].items()})
                sides.append(turn(found["hidden"]))
            x = torch.cat(sides, -1)
        ends = tuple(torch.stack([each[kind] for each in after]) for kind in self.cell.states)
        return x.transpose(0, 1) if self.module.batch_first else x, ends if len(ends) > 1 else ends[0]


def _layer(cell: Cell, x: Tensor, first: Named, weights: Weights, kernel: bool, edit: Edit | None) -> Named:
    if kernel and edit is None:
        hidden, _ = fused.hidden_states(cell, x, first, weights)
        return cells.replay(cell, fused.project(x, weights), {"hidden": hidden}, first, weights)
    return cells.unroll(cell, fused.project(x, weights), first, weights, edit)


def _placed(edit: Edit | None, place: str, time: int, reverse: bool) -> Edit | None:
    if edit is None:
        return None
    return lambda t, kind, value: edit(time - 1 - t if reverse else t, f"{place}/{kind}", value)


@contextmanager
def _exchanged(module: nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    """Another forward in place of the module's own, which it gets as its first argument; put back at the end."""
    own = vars(module).get("forward")
    theirs = module.forward
    module.forward = lambda input, hx=None: forward(theirs, input, hx)
    try:
        yield
    finally:
        if own is None:
            del module.forward
        else:
            module.forward = own
