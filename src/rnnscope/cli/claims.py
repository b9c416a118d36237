"""Options for hypotheses of one's own, the same for every command that takes them."""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rnnscope.exceptions import InputError, UsageError

if TYPE_CHECKING:
    from rnnscope.analysis import Hypothesis

F = TypeVar("F", bound=Callable[..., Any])


def own_options(command: F) -> F:
    """Adds `--function`, `--pattern`, `--query` and `--labels`, which `own_hypotheses` takes as they come."""
    for option, parameter, form, text in (
        ("--labels", "columns", "NAME=FILE[:COLUMN]", "A hypothesis of yours: a file with a label for each symbol."),
        ("--query", "queries", "NAME=LANGUAGE:QUERY", "A hypothesis of yours: inside the nodes of a tree-sitter query."),
        ("--pattern", "patterns", "NAME=REGEX", "A hypothesis of yours: inside what a regular expression matches."),
        ("--function", "functions", "NAME=MODULE:FUNCTION", "A hypothesis of yours: a Python function from a text to its labels."),
    ):
        kind = "" if parameter in ("patterns", "queries") else " NAME:graded and NAME:categorical say what the labels are."
        command = click.option(option, parameter, multiple=True, metavar=form, help=f"{text}{kind}  May be repeated.")(command)
    return command


def own_hypotheses(
    functions: tuple[str, ...], patterns: tuple[str, ...], queries: tuple[str, ...], columns: tuple[str, ...]
) -> "list[Hypothesis]":
    """The hypotheses that the options of `own_options` describe."""
    from rnnscope.analysis.hypotheses.own import hypothesis

    made: dict[str, Hypothesis] = {}
    for what, texts in (("function", functions), ("pattern", patterns), ("query", queries), ("column", columns)):
        for text in texts:
            label, equals, value = text.partition("=")
            if not equals or not value:
                raise UsageError(f"{text!r} describes no hypothesis; expected NAME=…, such as {_EXAMPLES[what]}")
            name, _, kind = label.partition(":")
            if name in made:
                raise UsageError(f"two hypotheses of yours are called {name!r}; give each its own name")
            given: Any = {what: _function(value) if what == "function" else value, "kind": kind or None}
            made[name] = hypothesis(name, **given)
    return list(made.values())


_EXAMPLES = {
    "function": "--function vowel=mymodule:is_vowel",
    "pattern": r"--pattern year='\b1[89]\d\d\b'",
    "query": "--query returns='c:(return_statement) @node'",
    "column": "--labels mood=moods.csv:mood",
}


def _function(place: str) -> Any:
    """A function of a module, which may lie in the current folder."""
    module, colon, name = place.partition(":")
    if not colon or not name:
        raise UsageError(f"{place!r} names no function; expected MODULE:FUNCTION, such as {_EXAMPLES['function']}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = import_module(module)
    except (Exception, SystemExit) as error:  # whatever somebody's module does
        what = f"{type(error).__name__}: {error}"
        raise InputError(f"the module {module} can't be imported ({what}); expected one in this folder, or installed") from error
    try:
        return getattr(found, name)
    except AttributeError:
        raise InputError(f"the module {module} has no function {name!r}; expected MODULE:FUNCTION") from None
