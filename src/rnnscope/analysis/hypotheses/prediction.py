"""What comes next, and how well the model knows it: prediction."""

from abc import abstractmethod

import numpy as np

from rnnscope.analysis.hypotheses.base import Hypothesis, Labels
from rnnscope.analysis.hypotheses.passage import Bools, Passage

_LIKELY = np.log(0.5)


class _Next(Hypothesis):
    """What the next symbol is; nobody knows it at the last one."""

    family = "prediction"
    ahead = True

    @abstractmethod
    def there(self, passage: Passage) -> Bools:
        """Where such a symbol stands."""

    def label(self, passage: Passage) -> Labels:
        return np.append(self.there(passage)[1:].astype(np.float32), np.float32(np.nan))

    def critical(self, passage: Passage, labels: Labels) -> Bools:
        return np.asarray(labels == 1)


class BeforeNewline(_Next):
    name = "before_newline"
    sentence = "whether the line ends with the very next symbol"

    def there(self, passage: Passage) -> Bools:
        return np.append(False, passage.line_ends_next[:-1])


class NextCloser(_Next):
    """By the characters alone, in program text as well: a straight quote closes where one is open in the paragraph."""

    name = "next_closer"
    sentence = "whether the next symbol closes a bracket or a quote"

    def there(self, passage: Passage) -> Bools:
        return passage.among(")]}”»") | (passage.among('"') & ~passage.quoted)


class NextSpace(_Next):
    name = "next_space"
    sentence = "whether the next symbol is a blank"

    def there(self, passage: Passage) -> Bools:
        return passage.among(" \t")


class NextCapital(_Next):
    name = "next_capital"
    sentence = "whether the next symbol is a capital letter"

    def there(self, passage: Passage) -> Bools:
        return passage.where(str.isupper)


class Entropy(Hypothesis):
    """In nats."""

    name = "entropy"
    sentence = "how uncertain the model is of the next symbol"
    family = "prediction"
    kind = "graded"
    signals = ("entropy",)

    def label(self, passage: Passage) -> Labels:
        return passage.signal("entropy")


class Error(Hypothesis):
    name = "error"
    sentence = "whether the model gives the next symbol less than half of the probability"
    family = "prediction"
    signals = ("log_prob",)
    ahead = True

    def label(self, passage: Passage) -> Labels:
        log_prob = passage.signal("log_prob")
        return np.where(np.isnan(log_prob), np.nan, log_prob < _LIKELY)
