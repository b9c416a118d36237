"""Taps: the recurrent parts of somebody's torch module, read from while the module runs.

A tap exchanges the forward of one part, for as long as a stretch of text is read, for one that begins with the state
that the last stretch left and, where signals are wanted, computes by the equations in `cells` instead of torch's kernel.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from rnnscope.exceptions import UsageError, so_many
from rnnscope.models import cells, fused
from rnnscope.models.cells import GRU, LSTM, RNN, Cell, Named, ProjectedLSTM, ReluRNN, Weights, unchanged
from rnnscope.models.edits import Edit, at_place
from rnnscope.models.recurrences.base import Recurrence, matches
from rnnscope.models.recurrent import State
from rnnscope.predictions import is_prediction
from rnnscope.registry import plugins
from rnnscope.signal import Signal

FUTURE = "; sees the symbols to the right"
_PARTS = "nn.LSTM, nn.GRU, nn.RNN or one of their cells"
_RECURRENT = re.compile(r"LSTM|GRU|RNN")
_STACKS: dict[type[nn.RNNBase], Cell] = {nn.LSTM: LSTM(), nn.GRU: GRU(), nn.RNN: RNN()}
_CELLS: dict[type[nn.RNNCellBase], Cell] = {nn.LSTMCell: LSTM(), nn.GRUCell: GRU(), nn.RNNCell: RNN()}


@dataclass
class Reading:
    """One stretch of `time` symbols: the state before it, whether signals are wanted and how; `named` and `last` are filled.

    With a `strength`, (time, batch), symbols enter multiplied by it; see `Recurrent.strengthened`.
    """

    time: int
    state: State
    noting: bool
    kernel: bool
    edit: Edit | None
    named: Named = field(default_factory=dict)
    last: State = field(default_factory=dict)
    strength: Tensor | None = None
    entrance: "Tap | None" = None

    def entering(self, tap: "Tap", x: Tensor, step: int | None = None) -> Tensor:
        """What a part gets, (time, batch, inputs), or (batch, inputs) at a step of its own loop, as strong as it should be.

        Symbols enter with the input of the part that is called first, and with any other that rests on none of what is multiplied
        already. What an embedding looked up is multiplied where it goes past the first part (see `Wrapped`), not twice.
        """
        if self.strength is None:
            return x
        self.entrance = self.entrance or tap
        if self.entrance is tap:
            if step == 1 and x.requires_grad:
                [earlier] = torch.autograd.grad(x.sum(), self.strength, retain_graph=True, allow_unused=True)
                if earlier is not None and earlier[0].any():
                    raise UsageError(
                        f"{tap.path} gets what was computed at the symbol before along with the symbol, whose own input can't be "
                        "told apart; expected a part that gets the symbol alone"
                    )
            x = x.detach()
        elif x.requires_grad:
            return x
        return x * (self.strength if step is None else self.strength[step])[..., None]


class Tap(ABC):
    """One recurrent part. `first` is the number of its lowest layer; `sees`: what it gets has seen the symbols to the right."""

    module: nn.Module
    layers: int = 1
    """How many numbers it takes, and of what."""
    numbered: str = "layer"
    bidirectional: bool = False

    def __init__(self, path: str) -> None:
        self.path, self.first, self.sees = path, 0, False

    @abstractmethod
    def signals(self) -> list[Signal]: ...

    @abstractmethod
    def axes(self, inputs: list[Any], name: str) -> tuple[int, int]:
        """How many segments of how many symbols it read, by the inputs of its calls; `UsageError` if it can't be tapped."""

    @abstractmethod
    def tapped(self, reading: Reading) -> Any:
        """A context in which the part reads as `reading` says."""


def taps_in(module: nn.Module, name: str, recurrences: Sequence[type[Recurrence]] = ()) -> list[Tap]:
    """A tap for every recurrent part of a module. Raises `UsageError` for one whose equations are not known, and for none."""
    known = [*recurrences, *plugins("rnnscope.recurrences").values()]
    if isinstance(module, torch.jit.ScriptModule) or hasattr(module, "_orig_mod"):
        raise UsageError(f"{name} is compiled, its parts can't be reached; wrap the module that it was made from")
    taps: list[Tap] = []
    within: tuple[str, ...] = ()  # of known recurrences, whose own parts aren't called while they are tapped
    for path, part in module.named_modules():
        if path.startswith(within):
            continue
        kind = next((kind for kind in known if matches(kind, part)), None)
        if kind is not None:
            taps.append(StepTap(path or name, kind(part)))
            within += (f"{path}." if path else "",)
            continue
        compiled, quantised = isinstance(part, torch.jit.ScriptModule), type(part).__module__.startswith("torch.ao.nn.quantized")
        if (compiled or quantised) and _RECURRENT.search(getattr(part, "original_name", type(part).__name__)):
            kind = "compiled" if compiled else "quantised"
            raise UsageError(f"{path} of {name} is {kind}, its gates can't be reached; wrap the module that it was made from")
        if not isinstance(part, nn.RNNBase | nn.RNNCellBase):
            continue
        if type(part).forward not in [kind.forward for kind in (*_STACKS, *_CELLS)]:
            raise UsageError(f"{path or name} is a {type(part).__name__} with a forward of its own; its equations are not known")
        taps.append(StackTap(path or name, part) if isinstance(part, nn.RNNBase) else CellTap(path or name, part))
    if not taps:
        raise UsageError(f"{name} has no {_PARTS} inside, and no other known recurrence; recurrences=[…] makes one known")
    return taps


class StretchTap(Tap):
    """A part that is called once for the whole stretch, with a tensor (batch, time, inputs) or (time, batch, inputs)."""

    @property
    @abstractmethod
    def batch_first(self) -> bool: ...

    @abstractmethod
    def read(self, reading: Reading, lengths: list[int], theirs: Any, *given: Any, **named: Any) -> Any:
        """The forward in place of `theirs`, the module's own; how many symbols it got goes into `lengths`."""

    def axes(self, inputs: list[Any], name: str) -> tuple[int, int]:
        if len(inputs) != 1:
            raise UsageError(f"{self.path} of {name} is called {len(inputs)} times for a text; expected once, over all of it")
        [x] = inputs
        if not isinstance(x, Tensor) or x.ndim != 3:
            raise UsageError(f"{self.path} of {name} gets {_shown(x)}; expected a tensor with three axes")
        return (x.shape[0], x.shape[1]) if self.batch_first else (x.shape[1], x.shape[0])

    @contextmanager
    def tapped(self, reading: Reading) -> Iterator[None]:
        lengths: list[int] = []
        with exchanged(self.module, partial(self.read, reading, lengths)):
            yield
        if lengths != [reading.time]:
            raise UsageError(f"{self.path} read {lengths} symbols in its calls for {reading.time}; expected one call for all")


class StackTap(StretchTap):
    """`nn.LSTM`, `nn.GRU` or `nn.RNN`: layers, each of one direction or two, called once for the whole stretch."""

    module: nn.RNNBase
    cell: Cell

    def __init__(self, path: str, module: nn.RNNBase) -> None:
        super().__init__(path)
        self.module = module
        self.layers, self.bidirectional = module.num_layers, module.bidirectional
        self.cell = next(cell for kind, cell in _STACKS.items() if isinstance(module, kind))
        if module.proj_size:
            self.cell = ProjectedLSTM()
        if _rectified(module):
            self.cell = ReluRNN()
        self.sizes = {"hidden": module.proj_size or module.hidden_size, "cell": module.hidden_size}
        self.directions = ("", ".reverse") if module.bidirectional else ("",)

    def place(self, k: int, direction: str) -> str:
        return f"layer{self.first + k}{direction}"

    def signals(self) -> list[Signal]:
        return [
            replace(
                signal,
                name=f"{self.place(k, direction)}/{signal.kind}",
                size=self.sizes.get(signal.kind, signal.size),
                equation=signal.equation + (FUTURE if direction or self.sees or (k and self.bidirectional) else ""),
            )
            for k in range(self.layers)
            for direction in self.directions
            for signal in cells.signals(self.cell, k, self.module.hidden_size)
        ]

    @property
    def batch_first(self) -> bool:
        return self.module.batch_first

    def weights(self, k: int, direction: str) -> Weights:
        ending = f"_l{k}{direction.replace('.', '_')}"
        projection = getattr(self.module, f"weight_hr{ending}") if self.module.proj_size else None
        return _weights(self.module, ending, projection)

    def start(self, x: Tensor, hx: Any, state: State) -> dict[str, Named]:
        """The state of every layer before a stretch: what the last one left, else what the module gives, else zeros."""
        places = [self.place(k, direction) for k in range(self.layers) for direction in self.directions]
        if f"{places[0]}/hidden" in state:
            return {place: {kind: state[f"{place}/{kind}"] for kind in self.cell.states} for place in places}
        if hx is None:
            zero = {kind: x.new_zeros(x.shape[1], self.sizes[kind]) for kind in self.cell.states}
            return {place: dict(zero) for place in places}
        given = hx if isinstance(hx, tuple) else (hx,)
        return {place: {kind: given[n][k] for n, kind in enumerate(self.cell.states)} for k, place in enumerate(places)}

    def read(self, reading: Reading, lengths: list[int], theirs: Any, input: Tensor, hx: Any = None) -> Any:
        lengths.append(input.shape[1 if self.batch_first else 0])
        return (self.note if reading.noting else self.carry)(reading, theirs, input, hx)

    def carry(self, reading: Reading, theirs: Any, x: Tensor, hx: Any = None) -> Any:
        """The module's own forward, from the state that the last stretch left."""
        first = self.start(x.transpose(0, 1) if self.batch_first else x, hx, reading.state)
        whole = tuple(torch.stack([each[kind] for each in first.values()]) for kind in self.cell.states)
        out, after = theirs(x, whole if len(whole) > 1 else whole[0])
        values = after if isinstance(after, tuple) else (after,)
        for k, place in enumerate(first):
            reading.last.update({f"{place}/{kind}": value[k] for kind, value in zip(self.cell.states, values, strict=True)})
        return out, after

    def note(self, reading: Reading, theirs: Any, x: Tensor, hx: Any = None) -> Any:
        """The same layer by layer, every signal noted on the way."""
        x = reading.entering(self, x.transpose(0, 1) if self.batch_first else x)
        first, after = self.start(x, hx, reading.state), []
        for k in range(self.layers):
            sides = []
            for direction in self.directions:
                place = self.place(k, direction)
                turn: Any = partial(torch.flip, dims=(0,)) if direction else lambda value: value
                edit = at_place(reading.edit, place, len(x) - 1 if direction else None)
                weights = self.weights(k, direction)
                found = fused.every_signal(self.cell, turn(x), first[place], weights, kernel=reading.kernel, edit=edit)
                after.append({kind: found[kind][-1] for kind in self.cell.states})
                reading.named.update({f"{place}/{kind}": turn(value) for kind, value in found.items()})
                reading.last.update({f"{place}/{kind}": value for kind, value in after[-1].items()})
                sides.append(turn(found["hidden"]))
            x = torch.cat(sides, -1)
        ends = tuple(torch.stack([each[kind] for each in after]) for kind in self.cell.states)
        return x.transpose(0, 1) if self.batch_first else x, ends if len(ends) > 1 else ends[0]


class CellTap(Tap):
    """`nn.LSTMCell`, `nn.GRUCell` or `nn.RNNCell`: one layer, called once for every symbol by the module's own loop."""

    module: nn.RNNCellBase
    cell: Cell

    def __init__(self, path: str, module: nn.RNNCellBase) -> None:
        super().__init__(path)
        self.module = module
        self.cell = next(cell for kind, cell in _CELLS.items() if isinstance(module, kind))
        if _rectified(module):
            self.cell = ReluRNN()

    def signals(self) -> list[Signal]:
        found = cells.signals(self.cell, self.first, self.module.hidden_size)
        return [replace(signal, equation=signal.equation + FUTURE) if self.sees else signal for signal in found]

    def axes(self, inputs: list[Any], name: str) -> tuple[int, int]:
        for x in inputs:
            if not isinstance(x, Tensor) or x.ndim != 2:
                raise UsageError(f"{self.path} of {name} gets {_shown(x)}; expected a tensor with two axes")
        return len(inputs[0]), len(inputs)

    @contextmanager
    def tapped(self, reading: Reading) -> Iterator[None]:
        steps: list[Named] = []
        with exchanged(self.module, partial(self.step, reading, steps)):
            yield
        if len(steps) != reading.time:
            symbols = so_many(reading.time, "symbols")
            raise UsageError(f"{self.path} was called {len(steps)} times for {symbols}; expected once for each")
        place = f"layer{self.first}"
        reading.last.update({f"{place}/{kind}": steps[-1][kind] for kind in self.cell.states})
        if reading.noting:
            reading.named.update({f"{place}/{kind}": torch.stack([each[kind] for each in steps]) for kind in steps[0]})

    def step(self, reading: Reading, steps: list[Named], theirs: Any, input: Tensor, hx: Any = None) -> Any:
        """One call. The loop's own state counts, but at the first symbol of a stretch, where it can't know the last one's."""
        x = reading.entering(self, input, len(steps))
        place, kinds = f"layer{self.first}", self.cell.states
        if not steps and f"{place}/hidden" in reading.state:
            state = {kind: reading.state[f"{place}/{kind}"] for kind in kinds}
        elif hx is None:
            state = {kind: x.new_zeros(len(x), self.module.hidden_size) for kind in kinds}
        else:
            state = dict(zip(kinds, hx if isinstance(hx, tuple) else (hx,), strict=True))
        if reading.noting:
            weights = _weights(self.module, "", None)
            edit = at_place(reading.edit, place)
            named = cells.step(
                self.cell, fused.project(x, weights), state, weights, partial(edit, len(steps)) if edit else unchanged
            )
        else:
            values = tuple(state[kind] for kind in kinds)
            after = theirs(x, values if len(values) > 1 else values[0])
            named = dict(zip(kinds, after if isinstance(after, tuple) else (after,), strict=True))
        steps.append(named)
        ends = tuple(named[kind] for kind in kinds)
        return ends if len(ends) > 1 else ends[0]


class StepTap(StretchTap):
    """Another recurrence, called once for the whole stretch and stepped through by its `Recurrence`."""

    def __init__(self, path: str, recurrence: Recurrence) -> None:
        super().__init__(path)
        self.recurrence, self.module = recurrence, recurrence.part
        self.numbered = recurrence.place
        for signal in recurrence.signals():
            if "/" in signal.name or is_prediction(signal.name):
                kind = type(recurrence).__name__
                raise UsageError(f"{kind} calls a signal {signal.name!r}; expected a word of its own, without a slash")

    def signals(self) -> list[Signal]:
        future = FUTURE if self.sees else ""
        return [
            replace(signal, name=f"{self.place}/{signal.name}", equation=signal.equation + future)
            for signal in self.recurrence.signals()
        ]

    @property
    def place(self) -> str:
        return f"{self.numbered}{self.first}"

    @property
    def batch_first(self) -> bool:
        return self.recurrence.batch_first

    def read(self, reading: Reading, lengths: list[int], theirs: Any, *given: Any, **named: Any) -> Any:
        """What the module passes beside the input, its own caches among it, is not for a stretch whose state is carried here."""
        x = next(iter((*given, *named.values())))
        x = reading.entering(self, x.transpose(0, 1) if self.batch_first else x)
        lengths.append(len(x))
        edit, notes, outs = at_place(reading.edit, self.place), [], []
        carried = {name.rpartition("/")[2]: value for name, value in reading.state.items() if name.startswith(f"{self.place}/")}
        state = carried or self._begun(x[0])
        for t, each in enumerate(x):
            noted: Named = {}
            out, state = self.recurrence.step(each, state, partial(_note, noted, partial(edit, t) if edit else unchanged))
            if t == 0:
                self._check(noted, state)
            notes.append(noted)
            outs.append(out)
        reading.last.update({f"{self.place}/{kind}": value for kind, value in state.items()})
        for kind in notes[0]:
            reading.named[f"{self.place}/{kind}"] = torch.stack([noted[kind] for noted in notes])
        out = torch.stack(outs, 1 if self.batch_first else 0)
        return self.recurrence.returned(out, state, given, named)

    def alone(self, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What the part would return for these arguments, stepped from its first state."""
        return self.read(Reading(0, {}, True, True, None), [], None, *given, **named)

    def _begun(self, x: Tensor) -> Named:
        state, kind = self.recurrence.begin(x), type(self.recurrence).__name__
        missing = [signal.name for signal in self.recurrence.signals() if signal.state and signal.name not in state]
        if missing:
            raise UsageError(f"{kind} declares the state {missing[0]} and begins with {sorted(state)}; expected it among them")
        return state

    def _check(self, noted: Named, state: Named) -> None:
        """Hold what a step noted and returned against what is declared."""
        kind = type(self.recurrence).__name__
        declared = {signal.name: signal for signal in self.recurrence.signals()}
        if noted.keys() != declared.keys():
            raise UsageError(f"{kind} declares the signals {sorted(declared)} and notes {sorted(noted)}; expected the same ones")
        for name, value in noted.items():
            if value.ndim != 2 or value.shape[1] != declared[name].size:
                shape = f"(batch, {declared[name].size})"
                raise UsageError(f"{kind} notes {name} of shape {tuple(value.shape)} and declares it as {shape}; expected the same")
        missing = [name for name, signal in declared.items() if signal.state and name not in state]
        if missing:
            raise UsageError(f"{kind} declares the state {missing[0]} and its step returns {sorted(state)}; expected it among them")


def _note(noted: Named, edit: Callable[[str, Tensor], Tensor], kind: str, value: Tensor) -> Tensor:
    noted[kind] = edit(kind, value)
    return noted[kind]


def _rectified(module: nn.Module) -> bool:
    return getattr(module, "nonlinearity", "tanh") == "relu"


def _weights(module: nn.Module, ending: str, projection: Tensor | None) -> Weights:
    w, u = getattr(module, f"weight_ih{ending}"), getattr(module, f"weight_hh{ending}")
    none = w.new_zeros(len(w))
    b, d = (getattr(module, f"{bias}{ending}") if module.bias else none for bias in ("bias_ih", "bias_hh"))
    return Weights(w, u, b, d, projection)


def _shown(x: Any) -> str:
    return f"an input of shape {tuple(x.shape)}" if isinstance(x, Tensor) else f"an input that is a {type(x).__name__}"


@contextmanager
def exchanged(module: nn.Module, forward: Callable[..., Any]) -> Iterator[None]:
    """Another forward in place of the module's own, which it gets as its first argument; put back at the end."""
    own = vars(module).get("forward")
    theirs = module.forward
    module.forward = partial(forward, theirs)
    try:
        yield
    finally:
        if own is None:
            del module.forward
        else:
            module.forward = own
