"""`compare`: several models on one text, in tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from rnnscope.comparison.agreement import agreement
from rnnscope.comparison.gains import gains
from rnnscope.comparison.overlap import overlap
from rnnscope.comparison.readings import Readings, read_all
from rnnscope.corpora import Corpus
from rnnscope.progress import Progress, silent
from rnnscope.protocol import LanguageModel
from rnnscope.traces import Trace


@dataclass(frozen=True)
class Comparison:
    """What several models make of one text.

    - `models`: a row for each: `model`, `nats` and `bits` per symbol, the share of symbols that it gets wrong (`errors`:
      probability below one half; `misses`: another symbol was likelier), `symbols`.
    - `overlap`: how many symbols each set of models, and no other, gets wrong; see `overlap`.
    - `agreement`: the share of symbols at which two hold the same one for likeliest, (models, models).
    - `gains(model, other)`: which symbols one predicts better than the other; see `gains`.
    - `readings`: all of it, symbol by symbol.

    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 20)
    >>> ngram = rs.NGramLM.fit(text.split("train"), context=5)
    >>> both = rs.compare({"5-gram": ngram, "1-gram": ngram.shorter(1)}, text.split("test"))
    >>> both.overlap[["5-gram", "1-gram", "share"]].round(2).values.tolist()
    [[False, False, 0.55], [False, True, 0.35], [True, True, 0.11]]
    >>> both.agreement.round(2).values.tolist()
    [[1.0, 0.73], [0.73, 1.0]]
    """

    readings: Readings
    by: str
    models: pd.DataFrame

    @cached_property
    def overlap(self) -> pd.DataFrame:
        return overlap(self.readings, self.by)

    @cached_property
    def agreement(self) -> pd.DataFrame:
        return agreement(self.readings)

    def gains(self, model: str | None = None, other: str | None = None, *, seed: int = 0) -> pd.DataFrame:
        """Of the first model over the second, unless others are named; see `gains` of `comparison.gains`.

        >>> import rnnscope as rs
        >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 20)
        >>> ngram = rs.NGramLM.fit(text.split("train"), context=5)
        >>> both = rs.compare({"5-gram": ngram, "1-gram": ngram.shorter(1)}, text.split("test"))
        >>> both.gains()["symbol"][0], both.gains("1-gram", "5-gram")["symbol"].iloc[-1]  # the same, seen from the other side
        (',', ',')
        """
        names = self.readings.names
        return gains(self.readings, model or names[0], other or names[min(1, len(names) - 1)], seed=seed)


def compare(
    models: Mapping[str, LanguageModel | Trace],
    corpus: Corpus | None = None,
    *,
    by: str = "probability",
    progress: Progress = silent,
) -> Comparison:
    """Let models read a text, and compare what they say; `by` is what an error is, `probability` (below one half) or `argmax`.

    A trace stands for its model; without a corpus it is the traces' text. Raises `UsageError` for models that can't read the text.

    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 20)
    >>> ngram = rs.NGramLM.fit(text.split("train"), context=5)
    >>> both = rs.compare({"5-gram": ngram, "1-gram": ngram.shorter(1)}, text.split("test"))
    >>> both.models[["model", "errors", "symbols"]].round(2).values.tolist()
    [['5-gram', 0.11, 95], ['1-gram', 0.45, 95]]
    """
    readings = read_all(models, corpus, progress=progress)
    nats = -readings.log_prob.astype(np.float64).mean(axis=1)
    table = pd.DataFrame(
        {
            "model": list(readings.names),
            "nats": nats,
            "bits": nats / np.log(2),
            "errors": readings.errors("probability").mean(axis=1),
            "misses": readings.errors("argmax").mean(axis=1),
            "symbols": len(readings),
        }
    )
    return Comparison(readings, by, table)
