"""What the paper's figures are made of: the networks of a text whose weights are kept, and n-grams of the same text."""

import re
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from rnnscope.comparison import Comparison, compare
from rnnscope.corpora import Corpus
from rnnscope.corpora.named import corpus as named
from rnnscope.exceptions import FormatError
from rnnscope.models import Network
from rnnscope.ngrams import NGramLM
from rnnscope.paper.entries import best_loss
from rnnscope.progress import Progress, silent
from rnnscope.protocol import LanguageModel
from rnnscope.training import Run

NETWORK, NGRAM = "LSTM", "20-gram"
_ENTRY = re.compile(r"(?:(?P<cell>lstm|rnn|gru)-(?P<layers>\d)|n-NN)-(?P<size>\d+)")


class Kept(NamedTuple):
    """A run whose weights are kept under the name of its entry in the paper's tables."""

    run: Run
    kind: str
    """`LSTM`, `GRU`, `RNN` or `n-NN`."""
    layers: int
    size: int
    """As Table 1 calls it; of an n-NN, n."""

    @property
    def name(self) -> str:
        return f"{self.size}-NN" if self.kind == "n-NN" else f"{self.kind}-{self.layers} {self.size}"


def kept(text: str, weights: Path) -> list[Kept]:
    """The networks of a text that are kept (folders such as `warpeace-lstm-2-256` and `warpeace-n-NN-3`), by kind, layers, size."""
    found = []
    for folder in weights.glob(f"{text}-*"):
        if entry := _ENTRY.fullmatch(folder.name.removeprefix(f"{text}-")):
            kind = (entry["cell"] or "").upper() or "n-NN"
            found.append(Kept(Run.open(folder), kind, int(entry["layers"] or 1), int(entry["size"])))
    return sorted(found, key=lambda one: one[1:])


class Material:
    """The networks of a text that are kept, the best LSTM among them, n-grams, and what these say of the test part."""

    def __init__(self, text: str, weights: Path, progress: Progress = silent) -> None:
        self.kept, self.name, self.progress = kept(text, weights), text, progress
        if not (lstms := self.of_kind("LSTM")):
            raise FormatError(
                f"{weights} holds no LSTM of {text}; expected the folder of a run such as {text}-lstm-2-256; train one and collect "
                "it with rnnscope paper table1 --runs, or give the folder of results with --results"
            )
        self.best = min(lstms, key=lambda one: best_loss(one.run))

    def of_kind(self, kind: str) -> list[Kept]:
        return [one for one in self.kept if one.kind == kind]

    @cached_property
    def whole(self) -> Corpus:
        return named(self.name).ruled(self.best.run.split)

    @cached_property
    def test(self) -> Corpus:
        return self.whole.split("test")

    @cached_property
    def network(self) -> Network:
        return self.best.run.model()

    @cached_property
    def ngram(self) -> NGramLM:
        return NGramLM.fit(self.whole.split("train"), 20)

    @cached_property
    def ngrams(self) -> dict[str, LanguageModel]:
        return {**{f"{n}-gram": self.ngram.shorter(n) for n in range(1, 10)}, NGRAM: self.ngram}

    @cached_property
    def comparison(self) -> Comparison:
        """Of the best LSTM and the n-grams."""
        return compare({NETWORK: self.network, **self.ngrams}, self.test, progress=self.progress)
