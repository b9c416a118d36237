"""Where in the line, the paragraph, the sentence and the word: place."""

import numpy as np

from rnnscope.analysis.hypotheses.base import Hypothesis, Labels
from rnnscope.analysis.hypotheses.passage import Bools, Passage


class Column(Hypothesis):
    """The time since the newline as well."""

    name = "column"
    sentence = "how many symbols the line has so far, which is how long ago the last one ended"
    family = "place"
    kind = "graded"

    def label(self, passage: Passage) -> Labels:
        return passage.column

    def critical(self, passage: Passage, labels: Labels) -> Bools:
        return passage.line_ends_next


class LineEnd(Hypothesis):
    name = "line_end"
    sentence = "how many symbols are left until the line ends"
    family = "place"
    kind = "graded"
    ahead = True

    def label(self, passage: Passage) -> Labels:
        ends = np.flatnonzero(passage.newline)
        following = np.searchsorted(ends, passage.at, side="right")  # nobody knows the newline after the last one
        return np.append(ends, np.nan)[following] - passage.at

    def critical(self, passage: Passage, labels: Labels) -> Bools:
        return passage.line_ends_next


class Newline(Hypothesis):
    name = "newline"
    sentence = "whether a line has just ended"
    family = "place"

    def label(self, passage: Passage) -> Labels:
        return passage.newline


class Indentation(Hypothesis):
    name = "indentation"
    sentence = "how far the line is indented"
    family = "place"
    kind = "graded"

    def label(self, passage: Passage) -> Labels:
        return passage.count(passage.indent, passage.newline)


class LeadingBlank(Hypothesis):
    name = "leading_blank"
    sentence = "whether we are in the blanks that a line begins with"
    family = "place"

    def label(self, passage: Passage) -> Labels:
        return passage.indent


class InWord(Hypothesis):
    name = "in_word"
    sentence = "whether we are in a word"
    family = "place"
    ahead = True  # whether an apostrophe is in a word

    def label(self, passage: Passage) -> Labels:
        return passage.word


class WordStart(Hypothesis):
    name = "word_start"
    sentence = "whether a word has just begun"
    family = "place"

    def label(self, passage: Passage) -> Labels:
        return passage.word_start


class WordPosition(Hypothesis):
    name = "word_position"
    sentence = "how many symbols the word has so far"
    family = "place"
    kind = "graded"
    ahead = True

    def label(self, passage: Passage) -> Labels:
        return np.where(passage.word, passage.at - passage.latest(passage.word_start) + 1.0, np.nan)


class BlankLine(Hypothesis):
    name = "blank_line"
    sentence = "whether an empty line has just ended"
    family = "place"

    def label(self, passage: Passage) -> Labels:
        return passage.empty_line


class ParagraphLine(Hypothesis):
    """A line counts once it has more than blanks; one that never has ends the paragraph."""

    name = "paragraph_line"
    sentence = "how many lines the paragraph has so far"
    family = "place"
    kind = "graded"

    def label(self, passage: Passage) -> Labels:
        solid = passage.latest(~passage.among(" \t\r\n"))
        ended = np.append(np.int32(-1), passage.latest(passage.newline)[:-1])  # where the line before ended
        begins = (solid == passage.at) & (np.append(np.int32(-1), solid[:-1]) <= ended)
        return passage.count(begins, passage.newline & (solid <= ended))


class SentencePosition(Hypothesis):
    name = "sentence_position"
    sentence = "how many words the sentence has so far"
    family = "place"
    kind = "graded"

    def label(self, passage: Passage) -> Labels:
        return passage.sentence_words


class SentenceStart(Hypothesis):
    name = "sentence_start"
    sentence = "whether we are in the first word of a sentence"
    family = "place"
    ahead = True

    def label(self, passage: Passage) -> Labels:
        first: Labels = passage.word & (passage.sentence_words == 1)
        return first
