"""All hypotheses there are: the built-in ones and those of other packages."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from rnnscope.analysis.hypotheses.base import Hypothesis
from rnnscope.exceptions import FormatError, UnknownNameError, UsageError
from rnnscope.registry import plugins

GROUP = "rnnscope.hypotheses"


def hypotheses(names: str | Iterable[str] = "*") -> list[Hypothesis]:
    """The hypotheses whose names match any of the glob patterns, sorted by family and name.

    Raises `UnknownNameError` for a pattern that matches none.

    >>> [h.name for h in hypotheses("*_quotes")]
    ['double_quotes', 'single_quotes', 'triple_quotes']
    """
    known: dict[str, Hypothesis] = {}
    for name, kind in plugins(GROUP).items():
        try:
            hypothesis = kind()
        except TypeError as error:
            raise FormatError(
                f"the plug-in {name!r} of {GROUP} can't be made ({error}); expected a class without arguments"
            ) from error
        if not isinstance(hypothesis, Hypothesis) or hypothesis.name != name:
            raise FormatError(f"the plug-in {name!r} of {GROUP} is no hypothesis of that name; expected a subclass of Hypothesis")
        known[name] = hypothesis
    patterns = [names] if isinstance(names, str) else list(names)
    chosen: set[str] = set()
    for pattern in patterns:
        hits = {name for name in known if fnmatchcase(name, pattern)}
        if not hits:
            raise UnknownNameError("hypothesis", pattern, known)
        chosen |= hits
    return sorted((known[name] for name in chosen), key=lambda h: (h.family, h.name))


def chosen(given: str | Iterable[str | Hypothesis] | None) -> list[Hypothesis]:
    """What an analysis was given to test: hypotheses, glob patterns of their names, both; None for all.

    Raises `UnknownNameError` for a pattern that matches none, `UsageError` for what is neither.
    """
    if given is None or isinstance(given, str):
        return hypotheses("*" if given is None else given)
    if isinstance(given, Hypothesis) or not isinstance(given, Iterable):
        raise UsageError(f"{given!r:.80} is no list of hypotheses; expected what rs.hypotheses() gives, or their names")
    found: list[Hypothesis] = []
    for each in given:
        if isinstance(each, str):
            found += [h for h in hypotheses(each) if h.name not in {other.name for other in found}]
        elif isinstance(each, Hypothesis):
            found.append(each)
        else:
            raise UsageError(f"{each!r:.80} is no hypothesis; expected what rs.hypotheses() gives, or their names")
    return found
