"""Interventions: a model some of whose units are set, inside the recurrence, at every step.

A value is changed where it is computed, before anything is computed from it: a cell before the hidden state of the same
step, a gate before the state that it guards. So the change reaches every later step, in a text that is read and in one
that is written. (A hook on the output of `nn.LSTM` changes what the softmax sees, and nothing that the network remembers.)
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from rnnscope.corpora import Corpus
from rnnscope.exceptions import UsageError, expect, so_many
from rnnscope.files import fingerprint
from rnnscope.models.cells import Named
from rnnscope.models.edits import Edit, Holding, Put
from rnnscope.models.recurrent import Recurrent, State
from rnnscope.models.threads import computing
from rnnscope.predictions import is_prediction
from rnnscope.signal import Signal, select

KEPT = 65_536
"""Values of each unit that `resample` draws from, at the most: spread evenly over the text."""

Units = int | slice | Sequence[int] | None
"""Which units of a signal: one, several, a slice, or None for all."""


class Source(Protocol):
    """What `patch` takes its values from: a trace, or anything that gives an array (time, unit) for a signal's name."""

    def __getitem__(self, name: str) -> Any: ...


def ablate(
    model: Recurrent,
    units: Mapping[str, Units],
    to: str | float = "zero",
    *,
    where: ArrayLike | None = None,
    over: Corpus | None = None,
    seed: int = 0,
) -> "Intervened":
    """The model with units taken out: at every step they are set to a value that knows nothing of the text.

    `units` maps a signal (or a pattern, `layer*/cell`) to units, `{"layer1/cell": [7]}`. `to` is a number, `zero`, `mean` (each
    unit's over a text) or `resample` (their values at one random place of a text, another at each step; `seed`). The text is
    `over`, or where none is given the one that is read. `where`, of shape (symbols,), is true where units are set; it
    belongs to the text that is read or written, from the first symbol of the prompt on, and a text that is written may grow beyond
    it. The model itself stays as it is; the result is a language model like any other.

    Raises `UnknownNameError` for a signal and `UsageError` for a unit that the model lacks, or a `where` of another length.

    >>> from rnnscope.models import Architecture, RecurrentLM
    >>> from rnnscope.corpora import Vocabulary
    >>> model = RecurrentLM(Architecture("lstm", 2, 8), Vocabulary.of("abc"))
    >>> ablate(model, {"layer1/cell": [7]}).name
    'LSTM 2×8, layer1/cell 7 to zero'
    """
    expect(model, Recurrent, "a recurrent model; rs.load(path) loads a run's")
    chosen = _chosen(model, units)
    if isinstance(to, str) and to in ("mean", "resample"):
        if over is not None:
            expect(over, Corpus, "the corpus to take values from, over=corpus")
        values: _Values = (_Mean if to == "mean" else _Resampled)(model, chosen, over, seed)
    elif to == "zero" or (isinstance(to, int | float) and not isinstance(to, bool) and np.isfinite(to)):
        values = _Constant(0.0 if to == "zero" else float(to))
    else:
        raise UsageError(f"units are set to 'zero', 'mean', 'resample' or a number, not {to!r}")
    return Intervened(model, chosen, values, _mask(where), f"to {to}")


def patch(model: Recurrent, units: Mapping[str, Units], source: Source, *, where: ArrayLike | None = None) -> "Intervened":
    """The model with units set to what they were in another recording, position by position.

    `source` is a trace with these signals (or a dict of arrays (time, unit)), as long as the text that is read; of another model
    or another text. While a text is written, its first symbols are set, as far as the recording goes. `units` and `where` are as in
    `ablate`. Raises `UsageError` where shapes don't fit.
    """
    expect(model, Recurrent, "a recurrent model; rs.load(path) loads a run's")
    chosen = _chosen(model, units)
    for signal, which in chosen.values():
        try:
            shape = tuple(np.shape(source[signal.name]))
        except (KeyError, TypeError, IndexError):
            raise UsageError(
                f"{source!r:.80} has no {signal.name}; expected a trace that has it (rs.open_trace opens one), or a dict of arrays"
            ) from None
        if len(shape) != 2 or shape[1] <= which.max():
            raise UsageError(f"{signal.name} of the source has shape {shape}; expected (time, unit) with unit {which.max()} in it")
    return Intervened(model, chosen, _Patched(source), _mask(where), "patched")


_Chosen = dict[str, tuple[Signal, NDArray[np.int64]]]


def _chosen(model: Recurrent, units: Mapping[str, Units]) -> _Chosen:
    expect(units, Mapping, 'a dict of signals and units, {"layer1/cell": [7]}')
    if not units:
        raise UsageError('no unit is named; expected a dict of signals and units, {"layer1/cell": [7]}')
    inner = [signal for signal in model.signals if not is_prediction(signal.name)]
    chosen: _Chosen = {}
    for pattern, which in units.items():
        for signal in select(inner, pattern):
            numbers = np.arange(signal.size)[which] if which is None or isinstance(which, slice) else _numbers(which, signal)
            if not len(numbers):
                raise UsageError(f"no unit of {signal.name} is in {which!r}; it has {signal.size}, counted from 0")
            if signal.name in chosen:
                numbers = np.union1d(chosen[signal.name][1], numbers)
            chosen[signal.name] = signal, np.unique(numbers.ravel())
    return chosen


def _numbers(which: Any, signal: Signal) -> NDArray[np.int64]:
    numbers = np.atleast_1d(np.asarray(which))
    if numbers.dtype.kind not in "iu" or numbers.ndim != 1 or not len(numbers):
        raise UsageError(f"the units of {signal.name} are {which!r}; expected a number, numbers, a slice, or None for all")
    outside = numbers[(numbers < 0) | (numbers >= signal.size)]
    if len(outside):
        raise UsageError(f"{signal.name} has no unit {outside[0]}; it has {signal.size}, counted from 0")
    return numbers.astype(np.int64)


def _mask(where: ArrayLike | None) -> NDArray[np.bool_] | None:
    if where is None:
        return None
    mask = np.asarray(where)
    if mask.dtype != bool or mask.ndim != 1:
        raise UsageError(f"where is an array of {mask.dtype}, shape {mask.shape}; expected a bool for each symbol of the text")
    return mask


class Intervened(Recurrent):
    """A recurrent model with some units set. Another intervention on top acts after this one."""

    def __init__(self, model: Recurrent, chosen: _Chosen, values: "_Values", where: NDArray[np.bool_] | None, words: str) -> None:
        self.model, self.chosen, self.values, self.where = model, chosen, values, where
        self.vocabulary = model.vocabulary
        self.causal = model.causal
        self.units = {name: which.tolist() for name, (_, which) in chosen.items()}
        listed = ", ".join(f"{name} {_listed(which)}" for name, (_, which) in chosen.items())
        self.name = f"{model.name}, {listed} {words}{'' if where is None else ' in places'}"

    @property
    def signals(self) -> list[Signal]:
        return self.model.signals

    @property
    def fingerprint(self) -> str:
        where = [] if self.where is None else [np.packbits(self.where).data.cast("B"), len(self.where)]
        return fingerprint("intervention", self.model.fingerprint, self.units, *self.values.identity(self.chosen), *where)

    @property
    def device(self) -> torch.device:
        return self.model.device

    def begin(self, batch: int) -> State:
        return self.model.begin(batch)

    def advance(
        self, ids: Tensor, state: State, *, inside: bool = True, kernel: bool = True, edit: Edit | None = None
    ) -> tuple[Named, State]:
        return self.model.advance(ids, state, inside=inside, kernel=kernel, edit=edit)

    def strengthened(self, ids: Tensor, state: State, strength: Tensor, *, edit: Edit | None = None) -> Named:
        return self.model.strengthened(ids, state, strength, edit=edit)

    def edits(self, corpus: Corpus | None, positions: NDArray[np.int64]) -> Edit:
        places = self._places(corpus, positions)
        there = None if places is None else torch.from_numpy(places).to(self.device)
        put = {
            name: Put(torch.from_numpy(which).to(self.device), self.values.at(signal, which, corpus, positions).to(self.device))
            for name, (signal, which) in self.chosen.items()
        }
        return Holding(put, there, self.model.edits(corpus, positions))

    def _places(self, corpus: Corpus | None, positions: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """Which of the positions are set; None for all."""
        if corpus is not None and self.where is not None and len(self.where) != len(corpus):
            places, symbols = so_many(len(self.where), "places"), so_many(len(corpus), "symbols")
            raise UsageError(f"where has {places}, {corpus!r} has {symbols}; expected as many")
        where = self.where
        if corpus is None:  # a text that is being written may grow beyond what is known of it
            reach = self.values.reach(self.chosen)
            where = where if reach is None else np.ones(reach, np.bool_) if where is None else where[:reach]
        if where is None:
            return None
        known = (positions >= 0) & (positions < len(where))
        found: NDArray[np.bool_] = known & where[np.where(known, positions, 0)]
        return found

    @property
    def precision(self) -> torch.dtype:
        return self.model.precision

    def verify(self, text: str | bytes | Corpus, *, tolerance: float | None = None) -> dict[str, float]:
        """Of the model below: what is held here may belong to places of a longer text."""
        return self.model.verify(text, tolerance=tolerance)


def _listed(which: NDArray[np.int64]) -> str:
    return "+".join(map(str, which)) if len(which) <= 4 else f"({len(which)} units)"


class _Values(ABC):
    """What units are set to."""

    @abstractmethod
    def at(self, signal: Signal, which: NDArray[np.int64], corpus: Corpus | None, positions: NDArray[np.int64]) -> Tensor:
        """For positions (time, batch): (time, batch, units), or what broadcasts to (batch, units) at each step."""

    @abstractmethod
    def identity(self, chosen: _Chosen) -> list[Any]:
        """What a fingerprint is made of."""

    def reach(self, chosen: _Chosen) -> int | None:
        """For how many positions there are values; None where there are for all."""
        return None


@dataclass
class _Constant(_Values):
    value: float

    def at(self, signal: Signal, which: NDArray[np.int64], corpus: Corpus | None, positions: NDArray[np.int64]) -> Tensor:
        return torch.full((len(which),), self.value)

    def identity(self, chosen: _Chosen) -> list[Any]:
        return ["constant", self.value]


@dataclass
class _FromText(_Values):
    """Values that the units have when the model, as it is, reads a text."""

    model: Recurrent
    chosen: _Chosen
    over: Corpus | None
    seed: int
    known: dict[str, dict[str, NDArray[Any]]] = field(default_factory=dict)

    def found(self, corpus: Corpus | None) -> dict[str, NDArray[Any]]:
        text = self.over or corpus
        if text is None:
            raise UsageError("a text that is being written has no mean or other values to draw from; name a text, over=corpus")
        known = text.fingerprint + self.model.fingerprint
        if known not in self.known:
            with computing():
                self.known[known] = self.gathered(text)
        return self.known[known]

    @abstractmethod
    def gathered(self, text: Corpus) -> dict[str, NDArray[Any]]: ...

    def identity(self, chosen: _Chosen) -> list[Any]:
        return [type(self).__name__, self.seed, self.over.fingerprint if self.over else "the text that is read"]


class _Mean(_FromText):
    def gathered(self, text: Corpus) -> dict[str, NDArray[Any]]:
        sums: dict[str, Any] = dict.fromkeys(self.chosen, 0.0)
        for block in self.model.read(text, list(self.chosen)):
            for name, (_, which) in self.chosen.items():
                sums[name] = sums[name] + block.arrays[name][:, which].sum(0, dtype=np.float64)
        return {name: (total / len(text)).astype(np.float32) for name, total in sums.items()}

    def at(self, signal: Signal, which: NDArray[np.int64], corpus: Corpus | None, positions: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(self.found(corpus)[signal.name])


class _Resampled(_FromText):
    def gathered(self, text: Corpus) -> dict[str, NDArray[Any]]:
        rows = np.unique(np.linspace(0, len(text) - 1, min(len(text), KEPT)).astype(np.int64))
        kept = {name: np.empty((len(rows), len(which)), np.float32) for name, (_, which) in self.chosen.items()}
        for block in self.model.read(text, list(self.chosen)):
            first, last = np.searchsorted(rows, [block.start, block.stop])
            for name, (_, which) in self.chosen.items():
                kept[name][first:last] = block.arrays[name][rows[first:last] - block.start][:, which]
        return kept

    def at(self, signal: Signal, which: NDArray[np.int64], corpus: Corpus | None, positions: NDArray[np.int64]) -> Tensor:
        values = self.found(corpus)[signal.name]
        return torch.from_numpy(values[_drawn(self.seed, positions, len(values))])


def _drawn(seed: int, positions: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """A random number below n for each position, the same whenever that position is asked for (splitmix64)."""
    z = (positions.astype(np.uint64) + np.uint64(1) + (np.uint64(seed) << np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) % np.uint64(n)).astype(np.int64)


@dataclass
class _Patched(_Values):
    source: Source

    def at(self, signal: Signal, which: NDArray[np.int64], corpus: Corpus | None, positions: NDArray[np.int64]) -> Tensor:
        array = self.source[signal.name]
        if corpus is not None and len(array) != len(corpus):
            raise UsageError(f"the source has {so_many(len(array), 'symbols')}, {corpus!r} has {len(corpus):,}; expected as many")
        values = np.zeros((*positions.shape, len(which)), np.float32)
        there = (positions >= 0) & (positions < len(array))
        values[there] = np.asarray(array[positions[there]])[:, which]
        return torch.from_numpy(values)

    def identity(self, chosen: _Chosen) -> list[Any]:
        known = getattr(self.source, "fingerprint", None)  # of a trace, which needn't be read for it
        if known is not None:
            return ["patch", known]
        taken = (np.ascontiguousarray(self.source[name][:][:, which]) for name, (_, which) in chosen.items())
        return ["patch", *(values.data.cast("B") for values in taken)]

    def reach(self, chosen: _Chosen) -> int | None:
        return min(len(self.source[name]) for name in chosen)
