"""What we are inside of: enclosure.

In program text quotes and brackets are those of the syntax tree, so that a bracket in a string doesn't count. In
prose they are the characters themselves; there an open quote or bracket doesn't outlive its paragraph.
"""

import re

import numpy as np
from numpy.typing import NDArray

from rnnscope.analysis.hypotheses.base import Hypothesis, Labels
from rnnscope.analysis.hypotheses.passage import Bools, Counts, Passage

_PAIRS = ("()", "[]", "{}")
_BRACKETS = " ".join(f'"{pair[0]}" @open{k} "{pair[1]}" @close{k}' for k, pair in enumerate(_PAIRS))
# Opens after anything but a letter or digit and before something; closes after something and before no letter.
_SINGLE = re.compile(r"(?P<open>(?<![\w'’])['‘](?=[^\s]))|(?P<close>(?<=\S)['’](?!\w))")
_URL = re.compile(r"(?<![A-Za-z0-9])(?:(?:https?|ftp)://|www\.)")


class _Quotes(Hypothesis):
    family = "enclosure"
    context = True
    mark: str

    def label(self, passage: Passage) -> Labels:
        if passage.language:
            return passage.inside([(a, b) for a, b, mark in passage.strings if mark == self.mark])
        return self.prose(passage)

    def prose(self, passage: Passage) -> Bools:
        raise TypeError("each kind of quote says where it runs in prose")


class DoubleQuotes(_Quotes):
    name = "double_quotes"
    sentence = "whether we are inside double quotes"
    mark = '"'

    def prose(self, passage: Passage) -> Bools:
        return passage.quoted


class SingleQuotes(_Quotes):
    name = "single_quotes"
    sentence = "whether we are inside single quotes"
    mark = "'"
    ahead = True  # one that never closes was an apostrophe

    def prose(self, passage: Passage) -> Bools:
        return passage.inside(_single_quotes(passage))


def _single_quotes(passage: Passage) -> list[tuple[int, int]]:
    spans = []
    for start, end in passage.paragraphs:
        opened = -1
        for match in _SINGLE.finditer(passage.text, start, end):
            if match.lastgroup == "open" and opened < 0:
                opened = match.start()
            elif match.lastgroup == "close" and opened >= 0:
                spans.append((opened, match.start()))
                opened = -1
    return spans


def depth(passage: Passage, pairs: tuple[str, ...]) -> Counts:
    """How many brackets of these pairs are open, shape (symbols,); a closer without an opener doesn't count."""
    if passage.language:
        found = passage.spans({passage.language: _BRACKETS})
        change = np.zeros(len(passage), np.int32)
        for pair in pairs:
            for kind, by in (("open", 1), ("close", -1)):
                name = f"{kind}{_PAIRS.index(pair)}"
                if name in found:
                    change[found[name][:, 0]] = by
        return _running(change, np.zeros(len(passage), np.int64))
    change = passage.among("".join(pair[0] for pair in pairs)).astype(np.int32)
    change -= passage.among("".join(pair[1] for pair in pairs))
    return _running(change, np.cumsum(passage.paragraph_start))


def _running(change: NDArray[np.int32], paragraph: NDArray[np.int64]) -> Counts:
    """The sum of changes so far in each paragraph (numbered upwards), never below 0."""
    # each paragraph is lowered below all that came before, so that the lowest sum so far is one of its own
    total = np.cumsum(change) - paragraph * (2 * len(change) + 2)
    start = np.append(True, paragraph[1:] != paragraph[:-1])
    floor = np.minimum.accumulate(np.where(start, np.minimum(total, total - change), total))
    return (total - floor).astype(np.int32)


def bracket_pairs(passage: Passage, pair: str) -> NDArray[np.int64]:
    """Where brackets of a pair open and close, (pairs, 2), in the order of the closers. One without a partner is in none."""
    if passage.language:
        if pair not in _PAIRS:
            return np.empty((0, 2), np.int64)
        found = passage.spans({passage.language: _BRACKETS})
        k = _PAIRS.index(pair)
        ends = [found.get(f"{kind}{k}", np.empty((0, 2), np.int64))[:, 0] for kind in ("open", "close")]
        ends.append(np.empty(0, np.int64))
    else:
        ends = [np.flatnonzero(passage.points == ord(mark)) for mark in pair]
        ends.append(np.flatnonzero(passage.paragraph_start))
    events = sorted((at, kind) for kind, places in zip((1, 2, 0), ends, strict=True) for at in places.tolist())
    opened: list[int] = []
    pairs = []
    for at, kind in events:
        if kind == 0:
            opened.clear()
        elif kind == 1:
            opened.append(at)
        elif opened:
            pairs.append((opened.pop(), at))
    return np.array(pairs, np.int64).reshape(-1, 2)


def quote_pairs(passage: Passage, pair: str) -> NDArray[np.int64]:
    """Where quotes of a kind, double or single, open and close, (pairs, 2)."""
    if passage.language:
        return np.array([(a, b) for a, b, mark in passage.strings if mark == pair[0]], np.int64).reshape(-1, 2)
    if pair[0] == SingleQuotes.mark:
        return np.array(_single_quotes(passage), np.int64).reshape(-1, 2)
    opens = np.flatnonzero(passage.double_mark & passage.quoted)
    closes = np.flatnonzero(passage.double_mark & ~passage.quoted)
    place = np.searchsorted(closes, opens)
    closed = place < len(closes)
    closed[:-1] &= place[1:] > place[:-1]  # one that another follows was never closed
    return np.stack([opens[closed], closes[place[closed]]], axis=1)


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


class _Depth(Hypothesis):
    family = "enclosure"
    context = True
    kind = "graded"
    pairs: tuple[str, ...]

    def label(self, passage: Passage) -> Labels:
        return depth(passage, self.pairs)


class BracketDepth(_Depth):
    name = "bracket_depth"
    sentence = "how many brackets of any kind are open"
    pairs = _PAIRS


class RoundDepth(_Depth):
    name = "round_depth"
    sentence = "how many round brackets are open"
    pairs = ("()",)


class SquareDepth(_Depth):
    name = "square_depth"
    sentence = "how many square brackets are open"
    pairs = ("[]",)


class CurlyDepth(_Depth):
    name = "curly_depth"
    sentence = "how many curly brackets are open"
    pairs = ("{}",)


class Tag(Hypothesis):
    """From the symbol that tells a tag from a mere `<`, to before its `>` or the end of the paragraph. Not in program text."""

    name = "tag"
    sentence = "whether we are inside a tag of markup"
    family = "enclosure"

    def label(self, passage: Passage) -> Labels:
        if passage.language:
            return np.full(len(passage), np.nan)
        behind = np.append(False, passage.points[:-1] == ord("<"))
        opened = passage.latest(behind & passage.where(lambda c: c.isalpha() or c in "/!"))
        ended = passage.latest((passage.points == ord(">")) | passage.paragraph_start)
        return opened > ended


class Url(Hypothesis):
    """From the end of `http://`, `https://`, `ftp://` or `www.` to before a blank, a quote or a bracket."""

    name = "url"
    sentence = "whether we are inside a URL"
    family = "enclosure"

    def label(self, passage: Passage) -> Labels:
        begins = np.zeros(len(passage), bool)
        begins[[match.end() - 1 for match in _URL.finditer(passage.text)]] = True
        ends = passage.where(lambda c: c.isspace() or c in "\"'<>()[]{}“”‘’«»`")
        return passage.latest(begins) > passage.latest(ends)
