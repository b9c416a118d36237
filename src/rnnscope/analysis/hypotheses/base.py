"""`Hypothesis`: what every claim has, and how a text is labelled with it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rnnscope.analysis.hypotheses.language import language_of
from rnnscope.analysis.hypotheses.passage import Bools, Passage
from rnnscope.corpora import Corpus
from rnnscope.exceptions import InputError, so_many

Labels = NDArray[Any]
Kind = Literal["binary", "graded", "categorical"]

LONGEST = 2**21
"""Symbols of the longest passage that is labelled at once …"""
LONGEST_PROGRAM = 2**23
"""… and of the longest whole program, whose syntax follows from all that stands before."""


class Hypothesis(ABC):
    """A claim about the text, as a label for every symbol.

    `sentence` finishes "the unit keeps track of whether / of how / of which …" for a reader. `kind` says what a label is:
    `binary` is 0 or 1, `graded` a number whose order counts, `categorical` a whole number ≥ 0 that stands for something
    (see `category`). `languages` lists the programming languages that the claim is about; empty means any text. `context`
    says that in program text the claim follows from all that stands before. `signals` names the model's signals that the
    label is made from. `ahead` says that a label of prose may depend on symbols that come later. All can be set on an instance too.
    """

    name: str
    sentence: str
    family: str
    kind: Kind = "binary"
    languages: tuple[str, ...] = ()
    context: bool = False
    signals: tuple[str, ...] = ()
    ahead: bool = False

    @abstractmethod
    def label(self, passage: Passage) -> Labels:
        """A label for each symbol of a passage, shape (symbols,): what is true when the symbol there has been read.

        Booleans or numbers; NaN where the claim doesn't apply.
        """

    def category(self, value: int) -> str:
        """What a categorical label stands for, to be shown."""
        return str(value)

    def critical(self, passage: Passage, labels: Labels) -> Bools:
        """Where the prediction of the next symbol should suffer if the model lost track of the claim, shape (symbols,).

        `labels` are those of the passage. By default this is where something is about to end: before a binary label turns
        from true to false, a graded one falls, a categorical one changes. Nowhere where a label is NaN, nor at the last symbol.
        """
        now, then = labels[:-1], labels[1:]
        if self.kind == "binary":
            suffers = (now == 1) & (then == 0)
        elif self.kind == "graded":
            suffers = then < now
        else:
            suffers = (then != now) & (now == now) & (then == then)
        return np.append(suffers, False)

    def applies_to(self, language: str | None) -> bool:
        return not self.languages or language in self.languages


class Source(Protocol):
    """Where the model's signals are read from: a `Trace`, or a dict of arrays of shape (symbols,)."""

    def __contains__(self, name: object, /) -> bool: ...

    def __getitem__(self, name: str, /) -> Any: ...


def reason(hypothesis: Hypothesis, language: str | None, source: Source | None) -> str | None:
    """Why a text in a language can't test a hypothesis, to stand behind its name; None where it can."""
    if not hypothesis.applies_to(language):
        return f"is about {' and '.join(hypothesis.languages)}"
    missing = [name for name in hypothesis.signals if source is None or name not in source]
    if not missing:
        return None
    said = f"needs the model's {' and '.join(missing)}"
    if source is None:
        return f"{said}, which only a trace has"
    options = " ".join(f"--signals {name}" for name in missing)
    return f"{said}, which the trace doesn't have; record it with {options}, or give the model that was recorded"


def label(hypotheses: Sequence[Hypothesis], corpus: Corpus, source: Source | None = None) -> dict[str, NDArray[np.float32]]:
    """Labels of a corpus, each of shape (symbols,), for the hypotheses that can be tested on it; see `labelled`."""
    language = language_of(corpus)
    labels = {h.name: np.empty(len(corpus), np.float32) for h in hypotheses if reason(h, language, source) is None}
    for name, start, values in labelled(hypotheses, corpus, source):
        labels[name][start : start + len(values)] = values
    return labels


def labelled(
    hypotheses: Sequence[Hypothesis], corpus: Corpus, source: Source | None = None
) -> Iterator[tuple[str, int, NDArray[np.float32]]]:
    """Labels of a corpus, a stretch at a time: (name, position of the first, labels), in memory that doesn't grow with the text.

    The stretches cover the corpus once for each hypothesis that applies to its language and whose signals `source` has
    (`reason` says why not). Every segment is a passage of its own: like the network, a label knows nothing of what came
    before it. Only where a claim follows from the syntax of a program, the passage is the whole text that the segments
    were cut from: what begins inside a string is a string. A segment longer than `LONGEST` symbols, or a
    whole program longer than `LONGEST_PROGRAM`, is labelled in pieces, and a piece sees nothing before itself or behind: it
    begins behind an empty line or a newline wherever there is one.

    Raises `InputError` for labels that are not what the hypothesis's kind says, or of another number than the symbols.
    """
    language = language_of(corpus)
    chosen = [h for h in hypotheses if reason(h, language, source) is None]
    known = corpus.whole is not None or corpus.segments == 1
    deep = [h for h in chosen if h.context and not h.signals and language and known]
    whole = corpus.ids if corpus.whole is None else corpus.whole
    latin = corpus.vocabulary.kind == "bytes"
    origins = [(*span, int(origin)) for span, origin in zip(corpus.spans(), corpus.origins, strict=True)]
    for first, stop in _pieces(corpus, whole, 0, len(whole), LONGEST_PROGRAM) if deep else ():
        shares = [(a - o, max(o, first), min(o + b - a, stop)) for a, b, o in origins]
        shares = [share for share in shares if share[1] < share[2]]
        if not shares:
            continue
        text = corpus.vocabulary.to_str(whole[first:stop])
        passage = Passage(text, language, latin=latin, start=first, total=len(whole))
        for h in deep:
            values = _checked(h, passage)
            for shift, begin, end in shares:
                yield h.name, begin + shift, values[begin - first : end - first]
    others = [h for h in chosen if h not in deep]
    for begin, end, origin in origins if others else ():
        for first, stop in _pieces(corpus, corpus.ids, begin, end, LONGEST):
            passage = Passage(
                corpus.to_str(first, stop), language, latin=latin, start=first, total=len(corpus),
                origin=origin + first - begin, whole=len(whole), signals=_signals(source, first, stop),
            )  # fmt: skip
            for h in others:
                yield h.name, first, _checked(h, passage)


def _signals(source: Source | None, first: int, stop: int) -> Any:
    return None if source is None else lambda name: source[name][first:stop]


def _pieces(corpus: Corpus, ids: NDArray[Any], start: int, stop: int, longest: int) -> Iterator[tuple[int, int]]:
    """Stretches of at most `longest` symbols. One ends behind the last empty line in its last quarter, else behind the last
    newline there, else anywhere."""
    while stop - start > longest:
        least = longest * 3 // 4
        tail = corpus.vocabulary.to_str(ids[start + least : start + longest])
        ends = [max(tail.rfind(mark) + len(mark) if mark in tail else 0 for mark in marks) for marks in _ENDS]
        end = start + next((least + k for k in ends if k), longest)
        yield start, end
        start = end
    yield start, stop


_ENDS = (("\n\n", "\r\n\r\n"), ("\n",))
_CATEGORIES = 2.0**24  # beyond it some whole numbers are no float32


def _checked(hypothesis: Hypothesis, passage: Passage) -> NDArray[np.float32]:
    labels = np.asarray(hypothesis.label(passage))
    what = f"the hypothesis {hypothesis.name!r}"
    if labels.shape != (len(passage),):
        symbols = so_many(len(passage), "symbols")
        raise InputError(f"{what} gave labels of shape {labels.shape} for {symbols}; expected one label for each")
    if labels.dtype == bool:
        return labels.astype(np.float32)
    if labels.dtype.kind not in "iuf":
        raise InputError(
            f"{what} gave labels such as {labels.tolist()[0]!r}; expected numbers or booleans, NaN where there is none"
        )
    values = labels.astype(np.float32)
    known = labels[values == values]
    if hypothesis.kind == "graded":
        wrong, expected = known[~np.isfinite(values[values == values])], "finite numbers, or NaN where there is none"
    elif hypothesis.kind == "binary":
        wrong, expected = known[(known != 0) & (known != 1)], "0, 1 or NaN"
    else:
        strange = (known < 0) | (known > _CATEGORIES) | (known != np.floor(known))
        wrong, expected = known[strange], "whole numbers from 0 to 2 ** 24, or NaN"
    if len(wrong):
        raise InputError(f"{what}, which is {hypothesis.kind}, gave the label {wrong[0]:g}; expected {expected}, or another kind")
    return values
