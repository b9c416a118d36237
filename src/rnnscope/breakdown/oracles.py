"""Oracles: rules that each remove one kind of error. Source: PAPER section 7.

They peel a model's errors one after the other: what an oracle removes no later one sees. A user's own is a small class with a
name, a category and `removes`, or `oracle(name, function)`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnscope.breakdown.mistakes import HALF, Mistakes
from rnnscope.exceptions import UsageError, expect, so_many
from rnnscope.ngrams import NGramLM

Bools = NDArray[np.bool_]

QUOTES = '"“”«»„‟‹›`'
BLANKS = " \r\n"


class Oracle(ABC):
    """Removes one kind of error. `name` tells it from the others, `category` says under what it is summed up.

    `sentence` says which errors it removes.
    """

    name: str
    category: str
    sentence: str

    @abstractmethod
    def removes(self, mistakes: Mistakes) -> Bools:
        """Which of the errors it removes, (errors,), whatever other oracles do."""

    def __repr__(self) -> str:
        return f"<oracle {self.name}: {self.sentence}>"


class NGrams(Oracle):
    """Some n-gram model gives the symbol a probability above one half, after the running text, not only its segment."""

    category = "n-gram"

    def __init__(self, contexts: Sequence[int] = tuple(range(1, 10)), model: NGramLM | None = None) -> None:
        if not contexts:
            raise UsageError("an oracle of n-grams needs a context; expected such as range(1, 10)")
        self.contexts, self._model = tuple(contexts), model
        self.name = f"{min(contexts)}-{max(contexts)}-gram" if len(self.contexts) > 1 else f"{self.contexts[0]}-gram"
        span = self.name.removesuffix("-gram")
        self.sentence = f"an n-gram model with a context of {span} {'symbol' if span == '1' else 'symbols'} gets it right"

    def removes(self, mistakes: Mistakes) -> Bools:
        model = self._fitted(mistakes)
        found = np.zeros(len(mistakes), np.bool_)
        known = np.flatnonzero(mistakes.at > 0)  # the first symbol of a text has nothing before it
        for context in self.contexts:
            log_prob = model.shorter(context).at(mistakes.whole, mistakes.at[known] - 1, ["log_prob"])["log_prob"]
            found[known] |= log_prob > np.log(HALF)
        return found

    def _fitted(self, mistakes: Mistakes) -> NGramLM:
        if self._model is None or not np.array_equal(self._model.tree.ids, mistakes.train.ids):
            self._model = NGramLM.fit(mistakes.train, max(self.contexts))
        return self._model


class Memory(Oracle):
    """A memory of the last n symbols: inside a word, behind its first symbol, and the same word began in the n symbols before.

    Time grows as the text, however long the memory.
    """

    category = "memory"

    def __init__(self, symbols: int) -> None:
        self.symbols, self.name = symbols, f"memory {symbols}"
        self.sentence = f"the word stands in the {so_many(symbols, 'symbols')} before"

    def removes(self, mistakes: Mistakes) -> Bools:
        word = np.maximum(mistakes.word, 0)
        if not len(mistakes.words.starts):
            return np.zeros(len(mistakes), np.bool_)
        inside = (mistakes.word >= 0) & (mistakes.at > mistakes.words.starts[word])
        found: Bools = inside & (mistakes.words.before()[word] >= mistakes.at - self.symbols)
        return found


class RareWord(Oracle):
    """The word that it is in stands at most n times in the training text."""

    category = "rare word"

    def __init__(self, times: int) -> None:
        self.times, self.name = times, f"rare word {times}"
        self.sentence = f"the training text holds the word {so_many(times, 'times')} at most"

    def removes(self, mistakes: Mistakes) -> Bools:
        found: Bools = (mistakes.train_counts >= 0) & (mistakes.train_counts <= self.times)
        return found


class WordModel(Oracle):
    """It comes right after a space, a quote or a newline: which word comes next would have to be known."""

    name = category = "word model"
    sentence = "it comes right after a space, a quote or a newline"

    def removes(self, mistakes: Mistakes) -> Bools:
        return np.array([bool(before) and before in BLANKS + QUOTES for before in mistakes.previous], np.bool_)


class Punctuation(Oracle):
    """It is neither a letter nor a digit, a blank, a quote or an apostrophe."""

    name = category = "punctuation"
    sentence = "it is punctuation"

    def removes(self, mistakes: Mistakes) -> Bools:
        return np.array([is_punctuation(character) for character in mistakes.characters], np.bool_)


class Boost(Oracle):
    """It would pass one half if its probability were raised by so much."""

    category = "boost"

    def __init__(self, by: float) -> None:
        self.by, self.name = by, f"boost {by:g}"
        self.sentence = f"{by:g} more probability would make it right"

    def removes(self, mistakes: Mistakes) -> Bools:
        found: Bools = mistakes.probability + self.by > HALF
        return found


class _Own(Oracle):
    def __init__(self, name: str, function: Callable[[Mistakes], Any], category: str, sentence: str) -> None:
        self.name, self._function, self.category, self.sentence = name, function, category, sentence

    def removes(self, mistakes: Mistakes) -> Bools:
        return np.asarray(self._function(mistakes))


def oracle(name: str, function: Callable[[Mistakes], Any], *, category: str | None = None, sentence: str | None = None) -> Oracle:
    """An oracle of one's own: a function from `Mistakes` to a boolean for each error.

    Errors that it removes are summed up under its name, or under a `category`; `sentence` says which they are.

    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("".join(f"{k} and {k * k}, " for k in range(300)))
    >>> ngram = rs.NGramLM.fit(text.split("train"), context=2)
    >>> digits = rs.oracle("digit", lambda mistakes: [c.isdigit() for c in mistakes.characters])
    >>> rs.errors(ngram, text, [digits]).table["oracle"].tolist()
    ['digit', 'left']
    """
    expect(name, str, "the name of a rule")
    expect(function, Callable, "a function of the mistakes that says which of them it removes")  # type: ignore[arg-type]
    return _Own(name, function, category or name, sentence or f"the rule {name!r} says so")


def oracles() -> list[Oracle]:
    """The paper's, in its order. Source: PAPER section 7.

    >>> [each.name for each in oracles()][:3], len(oracles())
    (['1-9-gram', 'memory 100', 'memory 500'], 18)
    """
    return [
        NGrams(),
        *(Memory(n) for n in (100, 500, 1000, 5000)),
        *(RareWord(n) for n in range(6)),
        WordModel(),
        Punctuation(),
        *(Boost(by / 10) for by in range(1, 6)),
    ]


def is_punctuation(character: str) -> bool:
    return not (character.isalnum() or character.isspace() or character in QUOTES + "'’‘")
