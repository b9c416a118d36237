"""What models say of the next symbol, at every place of one text: what comparisons are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnscope.corpora import Corpus
from rnnscope.exceptions import UsageError, expect
from rnnscope.models.threads import computing
from rnnscope.progress import Progress, silent
from rnnscope.protocol import LanguageModel, check_numbers, check_readable
from rnnscope.traces import Trace

Bools = NDArray[np.bool_]

ERRORS = ("probability", "argmax")
"""What an error is: the symbol that came next had a probability below one half (the paper's), or another was likelier."""
_SIGNALS = ("log_prob", "top1/ids")


@dataclass(frozen=True)
class Readings:
    """Several models on one text, at every place whose next symbol is known.

    `places` (places,) are positions in the corpus, `symbols` (places,) what came next there. `log_prob` (models, places) is its
    logarithm of probability, nats, `likeliest` (models, places) the symbol that a model held for likeliest.
    """

    corpus: Corpus
    names: tuple[str, ...]
    places: NDArray[np.int64]
    symbols: NDArray[np.int64]
    log_prob: NDArray[np.float32]
    likeliest: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.places)

    @cached_property
    def probability(self) -> NDArray[np.float64]:
        """Of the symbol that came next, (models, places)."""
        return np.exp(self.log_prob.astype(np.float64))

    @cached_property
    def origins(self) -> NDArray[np.int64]:
        """Where the symbols that came next stand in the whole text that the corpus was cut from, (places,)."""
        segment = np.searchsorted(self.corpus.bounds, self.places, side="right") - 1
        return self.corpus.origins[segment] + self.places - self.corpus.bounds[segment] + 1

    def errors(self, by: str = "probability") -> Bools:
        """Where each model is wrong, (models, places); `by` is one of `ERRORS`."""
        if by not in ERRORS:
            raise UsageError(f"an error is told by {' or '.join(ERRORS)}, not {by!r}")
        half = np.float32(np.log(0.5))  # rounded as the probabilities are: one half itself is no error
        wrong: Bools = self.log_prob < half if by == "probability" else self.likeliest != self.symbols
        return wrong

    def of(self, name: str) -> int:
        """The row of a model. Raises `UsageError` for a name that none has."""
        if name not in self.names:
            raise UsageError(f"no model is called {name!r}; there are {', '.join(self.names)}")
        return self.names.index(name)


def read_all(models: Mapping[str, LanguageModel | Trace], corpus: Corpus | None = None, *, progress: Progress = silent) -> Readings:
    """Let models read a text, each segment from a fresh state. A trace stands for the model that was recorded.

    Without a corpus it is the text of the traces. Takes 8 bytes a symbol and model.
    Raises `UsageError` for models that can't read the text, and traces of another.
    """
    _check_named(models)
    known = [each.corpus for each in models.values() if isinstance(each, Trace)]
    text = known[0] if corpus is None and known else corpus
    if text is None:
        raise UsageError("there is no text to read; give a corpus, such as corpus.split('test')")
    for name, each in models.items():
        expect(each, Trace | LanguageModel, f"a language model or a trace for {name!r}")
        if isinstance(each, Trace) and each.corpus.fingerprint != text.fingerprint:
            raise UsageError(f"{each!r} is of another text than {text!r}; record the model on that text, or give the model")
        if not isinstance(each, Trace):
            check_readable(each, text)
    following = text.next_ids()
    log_prob = np.empty((len(models), len(text)), np.float32)
    likeliest = np.empty((len(models), len(text)), np.int32)
    with computing():
        for k, each in enumerate(models.values()):
            done = 0
            for start, arrays in _stretches(each, text):
                stop = start + len(arrays["log_prob"])
                log_prob[k, start:stop], likeliest[k, start:stop] = arrays["log_prob"], arrays["top1/ids"][:, 0]
                done += stop - start
                progress(k * len(text) + done, len(models) * len(text), list(models)[k])
    places = np.flatnonzero(following >= 0)
    if not len(places):
        raise UsageError(f"{text!r} has nothing to predict: no symbol in it has a successor; give at least 2 symbols")
    for k, name in enumerate(models):
        check_numbers(name, log_prob[k, places])
    return Readings(text, tuple(models), places, following[places], log_prob[:, places], likeliest[:, places])


def _stretches(model: LanguageModel | Trace, corpus: Corpus) -> Any:
    if not isinstance(model, Trace):
        return ((block.start, block.arrays) for block in model.read(corpus, _SIGNALS))
    kept = {s.name for s in model.kept}
    if set(_SIGNALS) <= kept:
        return [(0, {name: model[name][:] for name in _SIGNALS})]
    return model.source.blocks(list(_SIGNALS))


def check_models(models: Mapping[str, LanguageModel], corpus: Corpus) -> None:
    """Raises `UsageError` for what are no models by their names, and models that can't read a text."""
    _check_named(models)
    for name, model in models.items():
        expect(model, LanguageModel, f"a language model for {name!r}")
        check_readable(model, corpus)


def _check_named(models: object) -> None:
    expect(models, Mapping, "models by their names, such as {'lstm': model, '20-gram': ngram}")
    if not models:
        raise UsageError("there is no model; expected at least one, such as {'lstm': model}")
    for taken in ("model", "models", "symbols", "share"):
        if taken in models:  # type: ignore[operator]  # a mapping, as was seen
            raise UsageError(f"a model is called {taken!r}, as a column of the tables is; give it (a run: its folder) another name")
