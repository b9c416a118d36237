"""How far back a model looks: what it loses when the text before the last k symbols is cut off, shuffled, or another.

This asks of any model what the distances to a closing bracket ask of one symbol. Source: PAPER section 6 (the question);
Khandelwal et al. 2018 (shuffled and replaced contexts).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnnscope.comparison.readings import check_models
from rnnscope.corpora import Corpus
from rnnscope.exceptions import UsageError
from rnnscope.models.threads import computing
from rnnscope.ngrams import NGramLM
from rnnscope.progress import Progress, silent
from rnnscope.protocol import LanguageModel

LENGTHS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)
WAYS = ("cut", "shuffled", "replaced")
"""What happens to the text before the last k symbols: it isn't there; its symbols are in random order; it is another stretch."""
COLUMNS = ("model", "way", "context", "nats", "rise", "low", "high", "places")

_TOGETHER = 2**20  # symbols that are read at once


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
    the rise (`low`, `high`: ± 1.96 standard errors of the paired difference). At the longest context the rise is 0.

    Raises `UsageError` for a text that is too short, and lengths, ways and places that make no sense.
    """
    chosen = sorted(set(lengths))
    if not chosen or chosen[0] < 1:
        raise UsageError(f"contexts of {list(lengths)} symbols make no sense; expected numbers from 1 on")
    if strange := sorted(set(ways) - set(WAYS)):
        raise UsageError(f"a context can't be {strange[0]!r}; expected some of {', '.join(WAYS)}")
    if places < 2:
        raise UsageError(f"{places} place tells nothing; expected at least 2")
    check_models(models, corpus)
    longest = chosen[-1]
    text, targets = _targets(corpus, longest, places, seed)
    generator = np.random.default_rng(seed + 1)
    others = generator.integers(longest, len(text), len(targets))
    shuffles = generator.random((len(targets), longest)).argsort(axis=1)
    pieces = text[targets[:, None] + np.arange(-longest, 0)]
    total, rows = len(models) * (1 + len(ways) * (len(chosen) - 1)), []
    with computing():
        for k, (name, model) in enumerate(models.items()):
            done = k * (total // len(models))
            whole = _loss(model, corpus, pieces, text[targets])
            for way in ways:
                for length in chosen:
                    loss = whole
                    if length < longest:
                        loss = _loss(model, corpus, _changed(pieces, way, length, text, others, shuffles), text[targets])
                        done += 1
                        progress(done, total, f"{name} {way}")
                    rise = loss - whole
                    error = 1.96 * float(rise.std(ddof=1)) / np.sqrt(len(rise))
                    mean = float(rise.mean())
                    rows.append((name, way, length, float(loss.mean()), mean, mean - error, mean + error, len(rise)))
    progress(total, total)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _targets(corpus: Corpus, longest: int, places: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The running text, and places in it whose symbols are predicted."""
    text = (corpus.ids if corpus.whole is None else corpus.whole).astype(np.int64)
    spans = zip(corpus.spans(), corpus.origins.tolist(), strict=True)
    known = np.concatenate([np.arange(max(origin, longest), origin + stop - start) for (start, stop), origin in spans])
    if not len(known):
        raise UsageError(f"{corpus!r} has no symbol with {longest:,} before it; give shorter contexts, or a longer text")
    drawn = np.random.default_rng(seed).permutation(known)[:places]
    return text, np.sort(drawn)


def _changed(
    pieces: NDArray[np.int64],
    way: str,
    length: int,
    text: NDArray[np.int64],
    others: NDArray[np.int64],
    shuffles: NDArray[np.int64],
) -> NDArray[np.int64]:
    far = pieces.shape[1] - length
    if way == "cut":
        return pieces[:, far:]
    before = pieces[:, :far]
    if way == "shuffled":
        order = shuffles[shuffles < far].reshape(len(pieces), far)
        before = np.take_along_axis(before, order, axis=1)
    else:
        before = text[others[:, None] + np.arange(-far, 0)]
    return np.concatenate([before, pieces[:, far:]], axis=1)


def _loss(model: LanguageModel, corpus: Corpus, pieces: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Of the symbol after each piece, (pieces,), nats."""
    if isinstance(model, NGramLM):  # it sees no farther
        pieces = pieces[:, -max(model.context, 1) :]
    count, length = pieces.shape
    found = np.empty(count)
    step = max(1, _TOGETHER // length)
    for first in range(0, count, step):
        some = slice(first, first + step)
        size = len(pieces[some])
        part = Corpus(
            corpus.name, corpus.vocabulary, pieces[some].reshape(-1).astype(corpus.ids.dtype),
            bounds=np.arange(size + 1) * length, following=targets[some],
        )  # fmt: skip
        for block in model.read(part, ["log_prob"]):
            piece, last = divmod(block.stop - 1, length)
            if last == length - 1:
                found[first + piece] = -float(block.arrays["log_prob"][-1])
    return found
