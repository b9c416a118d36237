"""Where in a text a claim is about to change, so that losing track of it should hurt."""

import numpy as np
from numpy.typing import NDArray

from rnnscope.analysis.hypotheses.base import Hypothesis
from rnnscope.analysis.hypotheses.language import language_of
from rnnscope.analysis.hypotheses.passage import Passage
from rnnscope.corpora import Corpus


def critical(hypothesis: Hypothesis, text: Corpus, labels: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where the prediction of the next symbol should suffer, (symbols,), from the claim's labels; see `Hypothesis.critical`."""
    language, latin = language_of(text), text.vocabulary.kind == "bytes"
    mask = np.zeros(len(text), np.bool_)
    for start, stop in text.spans():
        mask[start:stop] = hypothesis.critical(Passage(text.to_str(start, stop), language, latin=latin), labels[start:stop])
    return mask
