"""`Trace`: opening and reading what was recorded."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from rnnscope.corpora import Corpus, Vocabulary
from rnnscope.exceptions import FormatError, UnknownNameError
from rnnscope.signal import Signal, select
from rnnscope.traces.layout import FORMAT, MARKER, TIME_CHUNK, UNIT_CHUNK, variable


class Recorded:
    """One recorded signal: array-like, read from disk where it is indexed, in the precision it is kept in."""

    def __init__(self, array: zarr.Array[Any], path: Path) -> None:
        self._array = array
        self._path = path
        self.shape: tuple[int, ...] = array.shape
        self.dtype: np.dtype[Any] = array.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<Recorded {self._path.name}: {self.shape}, {self.dtype}>"

    def __getitem__(self, where: Any) -> NDArray[Any]:
        """Raises `FormatError` for a damaged chunk."""
        try:
            return np.asarray(self._array[where])
        except (ValueError, OSError) as error:
            raise FormatError(f"{self._path} is damaged ({error}); record the trace anew") from error

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype, copy=False) if dtype is not None else self[:]


class Trace:
    """The recorded signals of one model on one text.

    `trace["layer1/forget"]` is array-like, shape (time, unit), and read lazily. `trace.corpus` is the text.
    """

    def __init__(self, path: Path, group: zarr.Group, attributes: dict[str, Any]) -> None:
        self.path = path
        self.model: dict[str, Any] = attributes["model"]
        self.signals = [Signal.from_json(s) for s in attributes["signals"]]
        self.rounding: dict[str, float] = attributes.get("largest_rounding", {})
        self._group = group
        self._corpus: dict[str, Any] = attributes["corpus"]

    @classmethod
    def open(cls, path: str | Path) -> "Trace":
        """Raises `FormatError` for a folder that is no trace, of a later format, or with chunks missing."""
        path = Path(path)
        if not (path / MARKER).is_file():
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
        for name in ("symbol", "bound", "origin", "following", "text", *(variable(s.name) for s in trace.signals)):
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

    def __repr__(self) -> str:
        return f"<Trace {self.path.name}: {self.model['name']} on {self.corpus!r}, {len(self.signals)} signals>"

    def __contains__(self, name: object) -> bool:
        return any(s.name == name for s in self.signals)

    def __iter__(self) -> Iterator[str]:
        return (s.name for s in self.signals)

    def __getitem__(self, name: str) -> "Recorded":
        """A signal over the whole text, (time, unit) or (time,), read lazily. Raises `UnknownNameError`."""
        if name not in self:
            raise UnknownNameError("recorded signal", name, self)
        return Recorded(self._array(variable(name)), self.path / variable(name))

    def select(self, patterns: str | Iterable[str]) -> list[Signal]:
        """The recorded signals that match; see `signal.select`."""
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
        """A signal over the whole text, a few units at a time: (which units, values of shape (time, units))."""
        for first in range(0, signal.size, UNIT_CHUNK):
            units = slice(first, min(first + UNIT_CHUNK, signal.size))
            yield units, self[signal.name][:, units]

    def stretches(self, signal: Signal) -> Iterator[tuple[int, NDArray[Any]]]:
        """A signal over all its units, a stretch of text at a time: (first position, values of shape (time, unit))."""
        for start in range(0, len(self), TIME_CHUNK):
            yield start, self[signal.name][start : start + TIME_CHUNK]


def open_trace(path: str | Path) -> Trace:
    """Open a trace; see `Trace`."""
    return Trace.open(path)
