"""What stands there: content."""

import numpy as np

from rnnscope.analysis.hypotheses.base import Hypothesis, Labels
from rnnscope.analysis.hypotheses.passage import Passage


class UpperCase(Hypothesis):
    name = "upper_case"
    sentence = "whether the last symbol was a capital letter"
    family = "content"

    def label(self, passage: Passage) -> Labels:
        return passage.where(str.isupper)


class CapitalWord(Hypothesis):
    name = "capital_word"
    sentence = "whether we are in a word that begins with a capital letter"
    family = "content"

    def label(self, passage: Passage) -> Labels:
        at = np.arange(len(passage))
        start = np.maximum.accumulate(np.where(passage.word_start, at, 0))
        return passage.word & passage.where(str.isupper)[start]


class Digit(Hypothesis):
    name = "digit"
    sentence = "whether the last symbol was a digit"
    family = "content"

    def label(self, passage: Passage) -> Labels:
        return passage.where(str.isdigit)


class Punctuation(Hypothesis):
    name = "punctuation"
    sentence = "whether the last symbol was a punctuation mark"
    family = "content"

    def label(self, passage: Passage) -> Labels:
        return passage.where(lambda c: c.isprintable() and not c.isalnum() and not c.isspace() and c != "_")
