"""`Passage`: a piece of text with what several hypotheses ask about it, worked out once."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnscope.analysis.hypotheses.language import parse

Bools = NDArray[np.bool_]
Counts = NDArray[np.int64]


class Passage:
    """A text with one character for each symbol.

    `latin` says that the characters stand for bytes. `language` is the programming language, or None for prose.
    """

    def __init__(self, text: str, language: str | None = None, *, latin: bool = False) -> None:
        self.text = text
        self.language = language
        self._latin = latin

    def __len__(self) -> int:
        return len(self.text)

    @cached_property
    def points(self) -> NDArray[np.uint32]:
        """Code points, shape (symbols,)."""
        return np.frombuffer(self.text.encode("utf-32-le"), np.uint32)

    def where(self, test: Any) -> Bools:
        """Where `test` (str → bool, asked once for each distinct character) is true."""
        distinct, inverse = np.unique(self.points, return_inverse=True)
        answers: Bools = np.array([bool(test(chr(p))) for p in distinct.tolist()], bool)
        return answers[inverse]

    def among(self, characters: str) -> Bools:
        """Where one of the characters stands."""
        return np.isin(self.points, [ord(c) for c in characters])

    @cached_property
    def newline(self) -> Bools:
        """Where a line ends: at a line feed, or at a carriage return that none follows."""
        feed = self.points == 10
        alone = self.points == 13
        alone[:-1] &= ~feed[1:]
        ends: Bools = feed | alone
        return ends

    @cached_property
    def column(self) -> Counts:
        """Symbols since the line began; 0 at the newline itself."""
        at = np.arange(len(self))
        last = np.maximum.accumulate(np.where(self.newline, at, -1))
        return at - last

    @cached_property
    def indent(self) -> Bools:
        """Inside the blanks that a line begins with."""
        blank = self.among(" \t")
        at = np.arange(len(self))
        other = np.maximum.accumulate(np.where(blank, -1, at))  # the last symbol that is no blank …
        ended = np.maximum.accumulate(np.where(self.newline, at, -1))  # … is the newline, or before the text
        leading: Bools = blank & (other == ended)
        return leading

    @cached_property
    def word(self) -> Bools:
        """Inside a run of letters, digits, underscores and apostrophes between letters."""
        letter: Bools = self.where(lambda c: c.isalnum() or c == "_")
        apostrophe = self.among("'’")
        apostrophe[0] = apostrophe[-1] = False
        inner = apostrophe[1:-1] & letter[:-2] & letter[2:]
        letter[1:-1] |= inner
        return letter

    @cached_property
    def word_start(self) -> Bools:
        before = np.concatenate([[False], self.word[:-1]])
        starts: Bools = self.word & ~before
        return starts

    def spans(self, query: dict[str, str]) -> list[tuple[int, int, str]]:
        """Stretches (start, stop, kind) that a tree-sitter query for this passage's language captures, in order.

        A kind is the name of the capture. Empty for prose.
        """
        if self.language is None or self.language not in query:
            return []
        tree = self._tree
        offsets = self._offsets
        return [(offsets(a), offsets(b), kind) for a, b, kind in tree.captures(query[self.language])]

    @cached_property
    def _tree(self) -> Any:
        assert self.language is not None
        return parse(self._encoded, self.language)

    @cached_property
    def _encoded(self) -> bytes:
        return self.text.encode("latin-1") if self._latin else self.text.encode()

    @cached_property
    def _offsets(self) -> Any:
        """Turns an offset in the encoded text into a position."""
        if len(self._encoded) == len(self.text):
            return int
        sizes = 1 + (self.points > 0x7F) + (self.points > 0x7FF) + (self.points > 0xFFFF)
        ends = np.cumsum(sizes)
        return lambda offset: int(np.searchsorted(ends, offset, side="right"))

    def inside(self, spans: list[tuple[int, int]]) -> Bools:
        """True on every stretch (start, stop)."""
        change = np.zeros(len(self) + 1, np.int64)
        for start, stop in spans:
            if start < stop:
                change[start] += 1
                change[stop] -= 1
        return np.cumsum(change[:-1]) > 0
