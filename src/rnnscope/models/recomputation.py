"""Recomputation: what a recording didn't keep, from the states that it kept.

The passages that a window lies in are computed again as they were when the text was read: the same rows side by side, from
the same states, in the same shapes. So each value has the bits that recording it would have given.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnscope.corpora import Corpus
from rnnscope.exceptions import UsageError
from rnnscope.models.passages import MARK, Ints, Passage, Plan
from rnnscope.models.recurrent import Carried, Recurrent
from rnnscope.models.threads import computing

States = Callable[[Ints], dict[str, NDArray[Any]]]
"""From marks to the states that were kept there, each (marks, …)."""


class Recomputation:
    """Any window of any signal of `model` on `corpus`, which was read in the order of `plan`."""

    def __init__(self, model: Recurrent, corpus: Corpus, plan: Plan, states: States, dtypes: Mapping[str, str]) -> None:
        self.find = model.find
        self._fingerprint = model.fingerprint
        self._model, self._corpus, self._plan, self._states, self._dtypes = model, corpus, plan, states, dtypes

    def windows(self, names: Sequence[str], positions: Ints) -> dict[str, NDArray[Any]]:
        """Signals at some positions of the text, in any order: each (positions, units) or (positions,)."""
        self._check()
        found = {}
        for name in names:
            signal = next(signal for signal in self.find(name) if signal.name == name)
            shape = (len(positions), signal.size) if signal.size else len(positions)
            found[name] = np.empty(shape, np.int32 if signal.integer else np.float32)
        rows = self._plan.row(positions)
        where = np.stack([rows // self._plan.width, (positions - self._plan.starts[rows]) // self._stride], 1)
        for group, mark in np.unique(where, axis=0).tolist():
            mine = np.flatnonzero((where == (group, mark)).all(1))
            for passage, arrays in self._passages(group, mark * self._stride, names):
                for k, (row, start, stop) in enumerate(zip(passage.rows, passage.starts, passage.stops, strict=True)):
                    here = mine[(rows[mine] == row) & (positions[mine] >= start) & (positions[mine] < stop)]
                    for name, values in found.items():
                        values[here] = arrays[name][positions[here] - start, k]
        return found

    def blocks(self, names: Sequence[str]) -> Iterator[tuple[int, dict[str, NDArray[Any]]]]:
        """Signals over the whole text in the order in which it is read: (first position, values (time, units))."""
        self._check()
        for group in range(self._plan.groups):
            for offset in range(0, self._plan.length(group), self._stride):
                for passage, arrays in self._passages(group, offset, names):
                    for k, (start, length) in enumerate(zip(passage.starts.tolist(), passage.lengths.tolist(), strict=True)):
                        yield start, {name: value[:length, k] for name, value in arrays.items()}

    def _check(self) -> None:
        if self._model.fingerprint != self._fingerprint:
            raise UsageError(f"{self._model.name} has changed since it was recorded; give the one that was, or record anew")

    @property
    def _stride(self) -> int:
        return MARK if self._plan.causal else max(len(self._corpus), 1)  # what isn't causal has no marks inside a segment

    def _passages(self, group: int, mark: int, names: Sequence[str]) -> Iterator[tuple[Passage, dict[str, NDArray[Any]]]]:
        """From a mark to the next."""
        rows = self._plan.rows(group)
        carried = Carried(self._model, rows)
        stored = rows[self._plan.stops[rows] - self._plan.starts[rows] > mark]
        if mark == 0:
            stored = stored[self._plan.continues[stored]]
        if len(stored):
            carried.restore(stored, self._states(self._plan.starts[stored] + mark), self._dtypes)
        for passage in self._plan.passages(group, mark, mark + self._stride):
            with computing():
                arrays = self._model.compute(self._corpus, passage, carried, names)
            yield passage, arrays
