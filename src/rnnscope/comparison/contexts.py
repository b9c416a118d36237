"""How far back a model looks: what it loses when the text before the last k symbols is cut off, shuffled, or another.

This asks of any model what the distances to a closing bracket ask of one symbol. Source: PAPER section 6 (the question);
Khandelwal et al. 2018 (shuffled and replaced contexts).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnnscope.comparison.pieces import losses
from rnnscope.comparison.readings import check_models
from rnnscope.corpora import Corpus
from rnnscope.exceptions import UsageError, expect_whole, so_many
from rnnscope.models.threads import computing
from rnnscope.progress import Progress, silent
from rnnscope.protocol import LanguageModel, check_numbers

LENGTHS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)
WAYS = ("cut", "shuffled", "replaced")
"""What is read before the last k symbols: nothing; symbols of the longest context in random order; another stretch of the text."""
COLUMNS = ("model", "way", "context", "nats", "rise", "low", "high", "places")


def contexts(
    models: Mapping[str, LanguageModel],
    corpus: Corpus,
    lengths: Sequence[int] = LENGTHS,
    *,
    ways: Sequence[str] = WAYS,
    places: int = 300,
    seed: int = 0,
    progress: Progress = silent,
) -> pd.DataFrame:
    """The loss of models at some places when only the last `context` symbols before them are as they were.

    The longest of the `lengths` is what is read before each place at all; it must stand before it in the running text, across the
    edges of segments, too. `places` are drawn at random from the corpus, the same for all models, ways and lengths. For each
    model, each of the `ways` and each length the mean loss (`nats`), its `rise` over the whole context, and the 95 % interval of
    the rise (`low`, `high`: ± 1.96 standard errors of the paired difference). At the longest context the rise is 0. What is
    read before a shorter context fills it up to the longest: for all lengths it is the beginning of the same shuffled context or of
    the same other stretch, so that a network reads it once.

    Raises `UsageError` for a text that is too short, and lengths, ways and places that make no sense.

    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 20)
    >>> ngram = rs.NGramLM.fit(text.split("train"), context=5)
    >>> table = rs.contexts({"5-gram": ngram}, text.split("test"), [1, 2, 5, 20], ways=["cut"], places=30)
    >>> (table["rise"] > 0.01).tolist()  # what stands more than five symbols back is nothing to it
    [True, True, False, False]
    """
    for length in lengths:
        expect_whole("the length of a context", length, 1)
    chosen = sorted(set(lengths))
    if not chosen:
        raise UsageError("there is no length of a context; expected numbers from 1 on")
    if strange := sorted(set(ways) - set(WAYS)):
        raise UsageError(f"a context can't be {strange[0]!r}; expected some of {', '.join(WAYS)}")
    expect_whole("places", places, 2)
    check_models(models, corpus)
    longest, text = chosen[-1], _running(corpus)
    known = _places(corpus, longest)
    if len(known) < 2:
        raise UsageError(
            f"{corpus!r} has {so_many(len(known), 'symbols')} with {longest:,} before them; expected at least 2: give shorter "
            "contexts, or a longer text"
        )
    at = np.sort(np.random.default_rng(seed).permutation(known)[:places])
    near, targets = text[at[:, None] + np.arange(-longest, 0)], text[at]
    far = _instead(near, text, seed + 1)
    rows, done, total = [], 0, len(models) * (1 + len(ways) * (len(chosen) - 1))
    with computing():
        for name, model in models.items():

            def tell(name: str = name) -> None:
                nonlocal done
                done += 1
                progress(done, total, name)

            whole = losses(model, corpus, near, None, [longest], targets, tell)
            check_numbers(name, whole)
            for way in ways:
                left = losses(model, corpus, near, far[way], chosen[:-1], targets, tell) if len(chosen) > 1 else whole[:0]
                for length, loss in zip(chosen, [*left, *whole], strict=True):
                    rise = loss - whole[0]
                    error = 1.96 * float(rise.std(ddof=1)) / np.sqrt(len(rise))
                    mean = float(rise.mean())
                    rows.append((name, way, length, float(loss.mean()), mean, mean - error, mean + error, len(rise)))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def reach(corpus: Corpus) -> int:
    """The longest context that two symbols of a corpus have, so that something can be said of it; 0 where there is none."""
    places = _places(corpus, 0)
    return int(np.partition(places, -2)[-2]) if len(places) > 1 else 0


def _running(corpus: Corpus) -> NDArray[np.int64]:
    return (corpus.ids if corpus.whole is None else corpus.whole).astype(np.int64)


def _places(corpus: Corpus, longest: int) -> NDArray[np.int64]:
    """Where in the running text symbols of the corpus stand that have so many before them."""
    spans = zip(corpus.spans(), corpus.origins.tolist(), strict=True)
    return np.concatenate([np.arange(max(origin, longest), origin + stop - start) for (start, stop), origin in spans])


def _instead(near: NDArray[np.int64], text: NDArray[np.int64], seed: int) -> dict[str, NDArray[np.int64] | None]:
    """What is read in place of each context's beginning, (places, longest), for each of `WAYS`."""
    generator = np.random.default_rng(seed)
    others = generator.integers(near.shape[1], len(text), len(near))
    another = text[others[:, None] + np.arange(-near.shape[1], 0)]
    return {"cut": None, "shuffled": generator.permuted(near, axis=1), "replaced": another}
