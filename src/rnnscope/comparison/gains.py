"""Which symbols one model predicts better than another. Source: PAPER section 6, figure 4."""

import numpy as np
import pandas as pd

from rnnscope.comparison.readings import Readings

BLOCK, BLOCKS, DRAWS = 512, 2_048, 1_000
COLUMNS = ("symbol", "count", "probability", "other", "gain", "low", "high")


def gains(readings: Readings, model: str, other: str, *, seed: int = 0) -> pd.DataFrame:
    """Mean probability of the symbol that came next, symbol by symbol, by one model and by another: the largest gain first.

    `symbol` (as text), how often it came (`count`), `probability` by the model and by the `other`, the difference `gain`, and its
    95 % interval from `low` to `high`, by a bootstrap of blocks of 512 symbols (2,048 blocks in a long text), since neighbours
    aren't independent. A symbol that stands in one block alone has no interval.

    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 20)
    >>> ngram = rs.NGramLM.fit(text.split("train"), context=5)
    >>> from rnnscope.comparison import read_all
    >>> said = read_all({"5-gram": ngram, "1-gram": ngram.shorter(1)}, text.split("test"))
    >>> table = gains(said, "5-gram", "1-gram")
    >>> bool(np.allclose(table["gain"], table["probability"] - table["other"])), bool(table["gain"].is_monotonic_decreasing)
    (True, True)
    """
    one, two = (readings.probability[readings.of(name)] for name in (model, other))
    size = len(readings.corpus.vocabulary)
    block = np.arange(len(readings)) // max(BLOCK, -(-len(readings) // BLOCKS))
    blocks = int(block[-1]) + 1
    count = np.bincount(readings.symbols, minlength=size)
    seen = np.flatnonzero(count)
    place = np.zeros(size, np.int64)
    place[seen] = np.arange(len(seen))
    cell = block * len(seen) + place[readings.symbols]
    counts, differences = (
        np.bincount(cell, weights, blocks * len(seen)).reshape(blocks, len(seen)) for weights in (np.ones(len(block)), one - two)
    )
    drawn = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), DRAWS).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (drawn @ differences) / (drawn @ counts)  # NaN where a draw has none
    enough = (counts > 0).sum(0) > 1
    low, high = np.full((2, len(seen)), np.nan)
    if enough.any():
        low[enough], high[enough] = np.nanquantile(means[:, enough], [0.025, 0.975], axis=0)
    means_ = [np.bincount(readings.symbols, p, size)[seen] / count[seen] for p in (one, two)]
    rows = pd.DataFrame(
        {
            "symbol": [readings.corpus.vocabulary.to_str(np.array([s])) for s in seen],
            "count": count[seen],
            "probability": means_[0],
            "other": means_[1],
            "gain": means_[0] - means_[1],
            "low": low,
            "high": high,
        },
        columns=list(COLUMNS),
    )
    return rows.sort_values("gain", ascending=False, kind="stable", ignore_index=True)


def largest(table: pd.DataFrame, most: int = 10) -> pd.DataFrame:
    """The rows of a table of `gains` with the largest differences each way, so many at most: what one model gains, then the other.

    >>> largest(pd.DataFrame({"gain": [0.5, 0.2, 0.1, 0.0, -0.3]}), 2)["gain"].tolist()
    [0.5, 0.2, -0.3]
    """
    return pd.concat([table[table["gain"] > 0].head(most), table[table["gain"] < 0].tail(most)])
