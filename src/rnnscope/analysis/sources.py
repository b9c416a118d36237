"""Where the values of units come from: a trace, or a model that reads."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rnnscope.corpora import Corpus
from rnnscope.protocol import LanguageModel
from rnnscope.signal import Signal
from rnnscope.traces import Trace

Arrays = dict[str, NDArray[Any]]

PIECE = 8_192
"""Symbols that are read from the disk at once."""
_WINDOW, _WINDOWS, _ROWS = 256, 64, 16_384


class Source(Protocol):
    """Signals over a text, in stretches, in any order."""

    @property
    def name(self) -> str: ...

    @property
    def corpus(self) -> Corpus: ...

    @property
    def signals(self) -> Sequence[Signal]: ...

    def stretches(self, names: Sequence[str], start: int, stop: int) -> Iterator[tuple[int, Arrays]]:
        """(first position, arrays (time, units)) until every position from `start` to before `stop` was there once."""
        ...

    def sample(self, names: Sequence[str]) -> Arrays:
        """Values from all over the text, each (rows, units): some ten thousand rows, or all there are."""
        ...


class FromTrace:
    """What a trace keeps, in the order of the text, or what it computes, in the order in which it was read."""

    def __init__(self, trace: Trace) -> None:
        self.trace, self.corpus, self.signals, self.name = trace, trace.corpus, trace.signals, repr(trace)

    def kept(self, names: Sequence[str]) -> bool:
        return set(names) <= {s.name for s in self.trace.kept}

    def stretches(self, names: Sequence[str], start: int, stop: int) -> Iterator[tuple[int, Arrays]]:
        if not self.kept(names):
            for first, arrays in self.trace.source.blocks(names):
                length = len(arrays[names[0]])
                low, high = max(start - first, 0), min(stop - first, length)
                if low < high:
                    yield first + low, {name: value[low:high] for name, value in arrays.items()}
            return
        for first in range(start, stop, PIECE):
            last = min(first + PIECE, stop)
            yield first, {name: self.trace[name][first:last] for name in names}

    def sample(self, names: Sequence[str]) -> Arrays:
        positions = _spread(self.corpus, PIECE if self.kept(names) else _WINDOW)
        if len(positions) == len(self.corpus) or self.kept(names):
            return {name: self.trace[name][positions] for name in names}
        return self.trace.source.windows(names, positions)


class FromModel:
    """What a model computes while it reads a text; nothing is kept."""

    def __init__(self, model: LanguageModel, corpus: Corpus) -> None:
        self.model, self.corpus, self.signals, self.name = model, corpus, model.signals, model.name

    def stretches(self, names: Sequence[str], start: int, stop: int) -> Iterator[tuple[int, Arrays]]:
        for block in self.model.read(self.corpus, names):
            low, high = max(start - block.start, 0), min(stop, block.stop) - block.start
            if low < high:
                yield block.start + low, {name: value[low:high] for name, value in block.arrays.items()}

    def sample(self, names: Sequence[str]) -> Arrays:
        head = self.corpus.head(min(len(self.corpus), _ROWS))
        found: Arrays = {}
        for block in self.model.read(head, names):
            for name, value in block.arrays.items():
                found.setdefault(name, np.empty((len(head), *value.shape[1:]), value.dtype))[block.start : block.stop] = value
        return found


def _spread(corpus: Corpus, window: int) -> NDArray[np.int64]:
    """Positions all over the text in windows that begin a multiple of `window` after the beginning of a segment."""
    if len(corpus) <= _ROWS:
        return np.arange(len(corpus))
    starts = np.concatenate([np.arange(start, stop, window) for start, stop in corpus.spans()])
    ends = np.concatenate([np.minimum(np.arange(start, stop, window) + window, stop) for start, stop in corpus.spans()])
    # the same distance from the beginning in every segment: segments are computed side by side
    offsets = starts - np.repeat(corpus.bounds[:-1], -(-np.diff(corpus.bounds) // window))
    distances = np.unique(offsets)
    share = max(1, round(min(_WINDOWS * _WINDOW // window, len(starts)) / len(starts) * len(distances)))
    chosen = np.isin(offsets, distances[np.linspace(0, len(distances) - 1, share).astype(np.int64)])
    positions = np.concatenate([np.arange(a, b) for a, b in zip(starts[chosen], ends[chosen], strict=True)])
    return positions[:: -(-len(positions) // _ROWS)]
