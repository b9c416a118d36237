"""`LanguageModel`: what everything that reads text has in common."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rnnscope.corpora import Corpus, Vocabulary
from rnnscope.exceptions import UsageError, expect
from rnnscope.signal import Signal

LONGEST = 1_000
"""Symbols of the longest context that a model with contexts can have."""


@dataclass(frozen=True)
class Block:
    """Signals over a stretch of one segment.

    `start` is a position in the corpus that was read. `arrays` maps a signal's name to an array of shape
    (time, unit), or (time,) for a signal without units. What stands at a position is what the model computed
    when it had read the symbol there: states after it, and the log-probability of the symbol that came next.
    """

    start: int
    arrays: dict[str, NDArray[Any]]

    @property
    def stop(self) -> int:
        return self.start + len(next(iter(self.arrays.values())))


@runtime_checkable
class LanguageModel(Protocol):
    """A network, a table of n-grams, somebody else's model, or any of them with units held: all the same from here on."""

    @property
    def name(self) -> str: ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    @property
    def signals(self) -> Sequence[Signal]: ...

    @property
    def fingerprint(self) -> str: ...

    def read(self, corpus: Corpus, signals: Sequence[str], *, block: int = 256) -> Iterator[Block]:
        """Read every segment from a fresh state and yield the named signals.

        Blocks hold at most `block` symbols; within a segment they come in order, segments may be interleaved.
        The size of the blocks never changes a value.
        """
        ...


class Listener(Protocol):
    """A text that a model is told piece by piece."""

    def __call__(self, ids: NDArray[np.int64]) -> NDArray[np.float64]:
        """Read some more symbols, (time,), at least one; the log-probability of each symbol to come next, (symbols,), nats."""
        ...


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def vocabulary(self) -> Vocabulary: ...


def check_numbers(name: str, values: NDArray[Any]) -> None:
    """Raises `UsageError` if what a model gave isn't all numbers; what it rules out is −∞ and allowed."""
    if np.isnan(values).any():
        raise UsageError(f"{name} gives probabilities that are no numbers; its weights may be damaged, or its training diverged")


def check_readable(model: _Named, corpus: Corpus) -> None:
    """Raises `UsageError` for what is no corpus, or one with another vocabulary than the model's."""
    expect(corpus, Corpus, "a Corpus; Corpus.from_text(…, vocabulary=model.vocabulary) makes one of a text")
    if corpus.vocabulary != model.vocabulary:
        raise UsageError(
            f"{corpus!r} has another vocabulary than {model.name}; read the text with the model's: "
            "Corpus.from_text(…, vocabulary=model.vocabulary)"
        )
