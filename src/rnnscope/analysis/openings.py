"""How much of what a unit holds was written when something was opened: `writes`, at many places, by how long ago that was.

A unit that is on inside quotes may have been set by the quote and have kept that since, or be written anew by what stands inside.
The decomposition is exact, so that it can be told: the state is what the opening wrote, what the few symbols after it wrote (a
network may know only then what was opened), what was written since, and what is left from before.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnnscope.analysis.hypotheses.base import Hypothesis, label
from rnnscope.analysis.hypotheses.catalogue import chosen
from rnnscope.analysis.writes import writes
from rnnscope.exceptions import UsageError, expect, expect_whole
from rnnscope.progress import Progress, silent
from rnnscope.traces import TRACE, Trace

AGES = (0, 1, 3, 6, 11, 21, 51, 101, 201)
"""Where bins of ages begin; an age is how many symbols were read since the opening."""
SOON = 5
"""So many symbols after the opening count apart."""
COLUMNS = ("position", "opened", "age", "state", "opening", "soon", "since", "before", "kept")
MEANS = ("first", "last", "places", "state", "opening", "soon", "since", "low", "high", "before", "kept")

Spans = NDArray[np.int64]


def spans_of(labels: NDArray[Any], bounds: NDArray[np.int64]) -> Spans:
    """Where a yes-or-no label holds without a break: from each start to before each stop, (spans, 2), cut where segments begin.

    >>> spans_of(np.array([0, 1, 1, 0, 1, 1, 1]), np.array([0, 5, 7])).tolist()
    [[1, 3], [4, 5], [5, 7]]
    """
    holds = np.concatenate([[False], np.nan_to_num(labels) > 0, [False]])
    edge = np.isin(np.arange(len(holds)), np.asarray(bounds) + 1)
    starts = np.flatnonzero(holds[1:] & (~holds[:-1] | edge[1:]))
    stops = np.flatnonzero(holds[:-1] & (~holds[1:] | edge[1:]))
    return np.stack([starts, stops], axis=1)


def openings(
    trace: Trace,
    signal: str,
    unit: int,
    inside: str | Hypothesis | Spans,
    *,
    width: int = 1,
    soon: int = SOON,
    ages: Sequence[int] = AGES,
    most: int = 100,
    seed: int = 0,
    progress: Progress = silent,
) -> pd.DataFrame:
    """What makes a unit's state at places inside what was opened: how much the opening wrote, and how much was written since.

    `inside` is a yes-or-no claim (its name, or a hypothesis), whose every stretch begins with `width` symbols that open it, such as
    `double_quotes`, or `comment` with a width of 2; or the stretches themselves, (stretches, 2), each from its start to before its
    stop, as `spans_of` gives them. Of a claim, those that begin where a segment does are left out: nobody read what opened them.

    For each bin of `ages` one place is drawn in each stretch that is long enough, and of these `most` are taken. A row for each:
    its `position`, where its stretch was `opened`, its `age` (symbols read since the last one that opens; 0 is that symbol itself),
    the `state`, and the parts that add up to it, up to rounding: what was written by the `opening` symbols, by the next few (`soon`
    says how many), `since`, and `before` them. `kept` is the share that is left of what the last opening symbol wrote.

    Raises `UsageError` for a claim that is no yes-or-no claim, stretches that don't lie in one segment each, and what `writes`
    refuses.

    >>> import tempfile
    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text('He said: "It is late, very late indeed." ' * 4)
    >>> model = rs.RecurrentLM(rs.Architecture("lstm", 1, 4), text.vocabulary)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trace = rs.record(model, text, folder + "/trace", ["layer*/*"])
    ...     table = rs.openings(trace, "layer0/cell", 2, "double_quotes", most=2)
    >>> bool(np.allclose(table["state"], table[["opening", "soon", "since", "before"]].sum(axis=1)))
    True
    """
    expect(trace, Trace, TRACE)
    expect_whole("width", width, 1)
    expect_whole("soon", soon, 0)
    expect_whole("most", most, 1)
    expect_whole("seed", seed, 0)
    spans = _spans(trace, inside)
    if not len(ages) or ages[0] < 0 or (np.diff(ages) < 1).any():
        raise UsageError(f"bins of ages rise from 0 or later, not {list(ages)}")
    generator = np.random.default_rng(seed)
    drawn: list[tuple[int, int]] = []
    for low, high in zip(ages, [*ages[1:], np.iinfo(np.int64).max], strict=True):
        first = spans[:, 0] + width - 1 + low
        long = np.flatnonzero(first < spans[:, 1])
        stops = np.minimum(spans[long, 1] - first[long], high - low)
        places = first[long] + generator.integers(0, stops)
        some = np.sort(generator.permutation(len(long))[:most])
        drawn += list(zip(places[some].tolist(), spans[long[some], 0].tolist(), strict=True))
    rows = []
    for k, (place, opened) in enumerate(drawn):
        table = writes(trace, signal, unit, place, back=place - opened + 1)
        after = table["position"].to_numpy() - opened - width  # the first symbol behind the opening is 0
        groups = ((after >= -width) & (after < 0), (after >= 0) & (after < soon), after >= soon, after < -width)
        parts = [float(table["part"].to_numpy(np.float64)[here].sum()) for here in groups]
        age = place - opened - width + 1
        rows.append((place, opened, age, sum(parts), *parts, float(table["kept"].iloc[age])))
        progress(k + 1, len(drawn), f"{signal}[{unit}]")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def by_age(table: pd.DataFrame, ages: Sequence[int] = AGES) -> pd.DataFrame:
    """The means of a table of `openings`, a row for each bin of ages that has a place, from `first` to `last` (of the last bin the
    greatest there is): how many `places`, the `state`, its parts `opening`, `soon`, `since` and `before`, and `kept`. `low` to
    `high` is the 95 % interval of what was written since (± 1.96 standard errors).

    >>> rows = [(9, 7, 1, 0.5, 0.2, 0.3, 0.0, 0.0, 0.9), (29, 28, 0, 0.7, 0.7, 0.0, 0.0, 0.0, 1.0)]
    >>> by_age(pd.DataFrame(rows, columns=list(COLUMNS)), ages=[0, 1])["state"].tolist()
    [0.7, 0.5]
    """
    rows = []
    for low, high in zip(ages, [*ages[1:], np.inf], strict=True):
        some = table[(table["age"] >= low) & (table["age"] < high)]
        if not len(some):
            continue
        last = int(high) - 1 if np.isfinite(high) else int(some["age"].max())
        error = 1.96 * float(some["since"].std()) / np.sqrt(len(some))
        mean = {name: float(some[name].mean()) for name in COLUMNS[3:]}
        ends = {"low": mean["since"] - error, "high": mean["since"] + error}
        rows.append({"first": low, "last": last, "places": len(some)} | mean | ends)
    return pd.DataFrame(rows, columns=list(MEANS))


def _spans(trace: Trace, inside: str | Hypothesis | Spans) -> Spans:
    bounds = trace.corpus.bounds
    if isinstance(inside, str | Hypothesis):
        [claim] = chosen([inside])
        if claim.kind != "binary":
            raise UsageError(f"{claim.name} is a {claim.kind} claim, inside of which nothing is; expected a yes-or-no claim")
        spans = spans_of(label([claim], trace.corpus, trace)[claim.name], bounds)
        return spans[~np.isin(spans[:, 0], bounds)]
    spans = np.asarray(inside, np.int64).reshape(-1, 2)
    there = (spans[:, 0] >= 0) & (spans[:, 0] < spans[:, 1]) & (spans[:, 1] <= len(trace))
    first, last = (np.searchsorted(bounds, at, "right") for at in (spans[:, 0], spans[:, 1] - 1))
    if not (there & (first == last)).all():
        raise UsageError(f"stretches run from a start to before a later stop, each in one segment of {trace!r}")
    return spans
