"""Chunk files written where they lie: rows in any order, nothing held in memory.

Side by side a hundred segments are read, so that a hundred chunks of every signal are under way at once: gigabytes, if they
waited in memory until they are full. Zarr writes whole chunks. But an uncompressed chunk is its values one after the other
with a CRC-32C behind them, and rows of it can be put into its file at any time. The checksum follows when all rows are there.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec

from rnnscope.exceptions import FormatError, so_many

_CHECKSUM = 4  # bytes
KEYS: Any = {"name": "default", "separator": "."}
"""A chunk's file is called `c.3.0`: folders would take longer to make than chunks."""


class ChunkFiles:
    """The files of an array of a Zarr group, which lies in `folder`."""

    def __init__(self, array: zarr.Array[Any], folder: Path) -> None:
        self.shape, self.chunks = array.shape, array.chunks
        self.dtype = array.dtype.newbyteorder("<")
        self._folder = folder / array.basename
        self._row = int(np.prod(self.chunks[1:], dtype=np.int64)) * self.dtype.itemsize
        counts = [-(-size // side) for size, side in zip(self.shape[1:], self.chunks[1:], strict=True)]
        self._corners = [
            (
                "".join(f".{k}" for k in corner),
                tuple(
                    slice(k * n, min((k + 1) * n, size)) for k, n, size in zip(corner, self.chunks[1:], self.shape[1:], strict=True)
                ),
            )
            for corner in np.ndindex(*counts)
        ]

    @classmethod
    def within(
        cls, group: zarr.Group, folder: Path, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], dtype: Any,
        dimensions: list[str], attributes: dict[str, Any],
    ) -> "ChunkFiles":  # fmt: skip
        """Those of an array that is made, or taken up again if it is there already."""
        if name not in group:
            kind = np.dtype(dtype)
            group.create_array(
                name, shape=shape, chunks=chunks, dtype=kind, fill_value=kind.type("nan" if kind.kind == "f" else 0),
                dimension_names=dimensions, attributes=attributes, compressors=[Crc32cCodec()], chunk_key_encoding=KEYS,
            )  # fmt: skip
        array = group[name]
        assert isinstance(array, zarr.Array)
        return cls(array, folder)

    @property
    def pieces(self) -> int:
        """How many chunks there are along the first axis."""
        return -(-self.shape[0] // self.chunks[0])

    def put(self, start: int, values: NDArray[Any]) -> None:
        """Rows from `start` on, all in one chunk of the first axis."""
        piece, offset = divmod(start, self.chunks[0])
        for name, where in self._corners:
            part = values[(slice(None), *where)]
            if part.shape[1:] != self.chunks[1:]:  # a chunk at the edge is as large as any other
                whole = np.zeros((len(part), *self.chunks[1:]), self.dtype)
                whole[tuple(map(slice, part.shape))] = part
                part = whole
            with self._file(piece, name) as handle:
                _write_all(handle, np.ascontiguousarray(part, self.dtype).data.cast("B"), offset * self._row)

    def get(self, start: int, stop: int) -> NDArray[Any]:
        """Rows that were put, all in one chunk of the first axis."""
        piece, offset = divmod(start, self.chunks[0])
        found = np.empty((stop - start, *self.shape[1:]), self.dtype)
        for name, where in self._corners:
            with self._file(piece, name) as handle:
                read = os.pread(handle, (stop - start) * self._row, offset * self._row)
            rows, part = np.frombuffer(read, self.dtype).reshape(-1, *self.chunks[1:]), found[(slice(None), *where)]
            part[:] = rows[tuple(map(slice, part.shape))]
        return found

    def check(self, piece: int, *, whole: bool = False) -> None:
        """Raises `FormatError` if a file of a chunk isn't there, or, of a `whole` one, is too short."""
        for name, _ in self._corners:
            path = Path(self._path(piece, name))
            size = path.stat().st_size if path.exists() else -1
            if size < (self.chunks[0] * self._row + _CHECKSUM if whole else 0):
                what = "is missing" if size < 0 else f"has {so_many(size, 'bytes')}, too few"
                raise FormatError(f"{path} {what}; the recording can't be gone on with: remove {path.parents[2]}, and record anew")

    def seal(self, piece: int) -> None:
        """Put the checksum behind every file of a chunk whose rows are all there."""
        size = self.chunks[0] * self._row
        for name, _ in self._corners:
            with self._file(piece, name) as handle:
                os.ftruncate(handle, size)
                checksum = google_crc32c.value(os.pread(handle, size, 0))
                _write_all(handle, memoryview(checksum.to_bytes(_CHECKSUM, "little")), size)

    def _path(self, piece: int, corner: str) -> str:
        return f"{self._folder}/c.{piece}{corner}"

    @contextmanager
    def _file(self, piece: int, corner: str) -> Iterator[int]:
        handle = os.open(self._path(piece, corner), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            yield handle
        except OSError as error:
            error.filename = error.filename or self._path(piece, corner)
            raise
        finally:
            os.close(handle)


def _write_all(handle: int, data: memoryview, at: int) -> None:
    while data:
        written = os.pwrite(handle, data, at)
        data, at = data[written:], at + written
