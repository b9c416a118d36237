"""How far back predictions and units look on average: gradient × input (`attribution`) at many places, by distance.

A single prediction's shares say what it rests on; their mean over places says what a network does. Shares are taken by size, so
that what raises a target and what lowers it both count. Source: as of `attribution`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnnscope.corpora import Corpus
from rnnscope.exceptions import UsageError, expect, expect_whole
from rnnscope.findings.attribution import LOG_PROB, attribution
from rnnscope.models import Recurrent
from rnnscope.progress import Progress, silent

BINS = (1, 2, 3, 6, 11, 21, 51, 101)
"""Where bins of distance begin; 1 is the last symbol that was read."""
COLUMNS = ("first", "last", "share", "low", "high", "places")


def lookback(
    model: Recurrent,
    corpus: Corpus,
    places: Sequence[int] | NDArray[Any],
    target: str = LOG_PROB,
    unit: int | None = None,
    *,
    back: int = 1_000,
    bins: Sequence[int] = BINS,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Which share of all |gradient × input| of a target lies how far back, the mean over some places of a corpus.

    `target` and `unit` are as of `attribution`. A row for each bin of distances, from `first` to `last` symbols back (1 is the last
    one that was read; the last bin ends at `back`, and those beyond are left out): the mean `share`, 0–1, its 95 % interval from
    `low` to `high` (± 1.96 standard errors over places), and how many `places` count: those that have a share at all. The shares
    add up to 1. Symbols farther than `back` aren't seen.

    Raises `UsageError` for what `attribution` refuses, fewer than 2 places that count, and bins that don't rise from 1.

    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("to be or not to be, that is the question; " * 3)
    >>> near = rs.WindowLM(rs.Architecture("window", units=8, context=2), text.vocabulary)  # it sees two symbols
    >>> rs.lookback(near, text, [60, 80, 100], bins=[1, 2, 3], back=50)["share"].round(2).tolist()[2:]
    [0.0]
    """
    expect(model, Recurrent, "a recurrent model, as rs.load or rs.wrap gives, through which gradients go")
    expect(corpus, Corpus, "a Corpus; rs.Corpus.from_file(path) reads one")
    expect_whole("back", back, 1)
    if list(bins[:1]) != [1] or (np.diff(bins) < 1).any():
        raise UsageError(f"bins of distance rise from 1, the last symbol that was read; not {list(bins)}")
    starts = [first for first in bins if first <= back]
    edges = np.array([*starts, back + 1])
    found = []
    for k, place in enumerate(places):
        size = attribution(model, corpus, int(place), target, unit, back=back)["share"].abs().to_numpy(np.float64)
        total = float(size.sum())
        if total:
            sums = np.concatenate([[0.0], np.cumsum(size)])
            ends = np.minimum(edges, len(size) + 1)
            found.append((sums[ends[1:] - 1] - sums[ends[:-1] - 1]) / total)
        progress(k + 1, len(places), target if unit is None else f"{target}[{unit}]")
    if len(found) < 2:
        raise UsageError(f"{len(found)} of {len(places)} places have symbols that {target} rests on; expected at least 2 places")
    shares = np.array(found)
    mean, error = shares.mean(0), 1.96 * shares.std(0, ddof=1) / np.sqrt(len(shares))
    columns = [starts, edges[1:] - 1, mean, mean - error, mean + error]
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=False)) | {"places": len(shares)}, columns=list(COLUMNS))
