"""Which errors models have in common. Source: PAPER section 6, figure 4."""

from itertools import combinations

import numpy as np
import pandas as pd

from rnnscope.comparison.readings import Readings


def overlap(readings: Readings, by: str = "probability") -> pd.DataFrame:
    """How many symbols each set of models, and no other, gets wrong: the numbers of a Venn diagram.

    A row for each set that occurs, the empty one (all are right) included: a boolean column for each model, then `models` (how
    many are wrong), `symbols` and `share` of all symbols, the largest first.

    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 20)
    >>> ngram = rs.NGramLM.fit(text.split("train"), context=5)
    >>> from rnnscope.comparison import read_all
    >>> said = read_all({"5-gram": ngram, "1-gram": ngram.shorter(1)}, text.split("test"))
    >>> int(overlap(said)["symbols"].sum()) == len(said)
    True
    """
    packed, counts = np.unique(np.packbits(readings.errors(by), axis=0), axis=1, return_counts=True)
    found = np.unpackbits(packed, axis=0, count=len(readings.names)).astype(bool)
    rows = pd.DataFrame(dict(zip(readings.names, found, strict=True)))
    rows["models"] = rows[list(readings.names)].sum(axis=1)
    rows["symbols"], rows["share"] = counts, counts / len(readings)
    return rows.sort_values(["symbols", "models"], ascending=[False, True], kind="stable", ignore_index=True)


def regions(table: pd.DataFrame, names: tuple[str, ...]) -> dict[tuple[str, ...], int]:
    """From a table of `overlap`, for every set of names, the symbols that exactly these models get wrong.

    >>> table = pd.DataFrame({"a": [True, True], "b": [False, True], "symbols": [30, 20]})
    >>> regions(table, ("a", "b"))
    {('a',): 30, ('b',): 0, ('a', 'b'): 20}
    """
    wrong, symbols = table[list(names)].to_numpy(), table["symbols"].tolist()
    known = {tuple(n for n, yes in zip(names, row, strict=True) if yes): count for row, count in zip(wrong, symbols, strict=True)}
    return {chosen: known.get(chosen, 0) for size in range(1, len(names) + 1) for chosen in combinations(names, size)}
