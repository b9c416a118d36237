"""`Passage`: a piece of text with what several hypotheses ask about it, worked out once."""

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnscope.analysis.hypotheses.language import Tree, parse
from rnnscope.exceptions import UsageError

Bools = NDArray[np.bool_]
Counts = NDArray[np.int32]

_PARAGRAPH = re.compile(r"\r?\n[ \t]*\r?\n")
_DOUBLE = '"“”'
_STRINGS = {
    "python": "(string (string_start) @open (string_end) @close)",
    "c": "(string_literal) @whole (char_literal) @whole",
}


class Passage:
    """A text with one character for each symbol.

    `latin` says that the characters stand for bytes. `language` is the programming language, or None for prose.
    `start` is the position of the first symbol in a recorded text of `total` symbols, `origin` that in the whole text
    of `whole` symbols that this was cut from; a passage of the whole text has the same for both. `signals` gives
    the model's signals over the passage.
    """

    def __init__(
        self,
        text: str,
        language: str | None = None,
        *,
        latin: bool = False,
        start: int = 0,
        total: int | None = None,
        origin: int | None = None,
        whole: int | None = None,
        signals: Callable[[str], NDArray[Any]] | None = None,
    ) -> None:
        self.text = text
        self.language = language
        self.start = start
        self.total = start + len(text) if total is None else total
        self.origin = start if origin is None else origin
        self.whole = self.total if whole is None else whole
        self._latin = latin
        self._signals = signals
        self._captured: dict[str, dict[str, NDArray[np.int64]]] = {}

    def __len__(self) -> int:
        return len(self.text)

    def signal(self, name: str) -> NDArray[np.floating[Any]]:
        """What the model computed when it had read each symbol, shape (symbols,).

        Raises `UsageError` for a passage that no model has read.
        """
        if self._signals is None:
            raise UsageError(f"no model has read this passage, so it has no {name}; label a trace's text, with the trace as source")
        return np.asarray(self._signals(name))

    @cached_property
    def points(self) -> NDArray[np.uint32]:
        """Code points, shape (symbols,)."""
        return np.frombuffer(self.text.encode("utf-32-le", "surrogatepass"), np.uint32)

    @cached_property
    def _distinct(self) -> list[int]:
        there = np.zeros(int(self.points.max(initial=0)) + 1, bool)
        there[self.points] = True
        return np.flatnonzero(there).tolist()

    def where(self, test: Callable[[str], object]) -> Bools:
        """Where `test` (asked once for each distinct character) is true."""
        answers = np.zeros(max(self._distinct, default=0) + 1, bool)
        answers[[p for p in self._distinct if test(chr(p))]] = True
        return answers[self.points]

    def among(self, characters: str) -> Bools:
        """Where one of the characters stands."""
        return self.where(characters.__contains__)

    @cached_property
    def at(self) -> Counts:
        """Positions, shape (symbols,)."""
        return np.arange(len(self), dtype=np.int32)

    def latest(self, where: Bools) -> Counts:
        """The last position so far at which something is true; -1 before the first."""
        return np.maximum.accumulate(np.where(where, self.at, np.int32(-1)))

    def count(self, where: Bools, anew: Bools) -> Counts:
        """How often something was true so far, counted anew from 0 behind every position where `anew` is true."""
        total = np.cumsum(where, dtype=np.int32)
        return total - np.maximum.accumulate(np.where(anew, total, np.int32(0)))

    @cached_property
    def newline(self) -> Bools:
        """Where a line ends: at a line feed, or at a carriage return that none follows."""
        feed = self.points == 10
        alone = self.points == 13
        alone[:-1] &= ~feed[1:]
        ends: Bools = feed | alone
        return ends

    @cached_property
    def line_ends_next(self) -> Bools:
        """Before the symbol with which a line's end begins: a carriage return and a line feed are one end."""
        begins = self.newline.copy()
        pair = (self.points[:-1] == 13) & (self.points[1:] == 10)
        begins[1:][pair], begins[:-1][pair] = False, True
        return np.append(begins[1:], False)

    @cached_property
    def empty_line(self) -> Bools:
        """Where a line ends that held nothing, a carriage return left aside."""
        line = np.append(0, self.column[:-1])
        carriage = np.append(False, self.points[:-1] == 13) & (self.points == 10)
        empty: Bools = self.newline & ((line - carriage) == 0) & (self.at > 0)
        return empty

    @cached_property
    def column(self) -> Counts:
        """Symbols since the line began; 0 at the newline itself."""
        return self.at - self.latest(self.newline)

    @cached_property
    def indent(self) -> Bools:
        """Inside the blanks that a line begins with."""
        blank = self.among(" \t")
        # the last symbol that is no blank is the newline, or before the text
        leading: Bools = blank & (self.latest(~blank) == self.latest(self.newline))
        return leading

    @cached_property
    def letter(self) -> Bools:
        """Where a letter, digit or underscore stands."""
        return self.where(lambda c: c.isalnum() or c == "_")

    @cached_property
    def word(self) -> Bools:
        """Inside a run of letters, digits, underscores and apostrophes between letters."""
        word = self.letter.copy()
        apostrophe = self.among("'’")
        word[1:-1] |= apostrophe[1:-1] & self.letter[:-2] & self.letter[2:]
        return word

    @cached_property
    def word_start(self) -> Bools:
        before = np.append(False, self.word[:-1])
        starts: Bools = self.word & ~before
        return starts

    @cached_property
    def sentence_words(self) -> Counts:
        """Words that the sentence has so far, in prose.

        A sentence ends at the blank behind `.`, `!` or `?` and any closing marks, and at an empty line.
        """
        closer = self.among("\"'”’)]»")
        final = np.append(False, self.among(".!?…")[self.latest(~closer)][:-1])
        ends = (final & self.where(str.isspace)) | self.empty_line
        return self.count(self.word_start, ends)

    @cached_property
    def paragraphs(self) -> list[tuple[int, int]]:
        """Where each paragraph begins and ends, the empty line behind it included."""
        ends = [*(m.end() for m in _PARAGRAPH.finditer(self.text)), len(self)]
        return list(zip([0, *ends[:-1]], ends, strict=True))

    @cached_property
    def paragraph_start(self) -> Bools:
        """Where a paragraph begins."""
        starts = np.zeros(len(self) + 1, bool)
        starts[[start for start, _ in self.paragraphs]] = True
        return starts[:-1]

    @cached_property
    def double_mark(self) -> Bools:
        return self.among(_DOUBLE)

    @cached_property
    def quoted(self) -> Bools:
        """Inside double quotes by the characters alone; an open quote doesn't outlive its paragraph."""
        marks = np.cumsum(self.double_mark, dtype=np.int32)
        before = np.append(np.int32(0), marks[:-1])
        inside: Bools = (marks - before[self.latest(self.paragraph_start)]) % 2 == 1
        return inside

    def spans(self, query: dict[str, str]) -> dict[str, NDArray[np.int64]]:
        """Stretches that a tree-sitter query for this passage's language captures, in order.

        For each name of a capture the starts and stops, shape (captures, 2). Empty for a language without a query.
        """
        if self.language is None or self.language not in query:
            return {}
        text = query[self.language]
        if text not in self._captured:
            found = self._tree.captures(text)
            self._captured[text] = {kind: self._positions(offsets) for kind, offsets in found.items()}
        return self._captured[text]

    def captured(self, query: dict[str, str]) -> Bools:
        """True inside every node that a query captures."""
        return self.inside(np.concatenate([np.empty((0, 2), np.int64), *self.spans(query).values()]))

    @cached_property
    def strings(self) -> list[tuple[int, int, str]]:
        """Where strings of program text run: from their opening mark to before their closing one, with that mark."""
        found = self.spans(_STRINGS)
        spans = []
        for start, stop in found.get("whole", np.empty((0, 2), int)).tolist():
            prefix = len(self.text[start:stop].split('"')[0].split("'")[0])  # L, u8 …
            spans.append((start + prefix, stop - 1, self.text[start + prefix]))
        opened = []
        marks = ((*span, kind) for kind in ("open", "close") for span in found.get(kind, np.empty((0, 2), int)).tolist())
        for start, stop, kind in sorted(marks):
            if kind == "open":
                opened.append((stop - 1, self.text[start:stop].lstrip("rRbBuUfFtT")))
            elif opened:
                begin, mark = opened.pop()
                spans.append((begin, stop - 1, mark))
        return spans

    @cached_property
    def _tree(self) -> Tree:
        assert self.language is not None
        return parse(self._encoded, self.language)

    @cached_property
    def _encoded(self) -> bytes:
        return self.text.encode("latin-1") if self._latin else self.text.encode("utf-8", "surrogatepass")

    def _positions(self, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """The symbols that stand at some offsets in the encoded text."""
        if len(self._encoded) == len(self.text):
            return offsets
        return np.searchsorted(self._ends, offsets, side="right")

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        sizes = 1 + (self.points > 0x7F) + (self.points > 0x7FF) + (self.points > 0xFFFF)
        return np.cumsum(sizes)

    def inside(self, spans: Iterable[tuple[int, int]] | NDArray[np.int64]) -> Bools:
        """True on every stretch (start, stop)."""
        edges = np.array(spans if isinstance(spans, np.ndarray) else list(spans), np.int64).reshape(-1, 2)
        edges = edges[edges[:, 0] < edges[:, 1]]
        size = len(self) + 1
        change = np.bincount(edges[:, 0], minlength=size) - np.bincount(edges[:, 1], minlength=size)
        return np.cumsum(change[:-1]) > 0
