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
    ahead = True  # whether an apostrophe is in a word

    def label(self, passage: Passage) -> Labels:
        capital = passage.word_start & passage.where(str.isupper)
        within: Labels = passage.word & (passage.latest(capital) == passage.latest(passage.word_start))
        return within


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


class PreviousSymbol(Hypothesis):
    """A category is a code point, or a byte."""

    name = "previous_symbol"
    sentence = "which symbol stood before the last one"
    family = "content"
    kind = "categorical"

    def label(self, passage: Passage) -> Labels:
        return np.append(np.nan, passage.points[:-1])

    def category(self, value: int) -> str:
        return repr(chr(value))


class WordClass(Hypothesis):
    """The class of a run of letters, digits and underscores is that of what has been read of it."""

    name = "word_class"
    sentence = "which class of word or mark we are in, as far as it has been read"
    family = "content"
    kind = "categorical"
    classes = (
        "blank", "newline", "lower-case word", "capitalised word", "upper-case word", "number", "mixed word", "punctuation",
    )  # fmt: skip

    def label(self, passage: Passage) -> Labels:
        within, upper = passage.letter, passage.where(str.isupper)
        alpha = passage.where(str.isalpha)
        begins = within & ~np.append(False, within[:-1])
        capitals = passage.count(upper & within, ~within)
        digits = passage.count(passage.where(str.isalnum) & ~alpha, ~within)
        others = passage.count(within & (passage.points == ord("_")), ~within)
        small = passage.count(alpha & ~upper, ~within)
        first = passage.latest(begins & upper) == passage.latest(begins)
        cases = [
            passage.newline,
            passage.where(str.isspace),
            ~within,
            (others > 0) | ((digits > 0) & (capitals + small > 0)),
            digits > 0,
            capitals == 0,
            (capitals == 1) & first,
            small == 0,
        ]
        return np.select(cases, [1, 0, 7, 6, 5, 2, 3, 4], 6)

    def category(self, value: int) -> str:
        return self.classes[value]
