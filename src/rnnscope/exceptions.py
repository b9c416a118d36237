"""Everything that rnnscope raises on purpose.

Each message is one line that says what was given, what was expected and what to do::

    RnnscopeError
    ├── UsageError              the call itself makes no sense               exit status 2
    ├── InputError              what was given can't be used                 exit status 1
    │   ├── CorpusError         a text that can't be read or learned from
    │   ├── UnknownSymbolError  a symbol that the vocabulary lacks
    │   ├── UnknownNameError    a name (signal, hypothesis, corpus) that nothing has
    │   └── RecipeError         a recipe that contradicts itself
    ├── FormatError             a file of ours that is damaged or isn't ours
    ├── OccupiedError           an output folder that holds something else
    ├── TrainingError           a training that can't go on
    │   └── FollowerError       one of several processes, whose first one has said why
    └── VerificationError       a model whose fast path disagrees with its equations

And warned of: `SlowWarning`, where something is missing without which everything works, only slower; `SeesAheadWarning`, where a
model has read what it predicts.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Integral
from types import UnionType
from typing import Any


class RnnscopeError(Exception):
    """Base of all errors below; the command line prints its message and leaves with `exit_status`."""

    exit_status = 1


class UsageError(RnnscopeError):
    """The call itself makes no sense."""

    exit_status = 2


def expect(value: object, kind: type | UnionType, what: str) -> None:
    """Raises `UsageError` for a value that is no `kind`; `what` says what was expected and how to get one."""
    if not isinstance(value, kind):
        raise UsageError(f"{value!r:.80} is a {type(value).__name__}; expected {what}")


def expect_table(value: Any, columns: Iterable[str], source: str) -> None:
    """Raises `UsageError` for what is no DataFrame with these columns; `source` gives one."""
    named = getattr(value, "columns", None)
    if named is None:
        raise UsageError(f"{value!r:.80} is a {type(value).__name__}; expected a table, as {source} gives")
    if missing := [name for name in columns if name not in named]:
        raise UsageError(f"the table has no column {missing[0]!r}; expected one as {source} gives")


def expect_whole(what: str, value: object, least: int, below: int | None = None) -> None:
    """Raises `UsageError` for a value that is no whole number from `least` on, and below an end where there is one."""
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (below is not None and value >= below):  # type: ignore[operator]
        which = f"of at least {least}" if below is None else f"from {least} to {below - 1:,}"
        raise UsageError(f"{what} is a whole number {which}, not {value!r}")


def so_many(count: int, things: str) -> str:
    """So many things, as a sentence has them: one of them is a thing.

    >>> so_many(1, "symbols"), so_many(1_999, "symbols")
    ('1 symbol', '1,999 symbols')
    """
    return f"{count:,} {things.removesuffix('s') if count == 1 else things}"


class InputError(RnnscopeError):
    """What was given can't be used."""


class CorpusError(InputError):
    """A text that can't be read or learned from."""


class UnknownSymbolError(InputError):
    """A symbol that the vocabulary lacks.

    `symbol` is the code point or byte value, `position` its index in the text, in symbols.
    """

    def __init__(self, symbol: int, position: int, vocabulary: str, what: str = "text") -> None:
        shown = repr(chr(symbol)) if vocabulary == "characters" else f"0x{symbol:02x}"
        choice = ", or say what to do with unknown symbols: skip or replace (--unknown)" if what == "text" else ""
        super().__init__(f"symbol {shown} at position {position} of the {what} is not in the model's vocabulary; remove it{choice}")
        self.symbol = symbol
        self.position = position


class UnknownNameError(InputError):
    """A name that nothing has; the message lists the nearest names that exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=3, cutoff=0.5)
        if near:
            hint = "did you mean " + " or ".join(near) + "?"
        else:
            hint = "known are: " + (", ".join(names) or "none")
        super().__init__(f"no {kind} is called {name!r}; {hint}")
        self.name = name


class RecipeError(InputError):
    """A recipe that contradicts itself or holds a value out of range."""


class FormatError(RnnscopeError):
    """A file of ours that is damaged, or a file that isn't ours."""


class OccupiedError(RnnscopeError):
    """An output folder that holds something else; nothing in it was touched."""


class TrainingError(RnnscopeError):
    """A training that can't go on."""


class FollowerError(TrainingError):
    """One of several processes that train together stops because the first one did, which says why."""


class VerificationError(RnnscopeError):
    """A model whose fast path disagrees with its equations."""


class SlowWarning(UserWarning):
    """Something is missing without which everything works, only slower."""


class SeesAheadWarning(UserWarning):
    """A model reads from both sides, so that it has read what it predicts."""
