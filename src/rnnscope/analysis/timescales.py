"""How long units keep what they hold, and which of them do nothing, latch or count.

What PAPER section 6 guesses at from its scatter of saturated gates, measured: a unit whose forget gate is nearly always open
remembers, but what it does with that is seen in its state.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnnscope.analysis.saturation import RIGHT
from rnnscope.analysis.sources import FromTrace
from rnnscope.exceptions import InputError, expect
from rnnscope.native import histograms
from rnnscope.signal import Signal
from rnnscope.traces import TRACE, Trace

COLUMNS = ("layer", "gate", "state", "unit", "memory", "low", "high", "kept", "deviation", "kind")
DEAD = 0.01
"""A unit is dead whose state has a smaller standard deviation."""
SIDES, CROSSES = 0.25, 0.05
"""A latch is for nine symbols in ten within a quarter of its range from an end, and crosses the middle once in twenty at most."""
OFTEN = 10
"""So often a latch crosses the middle, and a counter goes back, at least: a state that only drifts is neither."""
ONE_WAY, STEEPER = 0.8, 3.0
"""A counter moves the same way at four symbols in five, and back by three times as much at a time."""

SHORTEST, LONGEST = 0.2, 1_000_000
"""Memories, in symbols, between which they are measured; what is shorter or longer counts as these."""

_MEMORIES = np.geomspace(SHORTEST, LONGEST, histograms.EDGES)
_KEPT = np.exp(-1 / _MEMORIES).astype(np.float32)
_ALWAYS = 0.9
_IN_HALF = 4096.0
"""Of a gate in half precision: what it keeps of a state beyond 1 − 1/4096 is 1 there."""


def lasting(kept: NDArray[Any]) -> NDArray[Any]:
    """Over how many symbols a state falls to 1/e of which this share is kept at each.

    >>> lasting(np.array([0.5, 0.9, 0.99])).round(1).tolist()
    [1.4, 9.5, 99.5]
    """
    found: NDArray[Any] = 1 / np.maximum(-np.log(np.maximum(kept, 1e-9)), 1e-9)
    return found


def timescales(trace: Trace) -> pd.DataFrame:
    """For each unit of each layer with a gate that keeps its state, how long it is kept, and what the unit makes of it.

    - `gate` and `state` are the signals; `memory` is over how many symbols the state would fall to 1/e, by the median of what is
      kept of it, to 6 %; `low` and `high` by the 10 % and 90 % quantiles. All three lie from 0.2 to 1,000,000 (`SHORTEST`,
      `LONGEST`), where what is measured ends, and up to 4,096 where the gate was recorded in half precision, which holds no number
      between 1 − 1/2048 and 1. `kept`: the share of symbols at which more than 0.9 is.
    - `deviation`: the standard deviation of the state.
    - `kind`: `dead`, `latch` or `counter`, or nothing; see `DEAD`, `SIDES`, `OFTEN`, `ONE_WAY`. A latch or a counter has `kept`
      of at least 0.9. A counter whose steps a state in half precision doesn't show isn't found there.

    Memory doesn't grow with the text. Raises `InputError` for a trace without such gates. Source of the question: PAPER section 6.

    >>> import tempfile
    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("to be or not to be, that is the question; " * 3)
    >>> model = rs.RecurrentLM(rs.Architecture("lstm", 1, 4), text.vocabulary)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trace = rs.record(model, text, folder + "/trace")  # its gates are computed when they are wanted
    ...     table = rs.timescales(trace)
    >>> table[["gate", "state", "unit"]].values.tolist()[3]
    ['layer0/forget', 'layer0/cell', 3]
    """
    expect(trace, Trace, TRACE)
    if not len(trace):
        raise InputError(f"{trace!r} holds no symbol; expected a trace of a text with at least one")
    layers = _layers(trace)
    if not layers:
        raise InputError(
            trace.lost
            or f"{trace!r} holds no gate that keeps a state; record signals such as 'layer*/forget' and 'layer*/cell' of an LSTM"
        )
    source, frames = FromTrace(trace), []
    for gate, state in layers:
        ends = np.quantile(source.sample([state.name])[state.name], [0.01, 0.99], axis=0)
        counts = _Counts.empty(gate.size, ends)
        for first, arrays in source.stretches([gate.name, state.name], 0, len(trace)):
            kept = np.ascontiguousarray(arrays[gate.name], np.float32)
            goes_on = ~np.isin(np.arange(first + 1, first + len(kept)), trace.corpus.bounds)
            counts.add(kept if gate.keeps > 0 else 1 - kept, arrays[state.name].astype(np.float64), goes_on)
        table = counts.table(gate, state)
        if gate.keeps > 0 and trace[gate.name].dtype == np.float16:
            table[["memory", "low", "high"]] = table[["memory", "low", "high"]].clip(upper=_IN_HALF)
        frames.append(table)
    return pd.concat(frames, ignore_index=True)


def _layers(trace: Trace) -> list[tuple[Signal, Signal]]:
    """Gates that keep, each with the state that it keeps: the cell where there is one."""
    found = []
    for gate in trace.signals:
        states = [s for s in trace.signals if s.state and s.place == gate.place and s.size == gate.size]
        if gate.keeps and states:
            found.append((gate, min(states, key=lambda s: s.kind != "cell")))
    return found


@dataclass
class _Counts:
    """What was counted of one layer's units, (units,) each but `memories` (units, 256)."""

    ends: NDArray[np.float64]
    memories: NDArray[np.int64]
    open: NDArray[np.int64]
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]
    sided: NDArray[np.int64]
    crossed: NDArray[np.int64]
    steps: NDArray[np.int64]
    moved: NDArray[np.float64]
    symbols: int = 0
    pairs: int = 0

    @classmethod
    def empty(cls, units: int, ends: NDArray[np.float64]) -> "_Counts":
        open_, sided, crossed, up, down = np.zeros((5, units), np.int64)
        sums, squares = np.zeros((2, units))
        memories = np.zeros((units, histograms.BINS), np.int64)
        return cls(ends, memories, open_, sums, squares, sided, crossed, np.stack([up, down]), np.zeros((2, units)))

    def add(self, kept: NDArray[np.float32], state: NDArray[np.float64], goes_on: NDArray[np.bool_]) -> None:
        """Values of a stretch, (time, units); `goes_on` (time − 1,) is false where a segment begins: no unit moves there."""
        units = kept.shape[1]
        codes = histograms.assign(kept, np.tile(_KEPT, (units, 1)))
        places = codes + histograms.BINS * np.arange(units)[:, None]
        self.memories += np.bincount(places.ravel(), minlength=self.memories.size).reshape(self.memories.shape)
        self.open += (kept > RIGHT).sum(0)
        self.sums += state.sum(0)
        self.squares += np.square(state).sum(0)
        low, high = self.ends
        near = SIDES * (high - low)
        self.sided += ((state <= low + near) | (state >= high - near)).sum(0)
        above = state > (low + high) / 2
        self.crossed += (above[1:] != above[:-1])[goes_on].sum(0)
        moves = np.diff(state, axis=0)[goes_on]
        for k, way in enumerate((moves > 0, moves < 0)):
            self.steps[k] += way.sum(0)
            self.moved[k] += np.abs(np.where(way, moves, 0)).sum(0)
        self.symbols += len(state)
        self.pairs += len(moves)

    def table(self, gate: Signal, state: Signal) -> pd.DataFrame:
        below = np.cumsum(self.memories, axis=1)
        edges = np.concatenate([_MEMORIES[:1], np.sqrt(_MEMORIES[1:] * _MEMORIES[:-1]), _MEMORIES[-1:]])
        low, memory, high = (edges[(below < share * self.symbols).sum(1)] for share in (0.1, 0.5, 0.9))
        variance = np.maximum(self.squares / self.symbols - np.square(self.sums / self.symbols), 0)
        deviation, kept = np.sqrt(variance), self.open / self.symbols
        kind = np.full(gate.size, "", object)
        kind[self._counts() & (kept >= _ALWAYS)] = "counter"
        kind[self._latches() & (kept >= _ALWAYS)] = "latch"
        kind[deviation < DEAD] = "dead"
        columns = {
            "layer": gate.layer, "gate": gate.name, "state": state.name, "unit": np.arange(gate.size), "memory": memory,
            "low": low, "high": high, "kept": kept, "deviation": deviation, "kind": kind,
        }  # fmt: skip
        return pd.DataFrame(columns, columns=list(COLUMNS))

    def _latches(self) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = (self.sided >= _ALWAYS * self.symbols) & (self.crossed <= CROSSES * self.pairs)
        return found & (self.crossed >= OFTEN)

    def _counts(self) -> NDArray[np.bool_]:
        found = np.zeros(len(self.open), np.bool_)
        size = self.moved / np.maximum(self.steps, 1)
        for way in (0, 1):
            steady = self.steps[way] >= ONE_WAY * self.pairs
            found |= steady & (self.steps[1 - way] >= OFTEN) & (size[1 - way] >= STEEPER * size[way])
        return found
