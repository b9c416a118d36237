"""The loss of a language model on a text."""

import numpy as np

from rnnscope.corpora import Corpus
from rnnscope.models.protocol import LanguageModel


def mean_nats(model: LanguageModel, corpus: Corpus) -> float:
    """Mean cross-entropy in nats per symbol, each segment read from a fresh state.

    A symbol that nobody knows (after the last segment of a text) doesn't count.
    """
    total, count = 0.0, 0
    for block in model.read(corpus, ["log_prob"]):
        values = block.arrays["log_prob"]
        known = ~np.isnan(values)
        total -= float(values[known].sum(dtype=np.float64))
        count += int(known.sum())
    return total / count
