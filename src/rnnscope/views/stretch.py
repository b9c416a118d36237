"""Stretches of text coloured by a unit, as plain data."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnscope.analysis.labels import middle
from rnnscope.signal import Signal
from rnnscope.traces import Trace
from rnnscope.views.signs import glyphs

LENGTH = 720
_SHOWN_MORE = 0.3  # a share of true labels beyond which a stretch shows no more of them


@dataclass(frozen=True)
class Stretch:
    """A stretch of text: one character for each symbol, the unit's value from −1 to 1, and whether the claim holds.

    `start` is its position in the recorded text; `marks` is None for a graded hypothesis.
    """

    start: int
    text: str
    values: NDArray[np.float32]
    marks: NDArray[np.bool_] | None

    def to_json(self) -> dict[str, Any]:
        """What the front end's `mount` takes as its source."""
        return {
            "start": self.start,
            "text": self.text,
            "values": _base64(np.rint(self.values * 127).astype(np.int8)),
            "marks": None if self.marks is None else _base64(self.marks.astype(np.uint8)),
        }


def stretch(
    trace: Trace, signal: str, unit: int, labels: NDArray[np.float32], *, binary: bool = True, length: int = LENGTH
) -> Stretch:
    """A stretch from the half of the text that scores are reported on, coloured by a unit.

    It is chosen by the labels alone, never by how well the unit does: the one with most to see of the claim.
    """
    start, stop = _choose(trace, labels, binary, length)
    values = trace[signal][start:stop, unit]
    [described] = [s for s in trace.signals if s.name == signal]
    marks = labels[start:stop] > 0 if binary else None
    return Stretch(start, glyphs(trace.corpus.to_str(start, stop), trace.corpus.vocabulary.kind), shade(values, described), marks)


def shade(values: NDArray[Any], signal: Signal) -> NDArray[np.float32]:
    """Values as a colour shows them, from −1 to 1: tanh of an unbounded signal (as in the paper), a gate around ½."""
    if signal.low is None or signal.high is None:
        squashed: NDArray[np.float32] = np.tanh(values, dtype=np.float32)
        return squashed
    middle, half = (signal.low + signal.high) / 2, (signal.high - signal.low) / 2
    return ((values.astype(np.float32) - middle) / half).astype(np.float32)


def _choose(trace: Trace, labels: NDArray[np.float32], binary: bool, length: int) -> tuple[int, int]:
    first = middle(len(trace))
    newline = np.flatnonzero(np.isin(trace.corpus.ids, _newlines(trace))) + 1
    best, chosen = -np.inf, (first, min(first + length, len(trace)))
    truth = np.nan_to_num(labels).astype(np.float64)
    sums, squares = (np.concatenate([[0.0], np.cumsum(v)]) for v in (truth, truth**2))
    onsets = np.concatenate([[0.0], np.cumsum(np.diff(truth, prepend=0.0) > 0)])
    for start, stop in trace.corpus.spans():
        low, high = max(start, first), stop - min(length, stop - start)
        places = np.concatenate([newline[(newline >= low) & (newline <= high)], [low] if low <= high else []]).astype(int)
        if not len(places):
            continue
        ends = np.minimum(places + length, stop)
        mean = (sums[ends] - sums[places]) / (ends - places)
        if binary:
            worth = np.minimum(np.minimum(mean, 1 - mean), _SHOWN_MORE) + 0.02 * np.minimum(onsets[ends] - onsets[places], 6)
        else:
            worth = (squares[ends] - squares[places]) / (ends - places) - mean**2
        k = int(np.argmax(worth))
        if worth[k] > best:
            best, chosen = float(worth[k]), (int(places[k]), int(ends[k]))
    return chosen


def _newlines(trace: Trace) -> list[int]:
    values = trace.corpus.vocabulary.values
    return [values.index(10)] if 10 in values else []


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")
