"""`hypothesis`: a claim of one's own, from a function, a regular expression, a tree-sitter query or a column of labels."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import tree_sitter as ts

from rnnscope.analysis.hypotheses.base import Hypothesis, Kind, Labels
from rnnscope.analysis.hypotheses.catalogue import hypotheses
from rnnscope.analysis.hypotheses.columns import Column, read_column
from rnnscope.analysis.hypotheses.language import compiled
from rnnscope.analysis.hypotheses.passage import Passage
from rnnscope.corpora.corpus import LANGUAGES
from rnnscope.exceptions import InputError, UsageError, so_many

_SENTENCES = {"binary": "whether {} holds", "graded": "how much {} is", "categorical": "which {} it is"}


def hypothesis(
    name: str,
    *,
    function: Callable[[str], Any] | None = None,
    pattern: str | re.Pattern[str] | None = None,
    query: str | tuple[str, str] | None = None,
    column: str | Path | None = None,
    kind: Kind | None = None,
    sentence: str | None = None,
) -> Hypothesis:
    """A hypothesis made of exactly one of four things.

    - `function` is called with the text of a passage, one character for each symbol, and returns a label for each: booleans
      or, with `kind`, numbers; NaN where the claim doesn't apply.
    - `pattern` is a regular expression; the label is true inside its matches or, if it has a group called `in`, inside that.
    - `query` is a language (`c`, `python`) and a tree-sitter query, as a tuple or as "c: (comment) @node"; the label is true
      inside what it captures.
    - `column` is a file (.csv, .tsv, .parquet, .npy, .txt), as "file:column" if it has several columns, with one value for each
      symbol of the recorded text, or of the whole text that it was cut from. Nothing there is NaN; strings are categories.
      Without `kind`, 0 and 1 or true and false are binary, strings categorical, other numbers graded.

    Raises `UsageError` for what makes no sense, `InputError` for a file that can't be used.

    >>> import rnnscope as rs
    >>> from rnnscope.analysis.hypotheses.base import label
    >>> year = rs.hypothesis("year", pattern=r"\\b1[89]\\d\\d\\b", sentence="whether we are in a year")
    >>> label([year], rs.Corpus.from_text("in 1812."))["year"].astype(int).tolist()
    [0, 0, 0, 1, 1, 1, 1, 0]
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise UsageError(f"{name!r} is no name for a hypothesis; expected letters, digits and underscores, a letter first")
    if name in {known.name for known in hypotheses()}:
        raise UsageError(f"a hypothesis called {name!r} is there already; give yours another name")
    if kind not in (None, *get_args(Kind)):
        raise UsageError(f"{kind!r} is no kind of hypothesis; expected one of {', '.join(get_args(Kind))}")
    makers: dict[str, tuple[Any, Callable[[], Own]]] = {
        "function": (function, partial(_Function, name, kind, sentence, function)),
        "pattern": (pattern, partial(_Pattern, name, kind, sentence, pattern)),
        "query": (query, partial(_Query, name, kind, sentence, query)),
        "column": (column, partial(_Column, name, kind, sentence, column)),
    }
    given = [what for what, (value, _) in makers.items() if value is not None]
    if len(given) != 1:
        raise UsageError(
            f"the hypothesis {name!r} was given {' and '.join(given) or 'nothing'}; expected exactly one of {', '.join(makers)}"
        )
    return makers[given[0]][1]()


class Own(Hypothesis):
    family = "own"

    def __init__(self, name: str, kind: Kind, sentence: str) -> None:
        self.name = name
        self.kind = kind
        self.sentence = sentence


class _Function(Own):
    def __init__(self, name: str, kind: Kind | None, sentence: str | None, function: Any) -> None:
        if not callable(function):
            raise UsageError(f"the function of {name!r} is {function!r:.80}; expected a function from a text to its labels")
        kind = kind or "binary"
        super().__init__(name, kind, sentence or _SENTENCES[kind].format(name))
        self._function = function

    def label(self, passage: Passage) -> Labels:
        try:
            labels = np.asarray(self._function(passage.text))
        except Exception as error:
            raise InputError(f"the function of the hypothesis {self.name!r} failed: {error!r}; try it on a str") from error
        return labels


def _only_binary(name: str, what: str, kind: Kind | None) -> None:
    if kind not in (None, "binary"):
        raise UsageError(f"the hypothesis {name!r} is made of a {what}, whose labels are binary, not {kind}; leave the kind out")


class _Pattern(Own):
    def __init__(self, name: str, kind: Kind | None, sentence: str | None, pattern: Any) -> None:
        _only_binary(name, "pattern", kind)
        try:
            self._pattern: re.Pattern[str] = re.compile(pattern)
        except (re.error, TypeError) as error:
            raise UsageError(f"the pattern {pattern!r} of {name!r} is no regular expression: {error}") from None
        if not isinstance(self._pattern.pattern, str):
            raise UsageError(f"the pattern {self._pattern.pattern!r} of {name!r} is of bytes; expected one of str")
        super().__init__(name, "binary", sentence or f"whether we are in what {self._pattern.pattern} matches")

    def label(self, passage: Passage) -> Labels:
        group = "in" if "in" in self._pattern.groupindex else 0
        return passage.inside([match.span(group) for match in self._pattern.finditer(passage.text)])


class _Query(Own):
    context = True

    def __init__(self, name: str, kind: Kind | None, sentence: str | None, query: Any) -> None:
        _only_binary(name, "query", kind)
        parts = query.split(":", 1) if isinstance(query, str) else query
        if not isinstance(parts, list | tuple) or len(parts) != 2:
            raise UsageError(f"the query of {name!r} is {query!r:.80}; expected a language and a query, as in 'c: (comment) @node'")
        language, text = (part.strip() for part in parts)
        if language not in LANGUAGES:
            raise UsageError(
                f"the query of {name!r} is for {language!r}; expected {' or '.join(LANGUAGES)}, as in 'c: (comment) @node'"
            )
        try:
            found = compiled(language, text)
        except ts.QueryError as error:
            raise UsageError(f"the query {text!r} of {name!r} is none for {language}: {error}") from None
        if not found.capture_count:
            raise UsageError(f"the query {text!r} of {name!r} captures nothing; write @node behind what you mean")
        self._query = {language: text}
        self.languages = (language,)
        super().__init__(name, "binary", sentence or f"whether we are in what {text} captures")

    def label(self, passage: Passage) -> Labels:
        return passage.captured(self._query)


class _Column(Own):
    def __init__(self, name: str, kind: Kind | None, sentence: str | None, column: Any) -> None:
        self._column: Column = read_column(column, kind)
        kind = self._column.kind
        super().__init__(name, kind, sentence or _SENTENCES[kind].format(name))

    def label(self, passage: Passage) -> Labels:
        values = self._column.values
        if len(values) == passage.total:
            start = passage.start
        elif len(values) == passage.whole:
            start = passage.origin
        else:
            whole = f", or {passage.whole:,} for the whole text" if passage.whole != passage.total else ""
            raise InputError(
                f"{self._column.path} has {so_many(len(values), 'values')} for the hypothesis {self.name!r}; expected "
                f"{passage.total:,}, one for each symbol of the recorded text{whole} (the first line of a .csv or .tsv file names "
                "its columns)"
            )
        return values[start : start + len(passage)]

    def category(self, value: int) -> str:
        return self._column.categories[value] if self._column.categories else str(value)
