"""How long ago something was: time since. `column` is the time since the newline."""

from abc import abstractmethod

import numpy as np

from rnnscope.analysis.hypotheses.base import Hypothesis, Labels
from rnnscope.analysis.hypotheses.passage import Bools, Passage


class _Since(Hypothesis):
    """Symbols since the last mark, 0 at the mark itself; NaN before the first."""

    family = "since"
    kind = "graded"

    @abstractmethod
    def marks(self, passage: Passage) -> Bools: ...

    def label(self, passage: Passage) -> Labels:
        last = passage.latest(self.marks(passage))
        return np.where(last >= 0, passage.at - last, np.float32(np.nan))


class SinceQuote(_Since):
    name = "since_quote"
    sentence = "how many symbols ago the last quotation mark was"

    def marks(self, passage: Passage) -> Bools:
        return passage.among('"“”«»')


class SinceOpen(_Since):
    name = "since_open"
    sentence = "how many symbols ago the last bracket of any kind opened"

    def marks(self, passage: Passage) -> Bools:
        return passage.among("([{")


class SinceCapital(_Since):
    name = "since_capital"
    sentence = "how many symbols ago the last capital letter was"

    def marks(self, passage: Passage) -> Bools:
        return passage.where(str.isupper)


class SinceBlankLine(_Since):
    name = "since_blank_line"
    sentence = "how many symbols ago the last empty line ended"

    def marks(self, passage: Passage) -> Bools:
        return passage.empty_line


class SinceSentence(_Since):
    name = "since_sentence"
    sentence = "how many symbols ago the last full stop, exclamation mark or question mark was"

    def marks(self, passage: Passage) -> Bools:
        return passage.among(".!?")
