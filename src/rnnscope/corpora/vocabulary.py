"""Vocabularies: which symbols there are, and the number of each."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from rnnscope.exceptions import CorpusError, FormatError, UnknownSymbolError, UsageError
from rnnscope.files import fingerprint

Symbols = Literal["bytes", "characters"]
Unknown = Literal["error", "skip", "replace"]
Ids = NDArray[np.unsignedinteger[Any]]
_STAND_INS = (0xFFFD, ord("?"), ord(" "))


def code_points(text: str | bytes) -> NDArray[np.uint32]:
    """The byte values or code points of a text, shape (symbols,)."""
    if isinstance(text, bytes):
        return np.frombuffer(text, np.uint8).astype(np.uint32)
    try:
        return np.frombuffer(text.encode("utf-32-le"), np.uint32)
    except UnicodeEncodeError as error:
        raise _lone_surrogate(error) from None


def utf8(text: str) -> bytes:
    """The UTF-8 of a text; bytes that a command line could not decode (Python's surrogate escapes) come out as they were."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise _lone_surrogate(error) from None


def _lone_surrogate(error: UnicodeEncodeError) -> CorpusError:
    return CorpusError(
        f"the text has a lone surrogate at position {error.start}, which is no character; remove it, or read the text as bytes"
    )


@dataclass(frozen=True)
class Vocabulary:
    """A sorted set of symbols, numbered from 0.

    `kind` is `bytes` or `characters`; `values` holds the byte values or code points in increasing order.

    >>> v = Vocabulary.of("hello")
    >>> v.encode("hole").tolist(), v.decode([2, 1])
    ([1, 3, 2, 0], 'lh')
    """

    kind: Symbols
    values: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.kind not in get_args(Symbols):
            raise UsageError(f"symbols are 'bytes' or 'characters', not {self.kind!r}")
        if list(self.values) != sorted(set(self.values)):
            raise FormatError("a vocabulary's values are distinct and sorted; this one's are not")

    @classmethod
    def of(cls, text: str | bytes) -> "Vocabulary":
        """The symbols that occur in a text: characters of a str, bytes of a bytes object."""
        values = np.unique(code_points(text))
        return cls("bytes" if isinstance(text, bytes) else "characters", tuple(values.tolist()))

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def _numbers(self) -> NDArray[np.int64]:
        numbers = np.full(max(self.values, default=0) + 1, -1, np.int64)
        numbers[list(self.values)] = np.arange(len(self.values))
        return numbers

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned type that holds every symbol's number."""
        return np.min_scalar_type(max(len(self.values) - 1, 0))

    def encode(self, text: str | bytes, unknown: Unknown = "error") -> Ids:
        """Symbol numbers of a text, shape (symbols,).

        A str given to a vocabulary of bytes is encoded as UTF-8 first. `unknown` says what happens to a symbol
        that the vocabulary lacks: `error` raises `UnknownSymbolError`, `skip` leaves it out, `replace` puts the
        vocabulary's stand-in (U+FFFD, else `?`, else a space) there.
        """
        if self.kind == "bytes" and isinstance(text, str):
            text = utf8(text)
        if self.kind == "characters" and isinstance(text, bytes):
            raise UsageError("this vocabulary is of characters: give it a str, not bytes")
        points = code_points(text)
        known = points < len(self._numbers)
        ids = np.full(len(points), -1, np.int64)
        ids[known] = self._numbers[points[known]]
        missing = ids < 0
        if missing.any():
            if unknown == "skip":
                ids = ids[~missing]
            elif unknown == "replace":
                ids[missing] = self._stand_in()
            else:
                at = int(np.flatnonzero(missing)[0])
                raise UnknownSymbolError(int(points[at]), at, self.kind)
        return ids.astype(self.dtype)

    def _stand_in(self) -> int:
        for value in _STAND_INS:
            if value in self.values:
                return self.values.index(value)
        raise CorpusError("unknown symbols can't be replaced: the vocabulary has none of U+FFFD, '?' and ' '; skip them")

    def decode(self, ids: Any) -> str | bytes:
        """The text of symbol numbers: a str for characters, a bytes object for bytes."""
        points = np.asarray(self.values, np.uint32)[np.asarray(ids, np.int64)]
        if self.kind == "bytes":
            return points.astype(np.uint8).tobytes()
        return points.tobytes().decode("utf-32-le")

    def to_str(self, ids: Any) -> str:
        """The text of symbol numbers with exactly one character for each (bytes above 127 as Latin-1)."""
        text = self.decode(ids)
        return text.decode("latin-1") if isinstance(text, bytes) else text

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint("vocabulary", self.kind, list(self.values))

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "values": list(self.values)}

    @classmethod
    def from_json(cls, data: Any) -> "Vocabulary":
        try:
            return cls(data["kind"], tuple(int(value) for value in data["values"]))
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(f"a vocabulary needs 'kind' and 'values'; this one is damaged ({error!r})") from error
