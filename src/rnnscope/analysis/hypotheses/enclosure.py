"""What we are inside of: enclosure.

In program text quotes and brackets are those of the syntax tree, so that a bracket in a string doesn't count. In
prose they are the characters themselves; there an open quote or bracket doesn't outlive its paragraph.
"""

import re

import numpy as np
from numpy.typing import NDArray

from rnnscope.analysis.hypotheses.base import Hypothesis, Labels
from rnnscope.analysis.hypotheses.passage import Passage

STRINGS = {
    "python": "(string (string_start) @open (string_end) @close)",
    "c": "(string_literal) @whole (char_literal) @whole",
}
_PAIRS = ("()", "[]", "{}")
_PARAGRAPH = re.compile(r"\r?\n[ \t]*\r?\n")
_DOUBLE = re.compile(r'["“”]')
# Opens after anything but a letter or digit and before something; closes after something and before no letter.
_SINGLE = re.compile(r"(?P<open>(?<![\w'’])['‘](?=[^\s]))|(?P<close>(?<=\S)['’](?!\w))")


def strings(passage: Passage) -> list[tuple[int, int, str]]:
    """Where strings of program text run: from their opening mark to before their closing one, with that mark."""
    spans, opened = [], []
    for start, stop, kind in passage.spans(STRINGS):
        if kind == "whole":
            prefix = len(passage.text[start:stop].split('"')[0].split("'")[0])  # L, u8 …
            spans.append((start + prefix, stop - 1, passage.text[start + prefix]))
        elif kind == "open":
            opened.append((stop - 1, passage.text[start:stop].lstrip("rRbBuUfFtT")))
        elif opened:
            begin, mark = opened.pop()
            spans.append((begin, stop - 1, mark))
    return spans


def paragraphs(passage: Passage) -> list[tuple[int, int]]:
    """Where each paragraph begins and ends, the empty line behind it included."""
    ends = [*(m.end() for m in _PARAGRAPH.finditer(passage.text)), len(passage)]
    return list(zip([0, *ends[:-1]], ends, strict=True))


class _Quotes(Hypothesis):
    family = "enclosure"
    context = True
    mark: str

    def label(self, passage: Passage) -> Labels:
        if passage.language:
            return passage.inside([(a, b) for a, b, mark in strings(passage) if mark == self.mark])
        return passage.inside([span for start, end in paragraphs(passage) for span in self.spans(passage.text, start, end)])

    def spans(self, text: str, start: int, end: int) -> list[tuple[int, int]]:
        raise TypeError("each kind of quote says where it runs in prose")


class DoubleQuotes(_Quotes):
    name = "double_quotes"
    sentence = "whether we are inside double quotes"
    mark = '"'

    def spans(self, text: str, start: int, end: int) -> list[tuple[int, int]]:
        marks = [m.start() for m in _DOUBLE.finditer(text, start, end)]
        return list(zip(marks[::2], [*marks[1::2], end], strict=False))


class SingleQuotes(_Quotes):
    name = "single_quotes"
    sentence = "whether we are inside single quotes"
    mark = "'"

    def spans(self, text: str, start: int, end: int) -> list[tuple[int, int]]:
        found, opened = [], -1
        for match in _SINGLE.finditer(text, start, end):
            if match.lastgroup == "open" and opened < 0:
                opened = match.start()
            elif match.lastgroup == "close" and opened >= 0:
                found.append((opened, match.start()))
                opened = -1
        return found  # one that never closes was an apostrophe


def depth(passage: Passage, pairs: tuple[str, ...]) -> NDArray[np.int64]:
    """How many brackets of these pairs are open, shape (symbols,); a closer without an opener doesn't count."""
    change = np.zeros(len(passage), np.int64)
    if passage.language:
        openers, closers = (" ".join(f'"{pair[k]}"' for pair in pairs) for k in (0, 1))
        for start, _, kind in passage.spans({passage.language: f"[{openers}] @open [{closers}] @close"}):
            change[start] += 1 if kind == "open" else -1
        return _running(change)
    change += passage.among("".join(pair[0] for pair in pairs))
    change -= passage.among("".join(pair[1] for pair in pairs))
    return np.concatenate([_running(change[start:end]) for start, end in paragraphs(passage)])


def _running(change: NDArray[np.int64]) -> NDArray[np.int64]:
    total = np.cumsum(change)
    return total - np.minimum(np.minimum.accumulate(total), 0)


class _Brackets(Hypothesis):
    family = "enclosure"
    context = True
    pair: str

    def label(self, passage: Passage) -> Labels:
        return depth(passage, (self.pair,)) > 0


class RoundBrackets(_Brackets):
    name = "round_brackets"
    sentence = "whether we are inside round brackets"
    pair = "()"


class SquareBrackets(_Brackets):
    name = "square_brackets"
    sentence = "whether we are inside square brackets"
    pair = "[]"


class CurlyBrackets(_Brackets):
    name = "curly_brackets"
    sentence = "whether we are inside curly brackets"
    pair = "{}"


class BracketDepth(Hypothesis):
    name = "bracket_depth"
    sentence = "how many brackets of any kind are open"
    family = "enclosure"
    context = True
    kind = "graded"

    def label(self, passage: Passage) -> Labels:
        return depth(passage, _PAIRS)
