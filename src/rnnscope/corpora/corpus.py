"""`Corpus`: a text as symbols, and its parts."""

import os
import sys
from collections.abc import Iterator
from copy import copy
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rnnscope.corpora.splits import ContiguousSplit, SplitRule
from rnnscope.corpora.vocabulary import Ids, Symbols, Unknown, Vocabulary, utf8
from rnnscope.exceptions import CorpusError, UsageError, so_many
from rnnscope.files import fingerprint

LANGUAGES = ("python", "c")
"""Programming languages that hypotheses know."""
_SUFFIXES = {".py": "python", ".pyi": "python", ".c": "c", ".h": "c"}


class Corpus:
    """A text with a vocabulary, made of one or more segments that lie end to end.

    `ids` has shape (symbols,). `bounds` has shape (segments + 1,): segment k is `ids[bounds[k]:bounds[k + 1]]`; a
    model's state starts anew at each. `origins` has shape (segments,): where each segment began in the whole text.
    `following` has shape (segments,): the symbol that came after the segment in the whole text, or -1.
    `language` names a programming language if the text is in one that is known here (`python`, `c`). `source` is what
    `corpora.find` finds it by again: an absolute path or the name of a known corpus. `whole` holds the symbols of the
    whole text that a part was cut from; None where this is the whole.
    """

    def __init__(
        self,
        name: str,
        vocabulary: Vocabulary,
        ids: Ids,
        *,
        bounds: NDArray[np.int64] | None = None,
        origins: NDArray[np.int64] | None = None,
        following: NDArray[np.int64] | None = None,
        rule: SplitRule | None = None,
        language: str | None = None,
        part: str | None = None,
        source: str | None = None,
        whole: Ids | None = None,
    ) -> None:
        if language not in (None, *LANGUAGES):
            raise UsageError(f"no language is called {language!r}; known are: {', '.join(LANGUAGES)}")
        self.name = name
        self.vocabulary = vocabulary
        self.ids = ids
        self.bounds = np.array([0, len(ids)], np.int64) if bounds is None else bounds
        self.origins = self.bounds[:-1].copy() if origins is None else origins
        self.following = np.full(len(self.origins), -1, np.int64) if following is None else following
        self.rule: SplitRule = rule or ContiguousSplit()
        self.language = language
        self.part = part
        self.source = source
        self.whole = whole

    @classmethod
    def from_text(
        cls,
        text: str | bytes,
        *,
        name: str = "text",
        symbols: Symbols | None = None,
        vocabulary: Vocabulary | None = None,
        unknown: Unknown = "error",
        rule: SplitRule | None = None,
        language: str | None = None,
        source: str | None = None,
    ) -> "Corpus":
        """A corpus of a str or a bytes object, nothing changed: line ends and a byte order mark stay as they are.

        `symbols` is `bytes` or `characters`; left out, a str is read as characters and a bytes object as bytes.
        With `vocabulary`, the text is read with a given one (see `Vocabulary.encode` for `unknown`).
        Raises `CorpusError` for an empty text and for bytes that are not UTF-8 where characters are wanted.

        >>> len(Corpus.from_text("naïve")), len(Corpus.from_text("naïve", symbols="bytes"))
        (5, 6)
        """
        symbols = vocabulary.kind if vocabulary else symbols or ("bytes" if isinstance(text, bytes) else "characters")
        if symbols not in ("bytes", "characters"):
            raise UsageError(f"symbols are 'bytes' or 'characters', not {symbols!r}")
        if symbols == "bytes":
            text = utf8(text) if isinstance(text, str) else text
        elif isinstance(text, bytes):
            try:
                text = text.decode("utf-8")
            except UnicodeDecodeError as error:
                raise CorpusError(
                    f"{name} is not UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start}; "
                    "read it as bytes (symbols='bytes', on the command line --symbols bytes), or convert it first"
                ) from None
        if not text:
            raise CorpusError(f"{name} is empty; expected a text with at least one symbol")
        vocabulary = vocabulary or Vocabulary.of(text)
        ids = vocabulary.encode(text, unknown)
        if not len(ids):
            raise CorpusError(f"{name} has no symbol that the vocabulary knows; expected at least one")
        return cls(name, vocabulary, ids, rule=rule, language=language, source=source)

    @classmethod
    def from_file(
        cls,
        path: str | Path,
        *,
        symbols: Symbols = "characters",
        vocabulary: Vocabulary | None = None,
        unknown: Unknown = "error",
        rule: SplitRule | None = None,
        language: str | None = None,
    ) -> "Corpus":
        """A corpus of a file's contents, or of standard input for `-`.

        Characters are those of UTF-8. Raises `CorpusError` for a file that is missing, unreadable, a folder or empty.
        """
        data = sys.stdin.buffer.read() if str(path) == "-" else _read(Path(path))
        name = "standard input" if str(path) == "-" else os.fsencode(Path(path).name).decode(errors="replace")
        place = str(Path(path).resolve())
        return cls.from_text(
            data,
            name=name,
            symbols=symbols,
            vocabulary=vocabulary,
            unknown=unknown,
            rule=rule,
            language=language or _SUFFIXES.get(Path(path).suffix),
            source=place if str(path) != "-" and place.isprintable() else None,
        )

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        part = f", {self.part}" if self.part else ""
        return f"<Corpus {self.name}{part}: {so_many(len(self), self.vocabulary.kind)}, {len(self.vocabulary)} distinct>"

    @property
    def segments(self) -> int:
        return len(self.bounds) - 1

    def spans(self) -> Iterator[tuple[int, int]]:
        """Start and stop of every segment."""
        for k in range(self.segments):
            yield int(self.bounds[k]), int(self.bounds[k + 1])

    def split(self, part: str) -> "Corpus":
        """The part `train`, `validation` or `test`, as the corpus's rule cuts it. `all` is the corpus itself."""
        if part == "all":
            return self
        if self.part or self.segments != 1:
            raise UsageError(f"{self!r} is a part already; split the whole corpus")
        return self._cut(self.rule.spans(part, len(self)), part)

    def ruled(self, rule: SplitRule) -> "Corpus":
        """The same text, to be split by another rule."""
        if self.part or self.segments != 1:
            raise UsageError(f"{self!r} is a part already; give the whole corpus another rule")
        changed = copy(self)
        changed.rule = rule
        return changed

    def head(self, symbols: int) -> "Corpus":
        """The first `symbols` symbols, whole segments first, the last one cut."""
        if symbols < 1:
            raise UsageError(f"the head of a text has at least 1 symbol, not {symbols}")
        if symbols >= len(self):
            return self
        stops = np.minimum(self.bounds[1:], symbols)
        kept = self.bounds[:-1] < stops
        return self._cut(np.stack([self.bounds[:-1], stops], axis=1)[kept], self.part, self.origins[kept])

    def pieces(self, spans: NDArray[np.int64]) -> "Corpus":
        """Stretches of this text, (stretches, 2) start and stop, none over the end of a segment, each a segment of its own."""
        segment = np.searchsorted(self.bounds, spans[:, 0], side="right") - 1
        return self._cut(spans, self.part, self.origins[segment] + spans[:, 0] - self.bounds[segment])

    def _cut(self, spans: NDArray[np.int64], part: str | None, origins: NDArray[np.int64] | None = None) -> "Corpus":
        if not (spans[:, 1] > spans[:, 0]).all():
            raise CorpusError(f"{self.name} has {so_many(len(self), 'symbols')}, too few for a {part} part; give a longer text")
        pieces = [self.ids[start:stop] for start, stop in spans]
        whole = self.ids if self.whole is None else self.whole
        origins = spans[:, 0] if origins is None else origins
        ends = origins + spans[:, 1] - spans[:, 0]
        return Corpus(
            self.name,
            self.vocabulary,
            pieces[0] if len(pieces) == 1 else np.concatenate(pieces),
            bounds=np.concatenate([[0], np.cumsum(spans[:, 1] - spans[:, 0])]).astype(np.int64),
            origins=origins,
            following=np.array([int(whole[end]) if end < len(whole) else -1 for end in ends], np.int64),
            rule=self.rule,
            language=self.language,
            part=part,
            source=self.source,
            whole=whole,
        )

    def text(self, start: int = 0, stop: int | None = None) -> str | bytes:
        """The text between two positions: a str for characters, a bytes object for bytes."""
        return self.vocabulary.decode(self.ids[start:stop])

    def to_str(self, start: int = 0, stop: int | None = None) -> str:
        """The same with exactly one character for each symbol (bytes above 127 as Latin-1)."""
        return self.vocabulary.to_str(self.ids[start:stop])

    def next_ids(self, positions: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """For each position, or for those given, the symbol that really came next, or -1 where nobody knows."""
        at = 1 + (np.arange(len(self)) if positions is None else positions)
        after = self.ids[np.minimum(at, len(self) - 1)].astype(np.int64)
        edge = np.searchsorted(self.bounds, at)
        ends = self.bounds[edge] == at
        after[ends] = self.following[edge[ends] - 1]
        return after

    @cached_property
    def fingerprint(self) -> str:
        ids = np.ascontiguousarray(self.ids)
        return fingerprint("corpus", self.vocabulary.fingerprint, str(ids.dtype), ids.data.cast("B"), self.bounds.tolist())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CorpusError(f"there is no file {path}; expected a text file, '-' for standard input, or a named corpus") from None
    except IsADirectoryError:
        raise CorpusError(f"{path} is a folder; expected one text file") from None
    except OSError as error:
        raise CorpusError(f"{path} can't be read: {error.strerror}; expected a readable text file") from None
