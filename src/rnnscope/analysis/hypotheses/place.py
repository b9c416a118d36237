"""Where in the line, in the word: place."""

import numpy as np

from rnnscope.analysis.hypotheses.base import Hypothesis, Labels
from rnnscope.analysis.hypotheses.passage import Passage


class Column(Hypothesis):
    name = "column"
    sentence = "how many symbols the line has so far"
    family = "place"
    kind = "graded"

    def label(self, passage: Passage) -> Labels:
        return passage.column


class LineEnd(Hypothesis):
    name = "line_end"
    sentence = "how many symbols are left until the line ends"
    family = "place"
    kind = "graded"

    def label(self, passage: Passage) -> Labels:
        at = np.arange(len(passage), dtype=float)
        # the next newline after each position; nobody knows it after the last one
        following = np.where(passage.newline, at, np.inf)[::-1]
        ends = np.minimum.accumulate(following)[::-1]
        ends = np.append(ends[1:], np.inf) - at
        return np.where(np.isfinite(ends), ends, np.nan)


class BeforeNewline(Hypothesis):
    name = "before_newline"
    sentence = "whether the line ends with the very next symbol"
    family = "place"

    def label(self, passage: Passage) -> Labels:
        begins = passage.newline.copy()  # a carriage return and a line feed are one line end, which begins with the first
        pair = (passage.points[:-1] == 13) & (passage.points[1:] == 10)
        begins[1:][pair], begins[:-1][pair] = False, True
        return np.append(begins[1:].astype(float), np.nan)


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
        total = np.cumsum(passage.indent)
        line = np.maximum.accumulate(np.where(passage.newline, np.arange(len(passage)), -1))
        return total - np.where(line >= 0, total[line], 0)


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

    def label(self, passage: Passage) -> Labels:
        at = np.arange(len(passage))
        start = np.maximum.accumulate(np.where(passage.word_start, at, -1))
        return np.where(passage.word, at - start + 1.0, np.nan)


class BlankLine(Hypothesis):
    name = "blank_line"
    sentence = "whether an empty line has just ended"
    family = "place"

    def label(self, passage: Passage) -> Labels:
        line = np.append(0, passage.column[:-1])  # what the line held before this symbol, a carriage return left aside
        carriage = np.append(False, passage.points[:-1] == 13) & (passage.points == 10)
        empty: Labels = passage.newline & ((line - carriage) == 0) & (np.arange(len(passage)) > 0)
        return empty
