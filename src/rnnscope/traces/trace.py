"""`Trace`: opening and reading what was recorded."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from os import PathLike
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Protocol, runtime_checkable

import numpy as np
import zarr
from numpy.typing import NDArray

from rnnscope.corpora import Corpus, Vocabulary
from rnnscope.exceptions import FormatError, UnknownNameError, UsageError, expect
from rnnscope.files import is_unfinished
from rnnscope.registry import plugins
from rnnscope.signal import Signal, select
from rnnscope.traces.layout import FORMAT, MARKER, TIME_CHUNK, UNIT_CHUNK, state_variable, variable


class Values(ABC):
    """One signal over a text, (time, unit) or (time,): array-like, indexed as numpy indexes, fetched where it is indexed."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    @abstractmethod
    def rows(self, positions: NDArray[np.int64], units: tuple[Any, ...] = ()) -> NDArray[Any]:
        """The values at positions (n,): (n, …), of `units`, a number or a slice where there is one."""

    def __getitem__(self, where: Any) -> NDArray[Any]:
        """Raises `FormatError` for a damaged chunk."""
        first, *rest = where if isinstance(where, tuple) and where else (where,)
        if not (_plain(first) and len(rest) < self.ndim and all(isinstance(k, slice) or _number(k) for k in rest)):
            everything = self.rows(np.arange(len(self)))
            return np.asarray(everything[where])  # whatever else numpy can do
        positions = np.arange(len(self))[first]
        found = self.rows(np.atleast_1d(positions), tuple(rest))
        return found if positions.ndim else np.asarray(found[0])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype, copy=False) if dtype is not None else self[:]


def _number(key: Any) -> bool:
    return isinstance(key, int | np.integer) and not isinstance(key, bool)


def _plain(key: Any) -> bool:
    """Whether it says which positions: a number, a slice, numbers in a row, or a mask."""
    return isinstance(key, slice) or _number(key) or (isinstance(key, list | np.ndarray) and np.ndim(key) == 1)


class Recorded(Values):
    """A signal that was kept: read from disk, in the precision it is kept in."""

    def __init__(self, array: zarr.Array[Any], path: Path) -> None:
        self._array, self._path = array, path
        self.shape, self.dtype = array.shape, array.dtype

    def __repr__(self) -> str:
        return f"<Recorded {self._path.name}: {self.shape}, {self.dtype}>"

    def rows(self, positions: NDArray[np.int64], units: tuple[Any, ...] = ()) -> NDArray[Any]:
        if not len(positions):
            return np.empty((0, *self.shape[1:]), self.dtype)[(slice(None), *units)]
        first, stop = int(positions[0]), int(positions[-1]) + 1
        stretch = stop - first == len(positions) and bool((np.diff(positions) == 1).all())
        near = all(isinstance(k, slice) and k.step in (None, 1) for k in units)  # what Zarr takes as it is
        try:
            if not stretch:
                return np.asarray(self._array[positions])[(slice(None), *units)]
            part = np.asarray(self._array[(slice(first, stop), *(units if near else ()))])
        except (ValueError, OSError) as error:
            raise FormatError(f"{self._path} is damaged ({error}); record the trace anew") from error
        return part if near else part[(slice(None), *units)]


class Computed(Values):
    """A signal that was not kept: computed again from the states that were."""

    def __init__(self, source: "Source", signal: Signal, length: int) -> None:
        self._source, self._signal = source, signal
        self.shape = (length, signal.size) if signal.size else (length,)
        self.dtype = np.dtype(np.int32 if signal.integer else np.float32)

    def __repr__(self) -> str:
        return f"<Computed {self._signal.name}: {self.shape}, {self.dtype}>"

    def rows(self, positions: NDArray[np.int64], units: tuple[Any, ...] = ()) -> NDArray[Any]:
        return self._source.windows([self._signal.name], positions)[self._signal.name][(slice(None), *units)]


class Source(Protocol):
    """What computes again what a trace didn't keep; see `models.recomputation`."""

    def find(self, patterns: str | Iterable[str]) -> list[Signal]: ...

    def windows(self, names: Sequence[str], positions: NDArray[np.int64]) -> dict[str, NDArray[Any]]: ...

    def blocks(self, names: Sequence[str]) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]: ...


@runtime_checkable
class Recomputable(Protocol):
    """What gives one: a recurrent model, or an n-gram."""

    name: str

    @property
    def fingerprint(self) -> str: ...

    def recomputation(
        self,
        corpus: Corpus,
        streams: int,
        states: Callable[[NDArray[np.int64]], dict[str, NDArray[Any]]],
        dtypes: Mapping[str, str],
    ) -> Source: ...


TRACE = "a trace; rs.record makes one, rs.open_trace(path) opens it again"
"""What is expected where something else was given."""


class Trace:
    """The signals of one model on one text.

    `trace["layer1/forget"]` is array-like, shape (time, unit), and lazy: read from disk if it was kept, otherwise computed
    again where the model is at hand. `kept` are the signals on disk. `trace.corpus` is the text.
    """

    def __init__(self, path: Path, group: zarr.Group, attributes: dict[str, Any]) -> None:
        self.path = path
        self.model: dict[str, Any] = attributes["model"]
        self.kept = [Signal.from_json(s) for s in attributes["signals"]]
        self.rounding: dict[str, float] = attributes["largest_rounding"]
        self.streams: dict[str, Any] | None = attributes.get("streams")
        """How a text was cut into streams and how well they fit together: `largest_difference`, below `tolerance`."""
        self._group = group
        self._corpus: dict[str, Any] = attributes["corpus"]
        self._others = [Signal.from_json(s) for s in attributes["others"]]
        self._states: list[str] = attributes["states"]
        self._dtypes: dict[str, str] = attributes.get("dtypes", {})
        self._source: Source | None = None

    @classmethod
    def open(cls, path: str | Path) -> "Trace":
        """Raises `FormatError` for a folder that is no trace, of a later format, or with chunks missing."""
        path = Path(path)
        if not (path / MARKER).is_file():
            if is_unfinished(path):
                raise FormatError(f"{path} is not a trace yet: a recording into it was stopped, or goes on; record again to go on")
            raise FormatError(f"{path} is not a trace: it has no {MARKER}; expected the folder that a recording wrote")
        try:
            group = zarr.open_group(path, mode="r", zarr_format=3)
            attributes: Any = group.attrs["rnnscope"]
            format_ = attributes.get("format")
        except (KeyError, ValueError, TypeError, AttributeError, OSError) as error:
            raise FormatError(f"{path / MARKER} is damaged or not of a trace ({error}); record it anew") from error
        if format_ != FORMAT:
            raise FormatError(f"{path} has trace format {format_}, expected {FORMAT}; open it with the rnnscope that wrote it")
        trace = cls(path, group, attributes)
        marks = ["mark", *map(state_variable, trace._states)] if trace._states else []
        for name in ("symbol", "bound", "origin", "following", "text", *marks, *(variable(s.name) for s in trace.kept)):
            array = trace._array(name)
            if array.nchunks_initialized != array.nchunks:
                have = f"{array.nchunks_initialized} of its {array.nchunks} chunks"
                raise FormatError(f"{path / name} has {have}; the trace is not whole: record it anew")
        return trace

    def _array(self, name: str) -> zarr.Array[Any]:
        array = self._group.get(name)
        if not isinstance(array, zarr.Array):
            raise FormatError(f"{self.path / name} is missing; expected an array of the trace; record it anew")
        return array

    def _whole(self, name: str) -> NDArray[Any]:
        return Recorded(self._array(name), self.path / name)[:]

    def __len__(self) -> int:
        return len(self.corpus)

    @property
    def fingerprint(self) -> str:
        """Of the model and the text, by which a recording is what it is."""
        return f"{self.model['fingerprint']}-{self._corpus['fingerprint']}-{self.streams}"

    def __repr__(self) -> str:
        kept = f"{len(self.kept)} kept, {len(self.signals) - len(self.kept)} to compute"
        return f"<Trace {self.path.name}: {self.model['name']} on {self.corpus!r}, {kept}>"

    @property
    def signals(self) -> list[Signal]:
        """Those that can be had: kept ones and, where the model is at hand or lies where it came from, all others."""
        return [*self.kept, *(self._others if self._source is not None or self.at_hand else [])]

    @property
    def origin(self) -> Path | None:
        """Where the model was loaded from, and can be again if it is still there."""
        origin = self.model.get("origin")
        return origin and Path(os.path.normpath(self.path.absolute().parent / origin["path"]))

    @property
    def at_hand(self) -> bool:
        """Whether the model lies where it came from."""
        return self.origin is not None and self.origin.exists()

    def __contains__(self, name: object) -> bool:
        return any(s.name == name for s in self.signals)

    def __iter__(self) -> Iterator[str]:
        return (s.name for s in self.signals)

    def __getitem__(self, name: str | Signal) -> Recorded | Computed:
        """A signal, or the one of that name, over the whole text, (time, unit) or (time,), read or computed where it is indexed.

        Raises `UnknownNameError`, and `UsageError` for a signal that was not kept where the model is not at hand.
        """
        name = name.name if isinstance(name, Signal) else name
        if any(s.name == name for s in self.kept):
            return Recorded(self._array(variable(name)), self.path / variable(name))
        if name not in {s.name for s in self._others} and not name.startswith("top"):
            raise UnknownNameError("signal", name, [s.name for s in (*self.kept, *self._others)])
        found = self.source.find(name)
        if name not in {signal.name for signal in found}:
            raise UsageError(f"{name} is several signals; expected one of {', '.join(signal.name for signal in found)}")
        signal = next(signal for signal in found if signal.name == name)
        return Computed(self.source, signal, len(self))

    @property
    def source(self) -> Source:
        """What computes the signals that were not kept; the model is loaded from where it came from, if need be."""
        if self._source is None:
            if not self.at_hand:
                raise UsageError(self.lost or f"{self.path} has no states; nothing but what it keeps can be had")
            origin = self.model["origin"]
            self.computed_by(plugins("rnnscope.models")[origin["loader"]](self.origin, **origin["options"]))
        assert self._source is not None
        return self._source

    @property
    def lost(self) -> str:
        """Why there is nothing beside what is kept, where the model is not at hand; empty where all can be had."""
        if len(self.signals) == len(self.kept) + len(self._others):
            return ""
        gone = f" ({self.origin} is gone)" if self.origin else ""
        return (
            f"{self.path} keeps {', '.join(s.name for s in self.kept)} only; for other signals give the model that was "
            f"recorded{gone}: rs.open_trace(path, model=model), or --run on the command line"
        )

    def computed_by(self, model: Recomputable) -> "Trace":
        """Let a model compute what was not kept. Raises `UsageError` for another than was recorded, or one that has changed."""
        if not isinstance(model, Recomputable):
            raise UsageError(
                f"a {type(model).__name__} is no recurrent model and no n-gram; expected the one that was recorded, "
                f"{self.model['name']} (rs.wrap makes one of a module)"
            )
        if model.fingerprint != self.model["fingerprint"]:
            raise UsageError(
                f"{self.path} is a recording of {self.model['name']} ({self.model['fingerprint']}); {model.name} is another model "
                f"or has changed since ({model.fingerprint}); give the one that was recorded, or record anew"
            )
        streams = self.streams["streams"] if self.streams else 1
        self._source = model.recomputation(self.corpus, streams, self.states, self._dtypes)
        return self

    def states(self, marks: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The states that were kept before some positions (see the array `mark`), each (positions, …)."""
        known = self._whole("mark") if self._states else np.empty(0, np.int64)
        places = np.searchsorted(known, marks)
        if not np.array_equal(np.append(known, -1)[places], marks):
            raise UsageError(f"states are kept before the positions in the array 'mark' only, not before all of {marks!r:.80}")
        found = {}
        for name in self._states:
            values = Recorded(self._array(state_variable(name)), self.path / state_variable(name))
            found[name] = values[places]
        return found

    def select(self, patterns: str | Iterable[str]) -> list[Signal]:
        """The signals that match; see `signal.select`."""
        return select(self.signals, patterns)

    @cached_property
    def corpus(self) -> Corpus:
        """The text that was read, with its segments."""
        vocabulary = Vocabulary.from_json(self._corpus["vocabulary"])
        corpus = Corpus(
            self._corpus["name"],
            vocabulary,
            self._whole("symbol"),
            bounds=self._whole("bound"),
            origins=self._whole("origin"),
            following=self._whole("following"),
            language=self._corpus["language"],
            part=self._corpus["part"],
            whole=self._whole("text"),
        )
        if corpus.fingerprint != self._corpus["fingerprint"]:
            raise FormatError(f"{self.path / 'symbol'} is not the text that was recorded; record it anew")
        return corpus

    def columns(self, signal: Signal) -> Iterator[tuple[slice, NDArray[Any]]]:
        """A signal over the whole text, a few units at a time: (which units, values of shape (time, units)).

        One that was not kept is computed once, into a temporary file.
        """
        with ExitStack() as stack:
            values: Recorded | Computed | NDArray[Any] = self[signal.name]
            if isinstance(values, Computed):
                file = stack.enter_context(TemporaryFile())
                values = np.memmap(file, values.dtype, "w+", shape=values.shape)
                for start, block in self.stretches(signal):
                    values[start : start + len(block)] = block
            for first in range(0, signal.size, UNIT_CHUNK):
                units = slice(first, min(first + UNIT_CHUNK, signal.size))
                yield units, np.asarray(values[:, units])

    def stretches(self, signal: Signal) -> Iterator[tuple[int, NDArray[Any]]]:
        """A signal over all its units, a stretch of text at a time, in any order: (first position, values (time, unit))."""
        values = self[signal.name]
        if isinstance(values, Computed):
            yield from ((start, arrays[signal.name]) for start, arrays in self.source.blocks([signal.name]))
            return
        for start in range(0, len(self), TIME_CHUNK):
            yield start, values[start : start + TIME_CHUNK]


def open_trace(path: str | Path, model: Recomputable | None = None) -> Trace:
    """Open a trace; see `Trace`. With `model`, the one that was recorded, also what was not kept can be had.

    A trace of a run finds the run itself, as long as it lies where it lay. Raises `FormatError` for a folder that is no
    trace, `UsageError` for a model that is another one than was recorded.
    """
    expect(path, str | PathLike, "the folder of a trace")
    trace = Trace.open(path)
    return trace if model is None else trace.computed_by(model)
