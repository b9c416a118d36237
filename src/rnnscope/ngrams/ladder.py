"""The ladder: how well n symbols of context predict a text, for one n after the other."""

from collections.abc import Sequence
from math import log
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnnscope.corpora import Corpus
from rnnscope.exceptions import CorpusError, OccupiedError, so_many
from rnnscope.files import claim
from rnnscope.ngrams.index import MARKER
from rnnscope.ngrams.model import NGramLM
from rnnscope.progress import Progress, silent


def ladder(
    model: NGramLM, corpus: Corpus, contexts: Sequence[int], *, apart: bool = False, progress: Progress = silent
) -> pd.DataFrame:
    """Mean cross-entropy of a text by models of several contexts: `context nats bits`, a row for each, in the order asked for.

    See `surprise` for how it is read.
    """
    nats = surprise(model, corpus, contexts, apart=apart, progress=progress).mean(1)
    return pd.DataFrame({"context": list(contexts), "nats": nats, "bits": nats / log(2)})


def surprise(
    model: NGramLM, corpus: Corpus, contexts: Sequence[int], *, apart: bool = False, progress: Progress = silent
) -> NDArray[np.float64]:
    """−log p of the symbols of a text by models of several contexts, (contexts, predicted symbols), nats.

    The corpus's segments are read as one text, as they are counted and as tools for n-grams read a file: every symbol is
    predicted, the first from nothing. With `apart` as `evaluate` reads them for any model: each segment begins without context,
    and a symbol counts if its predecessor is there. The paper's numbers are those of one text (decision 0012).
    Raises `CorpusError` where nothing is predicted.
    """
    log_prob = model.log_prob(corpus if apart else Corpus(corpus.name, corpus.vocabulary, corpus.ids), contexts, progress=progress)
    log_prob = log_prob[:, ~np.isnan(log_prob[0])]
    if not apart:
        log_prob = np.insert(log_prob, 0, [model.after(corpus.ids[:0], n)[corpus.ids[0]] for n in contexts], axis=1)
    if not log_prob.size:
        raise CorpusError(f"{corpus!r} has nothing to predict: no symbol in it has a successor; give at least 2 symbols")
    return -log_prob.astype(np.float64)


def counted(corpus: Corpus, context: int, index: Path | None = None, *, progress: Progress = silent) -> NGramLM:
    """`NGramLM.fit`, or the counts that an index holds already; what was counted is kept there.

    Raises `OccupiedError` for an index of another text, or of shorter contexts, and for a folder that holds something else.
    """
    if index is None:
        return NGramLM.fit(corpus, context, progress=progress)
    if not (index / MARKER).exists():
        claim(index, MARKER, "an n-gram index")  # before the work, which would be lost
        model = NGramLM.fit(corpus, context, progress=progress)
        model.save(index)
        return model
    model = NGramLM.open(index)
    if model.vocabulary != corpus.vocabulary or not np.array_equal(model.tree.ids, corpus.ids):
        raise OccupiedError(f"{index} holds the counts of another text than {corpus!r}; choose another folder")
    if model.context < context:
        raise OccupiedError(
            f"{index} holds contexts of {so_many(model.context, 'symbols')}, not of {context}; remove it, or choose another folder"
        )
    return model
