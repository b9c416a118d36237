"""Writing a trace: blocks in, chunks out."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec
from zarr.errors import ZarrUserWarning

from rnnscope.corpora import Corpus
from rnnscope.exceptions import FormatError
from rnnscope.signal import Signal
from rnnscope.traces.layout import FORMAT, TIME_CHUNK, UNIT_CHUNK, unit_dimensions, variable

_EVERY_CHUNK: Any = {"write_empty_chunks": True}  # a chunk that isn't there is a damage, never a value
Dtype = Literal["float32", "float16"]


class TraceWriter:
    """Takes blocks in any order between segments and writes each chunk once, when it is full.

    Memory: the chunks under way, about two for each segment that is read side by side.
    """

    def __init__(
        self, path: Path, corpus: Corpus, signals: Sequence[Signal], model: dict[str, Any], *, dtype: Dtype = "float32"
    ) -> None:
        self.dtype = np.dtype(dtype)
        self.length = len(corpus)
        self.signals = {s.name: s for s in signals}
        self.rounding = dict.fromkeys(self.signals, 0.0)
        self.group = zarr.open_group(path, mode="w", zarr_format=3)
        self.arrays = {name: self._create(signal, unit_dimensions(signals)) for name, signal in self.signals.items()}
        for name, values, dimension in (
            ("symbol", corpus.ids, "time"),
            ("bound", corpus.bounds, "edge"),
            ("origin", corpus.origins, "segment"),
            ("following", corpus.following, "segment"),
            ("text", corpus.ids if corpus.whole is None else corpus.whole, "text"),
        ):
            self.group.create_array(
                name, data=values, dimension_names=[dimension], compressors=[Crc32cCodec()], config=_EVERY_CHUNK
            )
        self.attributes: dict[str, Any] = {
            "format": FORMAT,
            "model": model,
            "corpus": {
                "name": corpus.name,
                "part": corpus.part,
                "language": corpus.language,
                "fingerprint": corpus.fingerprint,
                "vocabulary": corpus.vocabulary.to_json(),
            },
            "signals": [s.to_json() for s in signals],
        }
        self._open: dict[int, tuple[dict[str, NDArray[Any]], int]] = {}

    def _create(self, signal: Signal, dimensions: dict[str, str]) -> zarr.Array[Any]:
        shape, chunks, names = [self.length], [min(TIME_CHUNK, self.length)], ["time"]
        if signal.size:
            shape.append(signal.size)
            chunks.append(min(UNIT_CHUNK, signal.size))
            names.append(dimensions[signal.name])
        return self.group.create_array(
            variable(signal.name),
            shape=tuple(shape),
            chunks=tuple(chunks),
            dtype=self.dtype,
            fill_value=float("nan"),
            dimension_names=names,
            compressors=[Crc32cCodec()],
            attributes={"signal": signal.name, "equation": signal.equation},
            config=_EVERY_CHUNK,
        )

    def write(self, start: int, arrays: dict[str, NDArray[Any]]) -> None:
        """Put a block's arrays, each (time, unit) or (time,), at position `start`."""
        length = len(next(iter(arrays.values())))
        at = 0
        while at < length:
            chunk, offset = divmod(start + at, TIME_CHUNK)
            n = min(length - at, TIME_CHUNK - offset)
            size = min(TIME_CHUNK, self.length - chunk * TIME_CHUNK)
            if chunk not in self._open:
                self._open[chunk] = (
                    {name: np.empty((size, s.size) if s.size else size, self.dtype) for name, s in self.signals.items()}, 0
                )  # fmt: skip
            buffers, filled = self._open[chunk]
            for name, buffer in buffers.items():
                values = arrays[name][at : at + n]
                buffer[offset : offset + n] = values
                if self.dtype != values.dtype:
                    self._note_rounding(name, values, buffer[offset : offset + n])
            self._open[chunk] = (buffers, filled + n)
            if filled + n == size:
                for name, buffer in self._open.pop(chunk)[0].items():
                    self.arrays[name][chunk * TIME_CHUNK : chunk * TIME_CHUNK + size] = buffer
            at += n

    def _note_rounding(self, name: str, exact: NDArray[Any], stored: NDArray[Any]) -> None:
        known = np.isfinite(exact)
        if known.any():
            error = np.abs(exact[known] - stored[known].astype(exact.dtype)).max()
            self.rounding[name] = max(self.rounding[name], float(error))

    def finish(self) -> None:
        """Raises `FormatError` if the model left positions out."""
        if self._open:
            raise FormatError(f"the model read only a part of the text: {len(self._open)} chunks of the trace are not full")
        if self.dtype != np.float32:
            self.attributes["largest_rounding"] = self.rounding
        self.group.attrs["rnnscope"] = self.attributes
        with warnings.catch_warnings():  # Zarr warns that its own reader's short cut is not in the specification yet
            warnings.simplefilter("ignore", category=ZarrUserWarning)
            zarr.consolidate_metadata(self.group.store)
