"""Batches: a text as streams side by side, in columns, so that a model's state can be carried along."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnnscope.corpora.corpus import Corpus


@dataclass(frozen=True)
class Streams:
    """A corpus viewed as `batch` contiguous streams, each cut in columns of `length` symbols.

    The segments are joined as they lie. `inputs` and `targets` have shape (steps, batch), a target being the symbol
    that really came next, also after the end of a segment; where nobody knows, after the end of the text, it is the
    first of the text, as in char-rnn. A last column may be shorter.
    """

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    length: int

    @classmethod
    def of(cls, corpus: Corpus, batch: int, length: int) -> "Streams":
        batch, length = shape_for(len(corpus), batch, length)
        steps = len(corpus) // batch
        after = corpus.next_ids()
        after[after < 0] = corpus.ids[0]
        inputs = corpus.ids[: batch * steps].astype(np.int64).reshape(batch, steps).T
        targets = after[: batch * steps].reshape(batch, steps).T
        return cls(np.ascontiguousarray(inputs), np.ascontiguousarray(targets), length)

    @property
    def columns(self) -> int:
        return -(-len(self.inputs) // self.length)

    @property
    def symbols(self) -> int:
        return self.inputs.size

    def column(self, k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Inputs and targets of column k, each of shape (≤ length, batch)."""
        part = slice(k * self.length, (k + 1) * self.length)
        return self.inputs[part], self.targets[part]

    def __iter__(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        return (self.column(k) for k in range(self.columns))


def shape_for(symbols: int, batch: int, length: int, columns: int = 8) -> tuple[int, int]:
    """Batch and length that leave a text at least `columns` columns: first fewer streams, then shorter ones.

    >>> shape_for(1_000_000, 32, 100), shape_for(4_000, 32, 100), shape_for(500, 32, 100)
    ((32, 100), (5, 100), (1, 62))
    """
    batch = max(1, min(batch, symbols // (columns * length)))
    return batch, max(1, min(length, symbols // (batch * columns)))
