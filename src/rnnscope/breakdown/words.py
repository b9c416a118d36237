"""The words of a text, where they stand, and where they stood before."""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnnscope.corpora import Corpus

WORD = re.compile(r"(?:[^\W_]|['’])+")
"""A maximal run of letters, digits and apostrophes; case counts."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Words:
    """The words of a text in order: where each starts and stops, and its number, the same for the same word; (words,) each.

    `spelled` (different words,) is what a number stands for.
    """

    starts: Ints
    stops: Ints
    numbers: Ints
    spelled: list[str]

    @classmethod
    def of(cls, text: str) -> "Words":
        numbers: dict[str, int] = {}
        rows = [(m.start(), m.end(), numbers.setdefault(m[0], len(numbers))) for m in WORD.finditer(text)]
        starts, stops, found = np.array(rows, np.int64).reshape(-1, 3).T
        return cls(starts, stops, found, list(numbers))

    def at(self, positions: Ints) -> Ints:
        """The word that the symbol at each position is in, (positions,); −1 where it is in none."""
        if not len(self.starts):
            return np.full(len(positions), -1, np.int64)
        word = np.searchsorted(self.starts, positions, side="right") - 1
        return np.where((word >= 0) & (positions < self.stops[np.maximum(word, 0)]), word, -1)

    def before(self) -> Ints:
        """Where the same word began last before, (words,); far below 0 for the first of its kind. Time as the number of words."""
        order = np.argsort(self.numbers, kind="stable")
        again = np.flatnonzero(self.numbers[order][1:] == self.numbers[order][:-1])
        found = np.full(len(order), np.iinfo(np.int64).min // 2)
        found[order[again + 1]] = self.starts[order[again]]
        return found


def counts(corpus: Corpus) -> Counter[str]:
    """How often each word stands in a corpus, segment by segment."""
    found: Counter[str] = Counter()
    for start, stop in corpus.spans():
        found.update(m[0] for m in WORD.finditer(corpus.to_str(start, stop)))
    return found
