"""A text that has everything a planted unit keeps track of, and no period.

Words of random letters in lines of varying length. Paragraphs are like prose (longer lines, little indentation) or like code
(short lines, whose indentation goes up and down). Quotes and round brackets open and close between words, over the ends of
lines, too, independently of each other; all are closed at the end of their paragraph. A grammar makes nothing of it.
"""

import string

import numpy as np
from numpy.random import Generator

from rnnscope.corpora import Corpus, Vocabulary
from rnnscope.exceptions import UsageError

SYMBOLS = string.ascii_lowercase + '\n "(),.;:='
DEEPEST = 4
"""So many brackets are open at most."""
_FEWEST = 1_000


_LETTERS = np.arange(1, 27)[::-1] / np.arange(1, 27).sum()
"""How frequent each letter is."""


def planted_text(symbols: int, seed: int = 0) -> str:
    """The first `symbols` characters of the text with that seed, over `SYMBOLS`. It begins with an empty line.

    >>> planted_text(1000, seed=3) == planted_text(2000, seed=3)[:1000]
    True

    Raises `UsageError` for fewer than 1,000 symbols.
    """
    if symbols < _FEWEST:
        raise UsageError(f"a planted text has at least {_FEWEST:,} symbols, not {symbols:,}; ask for more")
    random, parts, length = np.random.default_rng(seed), ["\n"], 1
    while length < symbols:
        parts.append(_paragraph(random))
        length += len(parts[-1])
    return "".join(parts)[:symbols]


def planted_corpus(symbols: int, seed: int = 0) -> Corpus:
    """The same as a corpus; every seed has the same vocabulary."""
    return Corpus.from_text(planted_text(symbols, seed), name=f"planted {seed}", vocabulary=Vocabulary.of(SYMBOLS))


def shuffled(corpus: Corpus, seed: int = 0) -> Corpus:
    """A text of the same symbols in random order."""
    ids = np.random.default_rng(seed).permutation(corpus.ids)
    return Corpus(f"{corpus.name} shuffled {seed}", corpus.vocabulary, ids)


def _paragraph(random: Generator) -> str:
    code, marks, lines, indent = random.random() < 0.5, _Marks(random), [], 0
    count = int(random.integers(3, 12))
    for k in range(count):
        if code:
            indent = int(np.clip(indent + random.integers(-4, 5), 0, 12))
        else:
            indent = int(random.choice([0, 0, 1, 2, 3]))
        width = int(random.integers(4, 40) if code else random.integers(30, 80))
        line = ""
        while len(line) < width:
            line += (" " if line else "") + marks.around(_word(random))
        lines.append(" " * indent + line + (marks.close() if k == count - 1 else ""))
    return "\n".join(lines) + "\n\n"


def _word(random: Generator) -> str:
    letters = random.choice(26, size=1 + int(random.gamma(2.0, 2.0)), p=_LETTERS)
    mark = random.choice(list(",.;:=")) if random.random() < 0.15 else ""
    return "".join(string.ascii_lowercase[k] for k in letters) + str(mark)


class _Marks:
    """The quotes and brackets of a paragraph."""

    def __init__(self, random: Generator) -> None:
        self._random = random
        self._depth = self._words = 0  # open brackets; words until the quote closes, 0 where none is open

    def around(self, word: str) -> str:
        """A word with what opens before it and closes behind it."""
        random, before, after = self._random, "", ""
        if not self._words and random.random() < 0.08:
            before, self._words = '"', 1 + int(random.lognormal(1.5, 1.0))
        while self._depth < DEEPEST and random.random() < 0.12:
            before, self._depth = before + "(", self._depth + 1
        while self._depth and random.random() < 0.3:
            after, self._depth = after + ")", self._depth - 1
        if self._words:
            self._words -= 1
            after += "" if self._words else '"'
        return before + word + after

    def close(self) -> str:
        """Everything that is open."""
        after = ")" * self._depth + ('"' if self._words else "")
        self._depth = self._words = 0
        return after
