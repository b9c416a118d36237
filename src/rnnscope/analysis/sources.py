"""Where the values of units come from: a trace, or a model that reads."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from rnnscope.analysis.labels import PIECE
from rnnscope.corpora import Corpus
from rnnscope.exceptions import InputError
from rnnscope.protocol import LanguageModel
from rnnscope.signal import Signal, representations, select
from rnnscope.traces import Trace

Arrays = dict[str, NDArray[Any]]

_WINDOW, _WINDOWS, _ROWS, _HEAD = 256, 64, 16_384, 65_536


@runtime_checkable
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
        kept = self.kept(names)
        starts, ends = _windows(self.corpus, side_by_side=not kept)
        positions = np.concatenate([np.arange(a, b) for a, b in zip(starts, ends, strict=True)])
        if kept:
            return {name: np.concatenate([self.trace[name][a:b] for a, b in zip(starts, ends, strict=True)]) for name in names}
        return self.trace.source.windows(names, positions[:: -(-len(positions) // _ROWS)])


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
        """Of the first `_HEAD` symbols, as many of them as of a trace: a model can't begin in the middle of a text."""
        head = self.corpus.head(min(len(self.corpus), _HEAD))
        every = -(-len(head) // _ROWS)
        found: Arrays = {}
        for block in self.model.read(head, names):
            rows = np.arange(-block.start % every, block.stop - block.start, every)
            for name, value in block.arrays.items():
                into = found.setdefault(name, np.empty((-(-len(head) // every), *value.shape[1:]), value.dtype))
                into[(block.start + rows) // every] = value[rows]
        return found


def with_units(source: Source, patterns: str | Sequence[str] | None) -> list[Signal]:
    """The signals that match and have units; without patterns the states, or the hidden layer of a model without them.

    Raises `InputError` where there is none.
    """
    chosen = representations(source.signals) if patterns is None else select(source.signals, patterns)
    signals = [s for s in chosen if s.size]
    if not signals:
        lost = source.trace.lost if isinstance(source, FromTrace) else ""
        raise InputError(
            lost
            or f"{source.name} has no units to score in {patterns or 'its states'}; record and name signals such as 'layer*/hidden'"
        )
    return signals


def _windows(corpus: Corpus, *, side_by_side: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where windows from all over the text begin and end, each inside a segment.

    With `side_by_side`, at a few distances from the beginnings of segments, in all of them: those are computed together.
    """
    spans = list(corpus.spans())
    starts = np.concatenate([np.arange(start, stop, _WINDOW) for start, stop in spans])
    ends = np.concatenate([np.minimum(np.arange(start, stop, _WINDOW) + _WINDOW, stop) for start, stop in spans])
    if side_by_side and len(spans) > 1:
        offsets = (starts - np.repeat(corpus.bounds[:-1], -(-np.diff(corpus.bounds) // _WINDOW))) // _WINDOW
        count = max(2, _WINDOWS // len(spans))
        chosen = np.isin(offsets, np.unique(np.linspace(0, offsets.max(), count + 2).astype(np.int64)[1:-1])) | (offsets.max() < 2)
        return starts[chosen], ends[chosen]
    chosen = np.unique(np.linspace(0, len(starts) - 1, min(_WINDOWS, len(starts))).astype(np.int64))
    return starts[chosen], ends[chosen]
