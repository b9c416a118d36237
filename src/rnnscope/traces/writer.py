"""Writing a trace: blocks and states in, chunk files out."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec
from zarr.errors import ZarrUserWarning

from rnnscope.corpora import Corpus
from rnnscope.exceptions import FormatError, InputError
from rnnscope.signal import Signal
from rnnscope.traces.chunks import ChunkFiles
from rnnscope.traces.layout import FORMAT, TIME_CHUNK, UNIT_CHUNK, state_variable, unit_dimensions, variable

_EVERY_CHUNK: Any = {"write_empty_chunks": True}  # a chunk that isn't there is a damage, never a value
_MARK_CHUNK = 16  # marks that are wanted together lie a segment apart, and a chunk is read whole for its checksum


class TraceWriter:
    """Takes values and states in any order, and holds none of them: each goes into its chunk's file at once.

    A writer on a folder that another one left behind goes on in it, when it has been told what is done (`done`).
    """

    def __init__(
        self, folder: Path, corpus: Corpus, signals: Sequence[Signal], *,
        others: Sequence[Signal] = (), half: Sequence[str] = (), marks: NDArray[np.int64] | None = None,
    ) -> None:  # fmt: skip
        """`signals` are kept, those named in `half` in half precision; `others` can be computed from the states, which there
        are before each of the positions `marks`."""
        self.signals = {s.name: s for s in signals}
        self.marks = np.empty(0, np.int64) if marks is None else marks
        self.rounding = dict.fromkeys(half, 0.0)
        self._folder, self._length = folder, len(corpus)
        self._about = {
            "name": corpus.name,
            "part": corpus.part,
            "language": corpus.language,
            "fingerprint": corpus.fingerprint,
            "vocabulary": corpus.vocabulary.to_json(),
        }
        self._group = zarr.open_group(folder, mode="a", zarr_format=3)
        self._others = others
        self._dimensions = unit_dimensions([*signals, *others])
        self._arrays = {name: self._signal(signal, half=name in self.rounding) for name, signal in self.signals.items()}
        self._states = {
            str(array.attrs["state"]): ChunkFiles(array, self._folder)
            for name, array in self._group.arrays()
            if name.startswith(state_variable(""))
        }
        self._filled = np.zeros(-(-self._length // TIME_CHUNK), np.int64)
        self._full = np.minimum(TIME_CHUNK, self._length - TIME_CHUNK * np.arange(len(self._filled)))
        self._open = np.ones(len(self._filled), np.bool_)
        self._kept = np.zeros(len(self.marks), np.bool_)
        for name, values, dimension in (
            ("symbol", corpus.ids, "time"),
            ("bound", corpus.bounds, "edge"),
            ("origin", corpus.origins, "segment"),
            ("following", corpus.following, "segment"),
            ("text", corpus.ids if corpus.whole is None else corpus.whole, "text"),
            *([("mark", self.marks, "mark")] if len(self.marks) else []),
        ):
            self._group.create_array(
                name, data=values, dimension_names=[dimension], compressors=[Crc32cCodec()], config=_EVERY_CHUNK, overwrite=True
            )

    def _signal(self, signal: Signal, *, half: bool) -> ChunkFiles:
        shape, chunks, names = [self._length], [min(TIME_CHUNK, self._length)], ["time"]
        if signal.size:
            shape.append(signal.size)
            chunks.append(min(UNIT_CHUNK, signal.size))
            names.append(self._dimensions[signal.name])
        dtype = np.int32 if signal.integer else np.float16 if half else np.float32
        about = {"signal": signal.name, "equation": signal.equation}
        return ChunkFiles.within(self._group, self._folder, variable(signal.name), tuple(shape), tuple(chunks), dtype, names, about)

    def write(self, start: int, arrays: Mapping[str, NDArray[Any]], *, again: bool = False) -> None:
        """Put a block's arrays, each (time, unit) or (time,), at position `start`; `again`, where others were put before."""
        length = len(next(iter(arrays.values())))
        for at, stop in _pieces(start, start + length, TIME_CHUNK):
            part = slice(at - start, stop - start)
            for name, array in self._arrays.items():
                values = arrays[name][part]
                if name in self.rounding:
                    values = self._halved(name, values)
                array.put(at, values)
            self._open[at // TIME_CHUNK] = True
        if not again:
            for piece in self._count(start, length):
                self._seal(piece)

    def _count(self, start: int, length: int) -> list[int]:
        """Count symbols as written; the chunks that are full by it."""
        full = []
        for at, stop in _pieces(start, start + length, TIME_CHUNK):
            piece = at // TIME_CHUNK
            self._filled[piece] += stop - at
            if self._filled[piece] == self._full[piece]:
                full.append(piece)
        return full

    def _seal(self, piece: int) -> None:
        for array in self._arrays.values():
            array.seal(piece)
        self._open[piece] = False

    def _halved(self, name: str, exact: NDArray[Any]) -> NDArray[Any]:
        with np.errstate(over="ignore", invalid="ignore"):
            half = exact.astype(np.float16)
            error = float(np.abs(half.astype(exact.dtype) - exact).max())
        if not np.isfinite(error):  # what was no number stays none
            known = np.isfinite(exact)
            if not np.isfinite(half[known]).all():
                largest = np.abs(exact[known]).max()
                raise InputError(f"{name} reaches {largest:.3g}, half precision ends at 65,504; keep it in single precision")
            error = float(np.abs(half[known].astype(exact.dtype) - exact[known]).max(initial=0.0))
        self.rounding[name] = max(self.rounding[name], error)
        return half

    def keep(self, positions: NDArray[np.int64], states: Mapping[str, NDArray[Any]]) -> None:
        """Put the states before some marks, each (positions, …)."""
        places = np.searchsorted(self.marks, positions)
        for name, values in states.items():
            array = self._state(name, values)
            for place, value in zip(places.tolist(), values, strict=True):
                array.put(place, value[None])
        self._kept[places] = True

    def _state(self, name: str, like: NDArray[Any]) -> ChunkFiles:
        if name not in self._states:
            shape = (len(self.marks), *like.shape[1:])
            units = self._dimensions.get(name, f"{variable(name)}.unit")
            names = ["mark", units] if like.ndim == 2 else ["mark", *(f"{variable(name)}.{k}" for k in range(1, like.ndim))]
            self._states[name] = ChunkFiles.within(
                self._group, self._folder, state_variable(name), shape, (min(_MARK_CHUNK, len(self.marks)), *shape[1:]),
                like.dtype, names, {"state": name},
            )  # fmt: skip
        return self._states[name]

    def states(self, positions: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """The states that were kept before some marks, each (positions, …)."""
        places = np.searchsorted(self.marks, positions).tolist()
        return {name: np.concatenate([array.get(k, k + 1) for k in places]) for name, array in self._states.items()}

    def done(self, start: int, length: int, *, mended: bool) -> None:
        """An earlier writer put this block and the states after it into the folder; `mended`, if perhaps again after sealing it."""
        self._open[self._count(start, length)] = mended
        after = slice(*np.searchsorted(self.marks, [start, start + length], side="right"))
        self._kept[after] = True

    def check(self) -> None:
        """Raises `FormatError` if a file that an earlier writer made is missing or too short."""
        for piece in np.flatnonzero(self._filled).tolist():
            for array in self._arrays.values():
                array.check(piece, whole=bool(self._filled[piece] == self._full[piece]))
        for piece in np.unique(np.flatnonzero(self._kept) // _MARK_CHUNK).tolist() if len(self.marks) else []:
            if not self._states:
                raise FormatError(f"{self._folder} has lost its states; remove {self._folder.parent}, and record anew")
            for state in self._states.values():
                state.check(piece)

    def finish(self, attributes: dict[str, Any]) -> None:
        """Seal what is open and describe the trace: `attributes` are the `model` and, where there are any, `streams`
        and the states' `dtypes`. Raises `FormatError` if the model left positions out."""
        missing = np.flatnonzero(self._filled != self._full)
        if len(missing) or not self._kept.all():
            raise FormatError(f"the model read only a part of the text: {len(missing)} chunks of the trace are not full")
        for piece in np.flatnonzero(self._open).tolist():
            self._seal(piece)
        for state in self._states.values():
            for piece in range(state.pieces):
                state.seal(piece)
        self._group.attrs["rnnscope"] = {
            "format": FORMAT,
            "corpus": self._about,
            "signals": [s.to_json() for s in self.signals.values()],
            "others": [s.to_json() for s in self._others],
            "largest_rounding": self.rounding,
            "states": list(self._states),
            **attributes,
        }
        with warnings.catch_warnings():  # Zarr warns that its own reader's short cut is not in the specification yet
            warnings.simplefilter("ignore", category=ZarrUserWarning)
            zarr.consolidate_metadata(self._group.store)


def _pieces(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    """A range cut at the multiples of `size`."""
    while start < stop:
        end = min(stop, (start // size + 1) * size)
        yield start, end
        start = end
