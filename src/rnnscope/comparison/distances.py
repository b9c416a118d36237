"""How well models close what was opened, by how long ago that was. Source: PAPER section 6, figure 5."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from rnnscope.analysis.hypotheses.enclosure import bracket_pairs, quote_pairs
from rnnscope.analysis.hypotheses.language import language_of
from rnnscope.analysis.hypotheses.passage import Passage
from rnnscope.comparison.readings import Readings
from rnnscope.corpora import Corpus
from rnnscope.exceptions import UsageError, expect, expect_whole

PAIRS = ("{}", "()", "[]", "<>", '""', "''")
WIDTH = 20
COLUMNS = ("model", "pair", "distance", "count", "probability", "low", "high")


def distances(readings: Readings, pair: str = "{}", *, width: int = WIDTH, farthest: int = 400) -> pd.DataFrame:
    """Mean probability of a closing symbol by its distance to the opening one, in bins of `width` symbols, for each model.

    `pair` is the opening and the closing symbol, one of `PAIRS`. In program text they are those of the syntax tree, so that a
    brace in a string doesn't count (nor one in the body of a C macro, which the tree takes for a word); in prose they are
    matched within a paragraph. Pairs that aren't in one segment whole are left
    out, and those farther apart than `farthest`.
    `distance` is where a bin begins (distances from 1 on), `count` how many pairs lie in it, `low` to `high` the 95 % interval of
    the mean by Student's t, as far as it lies between 0 and 1 (a single pair has none). A text without any pair has an empty
    table.

    Raises `UsageError` for a pair that isn't known, and widths and distances below 1.

    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("f(a) and f(a, b); g(x) or g(x, y). " * 20)
    >>> both = rs.compare({"9-gram": rs.NGramLM.fit(text.split("train"), context=9)}, text.split("test"))
    >>> rs.distances(both.readings, "()", width=2)[["distance", "count"]].values.tolist()
    [[1, 4], [5, 4]]
    """
    expect(readings, Readings, "what models said of a text, as rs.compare(models, corpus).readings holds it")
    if pair not in PAIRS:
        raise UsageError(f"the pair {pair!r} is not known; expected one of {' '.join(PAIRS)}")
    expect_whole("the width of a bin", width, 1)
    expect_whole("the farthest distance", farthest, 1)
    spans = np.concatenate([np.empty((0, 2), np.int64), *_pairs(readings.corpus, pair)])
    place = np.searchsorted(readings.places, spans[:, 1] - 1)
    known = (place < len(readings)) & (readings.places[np.minimum(place, len(readings) - 1)] == spans[:, 1] - 1)
    known &= spans[:, 1] - spans[:, 0] <= farthest
    place, length = place[known], (spans[:, 1] - spans[:, 0])[known]
    bins = (length - 1) // width
    rows = []
    for k, name in enumerate(readings.names):
        p = readings.probability[k, place]
        for bin_ in np.unique(bins).tolist():
            here = p[bins == bin_]
            rows.append((name, pair, bin_ * width + 1, len(here), here.mean(), *_interval(here)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def closing(readings: Readings, pair: str | None = None) -> pd.DataFrame:
    """The table of `distances` of a pair; left out, of the one that the text closes most often."""
    return distances(readings, pair) if pair else of_commonest(of_all_pairs(readings))


def of_all_pairs(readings: Readings) -> pd.DataFrame:
    """The table of `distances` for each of `PAIRS`, one below the other."""
    tables = [distances(readings, pair) for pair in PAIRS]
    # Empty tables are of objects, and would make objects of others' numbers.
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def frequencies(table: pd.DataFrame) -> "pd.Series[int]":
    """How many pairs of each kind a table of `distances` has, the most frequent first.

    >>> frequencies(pd.DataFrame({"model": ["a", "a", "b"], "pair": ["{}", "()", "()"], "count": [2, 3, 3]})).to_dict()
    {'()': 3, '{}': 2}
    """
    one = table[table["model"] == table["model"].iloc[0]] if len(table) else table
    counts: pd.Series[int] = one.groupby("pair", sort=False)["count"].sum()
    return counts.sort_values(ascending=False, kind="stable")


def of_commonest(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the pair that is the most frequent in a table of `distances`."""
    counts = frequencies(table)
    return table[table["pair"] == counts.index[0]].reset_index(drop=True) if len(counts) else table


def _interval(p: NDArray[np.floating]) -> tuple[float, float]:
    """Where the mean of these probabilities lies, 95 %."""
    if len(p) < 2:
        return np.nan, np.nan
    error = stdtrit(len(p) - 1, 0.975) * p.std(ddof=1) / np.sqrt(len(p))
    return max(float(p.mean() - error), 0.0), min(float(p.mean() + error), 1.0)


def _pairs(corpus: Corpus, pair: str) -> Iterator[NDArray[np.int64]]:
    """Where pairs open and close in the corpus, (pairs, 2), those that lie in one segment whole."""
    language, latin = language_of(corpus), corpus.vocabulary.kind == "bytes"
    find = quote_pairs if pair[0] == pair[1] else bracket_pairs
    if language and corpus.whole is not None:
        spans = find(Passage(corpus.vocabulary.to_str(corpus.whole), language, latin=latin), pair)
        for (start, stop), origin in zip(corpus.spans(), corpus.origins.tolist(), strict=True):
            inside = (spans[:, 0] >= origin) & (spans[:, 1] < origin + stop - start)
            yield spans[inside] - origin + start
        return
    for start, stop in corpus.spans():
        yield find(Passage(corpus.to_str(start, stop), language, latin=latin), pair) + start
