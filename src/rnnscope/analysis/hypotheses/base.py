"""`Hypothesis`: what every claim has."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from rnnscope.analysis.hypotheses.language import language_of
from rnnscope.analysis.hypotheses.passage import Passage
from rnnscope.corpora import Corpus

Labels = NDArray[Any]


class Hypothesis(ABC):
    """A claim about the text, as a label for every symbol.

    `sentence` finishes "the unit keeps track of whether / of how …" for a reader. `kind` says what a label is:
    `binary` is 0 or 1, `graded` a number whose order counts. `languages` lists the programming languages that the
    claim is about; empty means any text. `context` says that in program text the claim follows from all that stands before.
    """

    name: ClassVar[str]
    sentence: ClassVar[str]
    family: ClassVar[str]
    kind: ClassVar[Literal["binary", "graded"]] = "binary"
    languages: ClassVar[tuple[str, ...]] = ()
    context: ClassVar[bool] = False

    @abstractmethod
    def label(self, passage: Passage) -> Labels:
        """A label for each symbol of a passage, shape (symbols,): what is true when the symbol there has been read.

        Booleans or numbers; NaN where the claim doesn't apply.
        """

    def applies_to(self, language: str | None) -> bool:
        return not self.languages or language in self.languages


def label(hypotheses: Sequence[Hypothesis], corpus: Corpus) -> dict[str, NDArray[np.float32]]:
    """Labels of a corpus, each of shape (symbols,), for the hypotheses that apply to its language.

    Every segment is a passage of its own: like the network, a label knows nothing of what came before it. Only where a
    claim follows from the syntax of a program, the passage is the whole text that the segments were cut from: what
    begins inside a string is a string.
    """
    language = language_of(corpus)
    chosen = [h for h in hypotheses if h.applies_to(language)]
    labels = {h.name: np.empty(len(corpus), np.float32) for h in chosen}
    latin = corpus.vocabulary.kind == "bytes"
    deep = [h for h in chosen if h.context and language and corpus.whole is not None]
    if deep:
        passage = Passage(corpus.vocabulary.to_str(corpus.whole), language, latin=latin)
        for hypothesis in deep:
            known = hypothesis.label(passage)
            for (start, stop), origin in zip(corpus.spans(), corpus.origins, strict=True):
                labels[hypothesis.name][start:stop] = known[origin : origin + stop - start]
    for start, stop in corpus.spans():
        passage = Passage(corpus.to_str(start, stop), language, latin=latin)
        for hypothesis in chosen:
            if hypothesis not in deep:
                labels[hypothesis.name][start:stop] = hypothesis.label(passage)
    return labels

