"""A model's errors on a part of a text, and what is known about them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rnnscope.breakdown.words import Ints, Words, counts
from rnnscope.corpora import Corpus

HALF = 0.5
"""An error is a symbol whose probability was below it. Source: PAPER section 7."""


@dataclass(frozen=True)
class Mistakes:
    """Where a model is wrong: `at` (errors,) are places in the whole text, of symbols that had the `probability` (errors,).

    `whole` is the text, `train` the part that models learned from. `symbols` is how many were predicted, right ones included.
    """

    whole: Corpus
    train: Corpus
    at: Ints
    probability: NDArray[np.float64]
    symbols: int

    def __len__(self) -> int:
        return len(self.at)

    @cached_property
    def text(self) -> str:
        """The whole text; what stands before an error is known, beyond the edges of the part that was read, too."""
        return self.whole.to_str()

    @cached_property
    def characters(self) -> list[str]:
        """The symbols that were got wrong, and …"""
        return [self.text[i] for i in self.at.tolist()]

    @cached_property
    def previous(self) -> list[str]:
        """… the ones before them; nothing at the beginning of the text."""
        return [self.text[i - 1] if i else "" for i in self.at.tolist()]

    @cached_property
    def words(self) -> Words:
        return Words.of(self.text)

    @cached_property
    def word(self) -> Ints:
        """The word of `words` that each error is in, (errors,); −1 where it is in none."""
        return self.words.at(self.at)

    @cached_property
    def train_counts(self) -> Ints:
        """How often the word that each error is in stands in the training text, (errors,); −1 where it is in none."""
        known = counts(self.train)
        often = np.array([known[spelled] for spelled in self.words.spelled] or [0], np.int64)
        return np.where(self.word < 0, -1, often[self.words.numbers[np.maximum(self.word, 0)]] if len(self.words.numbers) else -1)
