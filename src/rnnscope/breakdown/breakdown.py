"""`errors`: what kind each error of a model is. Source: PAPER section 7."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnnscope.breakdown.mistakes import Mistakes
from rnnscope.breakdown.oracles import Oracle
from rnnscope.breakdown.oracles import oracles as papers
from rnnscope.comparison.readings import read_all
from rnnscope.corpora import Corpus
from rnnscope.exceptions import UsageError, expect, so_many
from rnnscope.progress import Progress, silent
from rnnscope.protocol import LanguageModel
from rnnscope.traces import Trace

COLUMNS = ("category", "oracle", "errors", "share", "bits", "left")
LEFT = "left"
AROUND = 60


@dataclass(frozen=True)
class Excerpt:
    """A stretch of the text from `position` on; `marks` are the places in it of errors of one category."""

    position: int
    text: str
    marks: list[int]


@dataclass(frozen=True)
class Breakdown:
    """A model's errors by what removes them.

    - `table`: a row for each oracle in its order: its `category` and name (`oracle`), how many `errors` it removes of those that
      were there before it, their `share` of all errors, what they cost (`bits` per symbol of the text), and how many are `left`.
      The last row, where there is one, are errors that no oracle removes.
    - `removed` (errors,) is the row that removes each of the `mistakes`.

    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 20)
    >>> ngram = rs.NGramLM.fit(text.split("train"), context=5)
    >>> found = rs.errors(ngram.shorter(1), text)
    >>> int(found.table["errors"].sum()) == len(found.mistakes) == len(found.removed)
    True
    """

    model: str
    mistakes: Mistakes
    table: pd.DataFrame
    removed: NDArray[np.int64]

    @property
    def categories(self) -> pd.DataFrame:
        """The table summed up by category, in order: `category`, `errors`, `share`, `bits`.

        >>> import rnnscope as rs
        >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 20)
        >>> ngram = rs.NGramLM.fit(text.split("train"), context=5)
        >>> found = rs.errors(ngram.shorter(1), text)
        >>> found.categories["category"].tolist()[:3], round(float(found.categories["share"].sum()), 6)
        (['n-gram', 'memory', 'rare word'], 1.0)
        """
        return by_category(self.table)

    @property
    def rate(self) -> float:
        """Errors per symbol.

        >>> import rnnscope as rs
        >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 20)
        >>> ngram = rs.NGramLM.fit(text.split("train"), context=5)
        >>> found = rs.errors(ngram.shorter(1), text)
        >>> found.rate == len(found.mistakes) / found.mistakes.symbols
        True
        """
        return len(self.mistakes) / self.mistakes.symbols

    def excerpts(self, category: str, count: int = 3, *, seed: int = 0) -> list[Excerpt]:
        """Stretches of text around some errors of a category, drawn at random, all errors of the category in them marked.

        Raises `UsageError` for a category that isn't in the table.

        >>> import rnnscope as rs
        >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 20)
        >>> ngram = rs.NGramLM.fit(text.split("train"), context=5)
        >>> found = rs.errors(ngram.shorter(1), text)
        >>> [excerpt] = found.excerpts("n-gram", 1)
        >>> excerpt.text == text.to_str(excerpt.position, excerpt.position + len(excerpt.text)), len(excerpt.marks) > 0
        (True, True)
        """
        rows = np.flatnonzero(self.table["category"] == category)
        if not len(rows):
            known = ", ".join(dict.fromkeys(self.table["category"]))
            raise UsageError(f"no errors are called {category!r}; there are {known}")
        places = np.sort(self.mistakes.at[np.isin(self.removed, rows)])
        chosen = np.random.default_rng(seed).permutation(places)[:count]
        text, found = self.mistakes.text, []
        for place in np.sort(chosen).tolist():
            first, last = max(0, place - AROUND), min(len(text), place + AROUND // 2 + 1)
            marks = places[(places >= first) & (places < last)] - first
            found.append(Excerpt(first, text[first:last], marks.tolist()))
        return found


def by_category(table: pd.DataFrame) -> pd.DataFrame:
    """A breakdown's table summed up by category, in order: `category`, `errors`, `share`, `bits`."""
    return table.groupby("category", sort=False)[["errors", "share", "bits"]].sum().reset_index()


def errors(
    model: LanguageModel | Trace,
    corpus: Corpus,
    oracles: Sequence[Oracle] | None = None,
    *,
    part: str | Corpus = "test",
    progress: Progress = silent,
) -> Breakdown:
    """Say of each error of a model on a part of a text which oracle removes it: the first in order that does.

    `corpus` is the whole text: oracles look at its training part and at what stands before the part that the model reads: a split,
    or what was cut from one (`corpus.split("test").head(100_000)`). A trace of that part stands for the model. Without `oracles`
    they are the paper's. An error is a symbol with a probability below one half.

    Raises `UsageError` for a part of a text in place of the whole, for a part of another text, for two oracles of one name, and for
    one that doesn't answer for each error. Source: PAPER section 7.

    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 20)
    >>> ngram = rs.NGramLM.fit(text.split("train"), context=5)
    >>> found = rs.errors(ngram.shorter(1), text)
    >>> found.categories.query("errors > 0")["category"].tolist()
    ['n-gram', 'word model']
    """
    expect(model, LanguageModel | Trace, "a language model, or a trace that keeps what one said")
    expect(corpus, Corpus, "a Corpus; rs.Corpus.from_file(path) reads one")
    chosen = list(papers() if oracles is None else oracles)
    for each in chosen:
        expect(each, Oracle, "an oracle; rs.oracle(name, function) makes one, rs.oracles() are the paper's")
    names = [LEFT, *(oracle.name for oracle in chosen)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UsageError(f"two oracles are called {twice[0]!r} (one may be what is left over); give each its own name")
    name = model.name if not isinstance(model, Trace) else str(model.model["name"])
    read = corpus.split(part) if isinstance(part, str) else part
    readings = read_all({name: model}, read, progress=progress)
    if (readings.origins >= len(corpus)).any() or (corpus.ids[readings.origins] != readings.symbols).any():
        raise UsageError(f"{read!r} is no part of {corpus!r}; expected a split of it, or what was cut from one")
    wrong = readings.errors()[0]
    mistakes = Mistakes(corpus, corpus.split("train"), readings.origins[wrong], readings.probability[0][wrong], len(readings))
    removed, rows = np.full(len(mistakes), -1, np.int64), []
    bits = -np.log2(np.maximum(mistakes.probability, np.finfo(np.float64).tiny))
    for k, oracle in enumerate(chosen):
        answer = oracle.removes(mistakes)
        said = np.asarray(answer, bool if not len(answer) else None)  # an empty list says nothing of what it holds
        if said.shape != (len(mistakes),) or said.dtype != bool:
            raise UsageError(
                f"the oracle {oracle.name!r} gave {said.dtype} of shape {said.shape}; "
                f"expected a boolean for each of {so_many(len(mistakes), 'errors')}"
            )
        removed[said & (removed < 0)] = k
        rows.append((oracle.category, oracle.name))
    if (removed < 0).any():
        removed[removed < 0] = len(rows)
        rows.append((LEFT, LEFT))
    counts = np.bincount(removed, minlength=len(rows))
    table = pd.DataFrame(rows, columns=["category", "oracle"])
    table["errors"] = counts
    table["share"] = counts / max(len(mistakes), 1)
    table["bits"] = np.bincount(removed, bits, len(rows)) / mistakes.symbols
    table["left"] = len(mistakes) - np.cumsum(counts)
    return Breakdown(name, mistakes, table[list(COLUMNS)], removed)


def by_errors(found: Mapping[str, Breakdown]) -> list[str]:
    """The models' names, the one with the most errors first; of equally many in the order that is given.

    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 20)
    >>> ngram = rs.NGramLM.fit(text.split("train"), context=5)
    >>> by_errors({"5-gram": rs.errors(ngram, text), "1-gram": rs.errors(ngram.shorter(1), text)})
    ['1-gram', '5-gram']
    """
    return sorted(found, key=lambda name: -len(found[name].mistakes))


def gained(worse: Breakdown, better: Breakdown) -> pd.DataFrame:
    """What the better of two models got rid of, category by category: `category`, errors of each (`worse`, `better`), `gained`, and
    its `share` of all that was gained.

    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 20)
    >>> ngram = rs.NGramLM.fit(text.split("train"), context=5)
    >>> table = rs.gained(rs.errors(ngram.shorter(1), text), rs.errors(ngram, text))
    >>> bool((table["gained"] == table["worse"] - table["better"]).all()), float(table["share"].sum())
    (True, 1.0)
    """
    for each in (worse, better):
        expect(each, Breakdown, "what rs.errors gives")
    counts = [b.categories.set_index("category")["errors"] for b in (worse, better)]
    order = list(dict.fromkeys([*counts[0].index, *counts[1].index]))
    both = pd.DataFrame({name: each.reindex(order, fill_value=0) for name, each in zip(("worse", "better"), counts, strict=True)})
    both["gained"] = both["worse"] - both["better"]
    total = int(both["gained"].sum())
    both["share"] = both["gained"] / total if total else 0.0
    return both.reset_index(names="category")
