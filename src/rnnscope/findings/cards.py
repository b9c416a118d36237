"""What is shown of a finding, as plain data: how its unit's values lie, what it does at an event, where it is right and wrong."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnnscope.analysis.hypotheses.base import Hypothesis, label
from rnnscope.analysis.labels import middle
from rnnscope.analysis.sources import FromTrace
from rnnscope.analysis.timescales import lasting
from rnnscope.corpora import Corpus
from rnnscope.findings.critical import critical
from rnnscope.signal import Signal, keeper
from rnnscope.traces import Trace

Values = NDArray[np.float32]

SHOWN = 262_144
"""Symbols of the second half that cards are made from, at most."""
BARS, BEFORE, AFTER, BAND, EXCERPTS, AROUND = 40, 20, 60, 0.8, 3, 36


@dataclass(frozen=True)
class Histogram:
    """How often a unit's values lie between `edges` (bars + 1,): a share of the symbols for each group of labels, by its name."""

    edges: list[float]
    shares: dict[str, list[float]]


@dataclass(frozen=True)
class Event:
    """A unit around an event, from `BEFORE` symbols before it to `AFTER` after it: its mean, and where 80 % of the values lie.

    The event is `what`; it was seen `count` times.
    """

    what: str
    count: int
    at: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]


@dataclass(frozen=True)
class Excerpt:
    """A symbol and what stands around it; `position` is the symbol's in the recorded text."""

    position: int
    value: float
    before: str
    symbol: str
    after: str


@dataclass(frozen=True)
class Card:
    """One finding. `memory` is how many characters the unit's state lasts, from the gate that keeps it; None without one."""

    hypothesis: str
    histogram: Histogram
    event: Event | None
    strongest: list[Excerpt]
    wrong: list[Excerpt]
    memory: float | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def cards(trace: Trace, found: pd.DataFrame, hypotheses: Sequence[Hypothesis]) -> list[Card]:
    """A card for each row of a table of best units, from the second half of the text; `hypotheses` are those that it names."""
    corpus, start = trace.corpus, middle(len(trace))
    stop = min(len(trace), start + SHOWN)
    rows: Any = list(found.itertuples())
    known = {h.name: h for h in hypotheses}
    labels = label(list(known.values()), corpus, trace)
    gates = {row.signal: keeper(trace.signals, row.signal.rpartition("/")[0]) for row in rows}
    wanted = sorted({(row.signal, row.unit) for row in rows})
    values = _values(trace, wanted + [(gate.name, unit) for signal, unit in wanted if (gate := gates[signal])], start, stop)
    made = []
    for row in rows:
        value, truth, gate = values[row.signal, row.unit], labels[row.hypothesis], gates[row.signal]
        strongest, wrong = _excerpts(corpus, start, value, truth[start:stop], row)
        event = None
        if row.kind == "binary":
            event = _event("the claim begins to hold", corpus, start, value, np.diff(truth > 0, prepend=False) & (truth > 0))
        elif row.kind == "graded":
            ends = np.append(False, critical(known[row.hypothesis], corpus, truth)[:-1])
            event = _event("it ends, and begins anew", corpus, start, value, ends)
        histogram = _histogram(value, truth[start:stop], row.kind)
        memory = _memory(gate, values[gate.name, row.unit]) if gate else None
        made.append(Card(row.hypothesis, histogram, event, strongest, wrong, memory))
    return made


def _values(trace: Trace, wanted: Sequence[tuple[str, int]], start: int, stop: int) -> dict[tuple[str, int], Values]:
    found = {key: np.empty(stop - start, np.float32) for key in wanted}
    for first, arrays in FromTrace(trace).stretches(list(dict.fromkeys(s for s, _ in wanted)), start, stop):
        for (signal, unit), into in found.items():
            value = arrays[signal][:, unit]
            into[first - start : first - start + len(value)] = value
    return found


def _memory(gate: Signal, value: Values) -> float:
    """Over how many characters a state falls to 1/e, by the median of what is kept of it."""
    kept = float(np.median(value))
    return float(lasting(np.array(kept if gate.keeps > 0 else 1 - kept)))


def _histogram(value: Values, label: Values, kind: str) -> Histogram:
    ends: Any = np.quantile(value, [0.001, 0.999])
    edges = np.linspace(ends[0], ends[1], BARS + 1)
    edges = edges if edges[0] < edges[-1] else np.linspace(value.min() - 0.5, value.max() + 0.5, BARS + 1)
    shares = {}
    for name, mask in _groups(label, kind):
        counts = np.histogram(np.clip(value[mask], edges[0], edges[-1]), edges)[0]
        shares[name] = (counts / max(counts.sum(), 1)).tolist()
    return Histogram(edges.tolist(), shares)


def _groups(label: Values, kind: str) -> list[tuple[str, NDArray[np.bool_]]]:
    known = ~np.isnan(label)
    if not known.any():
        return []
    if kind == "binary":
        return [("holds", known & (label > 0)), ("doesn't hold", known & (label == 0))]
    if kind == "graded":
        low, high = np.quantile(label[known], [0.25, 0.75])
        return [(f"at least {high:g}", known & (label >= high)), (f"at most {low:g}", known & (label <= low))]
    values, counts = np.unique(label[known], return_counts=True)
    return [(f"{values[k]:g}", label == values[k]) for k in np.argsort(-counts, kind="stable")[:4]]


def _event(what: str, corpus: Corpus, start: int, value: Values, happens: NDArray[np.bool_]) -> Event | None:
    """A unit around the symbols at which something happens, as long as all of it lies in one segment."""
    change = np.flatnonzero(happens[start : start + len(value)])
    change = change[(change >= BEFORE) & (change + AFTER < len(value))]
    first, last = (np.searchsorted(corpus.bounds, change + start + away, side="right") for away in (-BEFORE, AFTER))
    places = change[first == last]
    if not len(places):
        return None
    taken = places[np.unique(np.linspace(0, len(places) - 1, min(len(places), 2_000)).astype(np.int64))]
    at = np.arange(-BEFORE, AFTER + 1)
    windows = value[taken[:, None] + at].astype(np.float64)
    low, high = np.quantile(windows, [(1 - BAND) / 2, (1 + BAND) / 2], axis=0)
    return Event(what, len(places), at.tolist(), windows.mean(0).tolist(), low.tolist(), high.tolist())


def _excerpts(corpus: Corpus, start: int, value: Values, label: Values, row: Any) -> tuple[list[Excerpt], list[Excerpt]]:
    """Where the unit is strongest, and where it is most wrong: it is on and the claim doesn't hold, or the other way round."""
    turned = value * row.polarity
    order = np.argsort(np.argsort(turned)) / max(len(turned) - 1, 1)
    known = ~np.isnan(label)
    if row.kind == "categorical":
        return _places(corpus, start, value, np.where(known, order, -1.0)), []
    rank = np.zeros(len(label))
    if row.kind == "binary":
        rank[known] = label[known] > 0
    else:
        rank[known] = np.searchsorted(np.sort(label[known]), label[known]) / known.sum()
    return _places(corpus, start, value, np.where(known, order, -1.0)), _places(
        corpus, start, value, np.where(known, np.abs(order - rank), -1.0)
    )


def _places(corpus: Corpus, start: int, value: Values, worth: NDArray[np.float64]) -> list[Excerpt]:
    """The places worth most, none near another."""
    found: list[int] = []
    for place in np.argsort(-worth, kind="stable")[:4_096].tolist():
        if worth[place] >= 0 and all(abs(place - other) > 2 * AROUND for other in found):
            found.append(place)
            if len(found) == EXCERPTS:
                break
    return [_excerpt(corpus, start + place, float(value[place])) for place in found]


def _excerpt(corpus: Corpus, position: int, value: float) -> Excerpt:
    segment = int(np.searchsorted(corpus.bounds, position, side="right")) - 1
    first = max(int(corpus.bounds[segment]), position - AROUND)
    last = min(int(corpus.bounds[segment + 1]), position + 1 + AROUND // 2)
    text = corpus.to_str(first, last)
    at = position - first
    return Excerpt(position, value, text[:at], text[at], text[at + 1 :])
