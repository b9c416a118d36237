"""What a recording of an n-gram didn't keep: looked up again, which needs no state."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnnscope.corpora import Corpus
from rnnscope.signal import Signal

if TYPE_CHECKING:
    from rnnscope.ngrams.model import NGramLM


class Recomputation:
    """Any window of any signal of `model` on `corpus`; what a trace asks for what it didn't keep (`traces.trace.Source`)."""

    def __init__(self, model: "NGramLM", corpus: Corpus) -> None:
        self._model, self._corpus = model, corpus

    def find(self, patterns: str | Iterable[str]) -> list[Signal]:
        return self._model.find(patterns)

    def windows(self, names: Sequence[str], positions: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """Signals at some positions of the text, in any order: each (positions, units) or (positions,)."""
        return self._model.at(self._corpus, positions, names)

    def blocks(self, names: Sequence[str]) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
        """Signals over the whole text: (first position, values (time, units))."""
        return ((block.start, block.arrays) for block in self._model.read(self._corpus, names, block=2**16))
