"""Sampling: a model writes, one symbol at a time."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import numpy as np

from rnnscope.corpora import Vocabulary
from rnnscope.exceptions import UnknownSymbolError, UsageError, expect
from rnnscope.models.threads import computing
from rnnscope.protocol import Listener, check_numbers


@runtime_checkable
class Writer(Protocol):
    """A language model that can be told a text piece by piece."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    def listen(self) -> Listener: ...


def sample(model: Writer, prompt: str | bytes = "", *, length: int = 500, temperature: float = 1.0, seed: int = 0) -> str | bytes:
    """`length` symbols that the model writes after `prompt`; the same seed gives the same text.

    `temperature` divides the log-probabilities; 0 always takes the most likely symbol. Without a prompt the model begins after
    a newline, or after its first symbol where it knows none. Raises `UnknownSymbolError` for a prompt with a symbol
    that the model doesn't know.
    """
    expect(model, Writer, "a language model that writes; rs.load(path) loads a run's")
    with computing():
        return model.vocabulary.decode(list(symbols(model, prompt, length=length, temperature=temperature, seed=seed)))


def symbols(model: Writer, prompt: str | bytes, *, length: int, temperature: float, seed: int) -> Iterator[int]:
    """The same, symbol number by symbol number."""
    if length < 0:
        raise UsageError(f"the length of a sample is at least 0, not {length}")
    if not 0 <= temperature < float("inf"):
        raise UsageError(f"the temperature is a number of at least 0, not {temperature}")
    if seed < 0:
        raise UsageError(f"the seed is at least 0, not {seed}")
    vocabulary = model.vocabulary
    try:
        read = vocabulary.encode(prompt).astype(np.int64)
    except UnknownSymbolError as error:
        raise UnknownSymbolError(error.symbol, error.position, vocabulary.kind, "prompt") from None
    if not len(read):
        read = np.array([vocabulary.values.index(10) if 10 in vocabulary.values else 0])
    generator, tell = np.random.default_rng(seed), model.listen()
    for _ in range(length):
        log_probs = tell(read)
        check_numbers("the model", log_probs)
        if temperature == 0:
            chosen = int(log_probs.argmax())
        else:
            scaled = log_probs / temperature
            heights = np.exp(scaled - scaled.max()).cumsum()
            chosen = int(np.searchsorted(heights, generator.random() * heights[-1], side="right"))
        yield chosen
        read = np.array([chosen])
