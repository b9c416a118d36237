"""How well a language model predicts a text."""

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from rnnscope.corpora import Corpus
from rnnscope.exceptions import CorpusError, expect
from rnnscope.models.threads import computing
from rnnscope.progress import Progress, silent
from rnnscope.protocol import LanguageModel, check_numbers

RESAMPLES = 100


@dataclass(frozen=True)
class Evaluation:
    """Mean cross-entropy per symbol in `nats` and in `bits`, over `symbols` predicted symbols.

    `deviation` is the standard deviation of the mean, in nats, over 100 bootstrap samples of the symbols. A model that rules out
    what came next has infinitely many nats, and no deviation (NaN).
    """

    nats: float
    bits: float
    deviation: float
    symbols: int


def evaluate(model: LanguageModel, corpus: Corpus, *, progress: Progress = silent) -> Evaluation:
    """Read a text and compare the predictions with it, each segment from a zero state.

    The bootstrap draws symbols one by one, with a fixed seed: it says how far the mean would move with another text of
    this length if symbols were independent, as the paper's figure does. Source: PAPER sections 1 and 4.
    Raises `CorpusError` where no symbol has a known successor.
    """
    expect(model, LanguageModel, "a language model; rs.load(path) loads a run's")
    expect(corpus, Corpus, "a Corpus; rs.Corpus.from_file(path) reads one")
    surprise = _surprise(model, corpus, progress)
    if not len(surprise):
        raise CorpusError(f"{corpus!r} has nothing to predict: no symbol in it has a successor; give at least 2 symbols")
    check_numbers(model.name, surprise)
    generator = np.random.default_rng(0)
    means = [surprise[generator.integers(0, len(surprise), len(surprise))].mean() for _ in range(RESAMPLES)]
    nats = float(surprise.mean())
    with np.errstate(invalid="ignore"):
        return Evaluation(nats, nats / log(2), float(np.std(means, ddof=1)), len(surprise))


def mean_nats(model: LanguageModel, corpus: Corpus) -> float:
    """Mean cross-entropy in nats per symbol, each segment read from a fresh state.

    A symbol that nobody knows (after the last segment of a text) doesn't count.
    """
    return float(_surprise(model, corpus, silent).mean())


def _surprise(model: LanguageModel, corpus: Corpus, progress: Progress) -> NDArray[np.float64]:
    """−log p of every symbol whose predecessor is in the text, in no particular order."""
    pieces, done = [], 0
    with computing():
        for block in model.read(corpus, ["log_prob"]):
            values = block.arrays["log_prob"].astype(np.float64)
            values = values[corpus.next_ids(np.arange(block.start, block.stop)) >= 0]
            pieces.append(-values)
            done += len(values)
            progress(done, len(corpus))
    return np.concatenate(pieces)
