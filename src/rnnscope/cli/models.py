"""Which models a command reads a text with: runs, and n-grams of the same text."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rnnscope.cli.show import progress_bar
from rnnscope.cli.texts import unknown_option
from rnnscope.cli.used import expect_used
from rnnscope.exceptions import UsageError

if TYPE_CHECKING:
    from rnnscope.corpora import Corpus
    from rnnscope.protocol import LanguageModel

F = TypeVar("F", bound=Callable[..., Any])

NGRAM = "ngram:"


def model_options(command: F) -> F:
    """Adds `MODEL …`, `--text`, `--split` and `--unknown`."""
    command = click.option(
        "--split", type=click.Choice(["train", "validation", "test"]), default="test", show_default=True,
        help="The part of the text that is read.",
    )(unknown_option(command))  # fmt: skip
    command = click.option("--text", help="A file or a known corpus.  [default: the one that the first run was trained on]")(
        command
    )
    return click.argument("models", nargs=-1, required=True, metavar="MODEL...")(command)


def opened(given: Sequence[str], text: str | None, unknown: Any) -> "tuple[dict[str, LanguageModel], Corpus]":
    """Models by their names, and the whole text: runs by their folders, `ngram:N` counted in the text's training part."""
    from rnnscope.corpora import find
    from rnnscope.training import Run
    from rnnscope.training.texts import text_of

    runs = [spec for spec in given if not spec.startswith(NGRAM)]
    expect_used("unknown", runs, "networks, which know the symbols of their own text alone")
    if runs:
        corpus, _ = text_of(Run.open(Path(runs[0])), text, unknown)
    elif text:
        corpus = find(text)
    else:
        raise UsageError(f"{given[0]} has to be counted in a text; name it with --text, or give a run too")
    return models_of(given, corpus), corpus


def models_of(given: Sequence[str], corpus: "Corpus") -> "dict[str, LanguageModel]":
    """Models by their names: runs by their folders, `ngram:N` counted in the training part of the corpus."""
    from rnnscope.ngrams import NGramLM
    from rnnscope.training import Run

    contexts = {spec: _context(spec) for spec in given if spec.startswith(NGRAM)}
    runs = {spec: Run.open(Path(spec)) for spec in given if spec not in contexts}
    for spec, run in runs.items():
        if run.vocabulary != corpus.vocabulary:
            raise UsageError(
                f"{spec} knows other symbols than {corpus.name} has; expected networks that were trained on the same text, or on "
                "texts of the same symbols"
            )
    counted: NGramLM | None = None
    if contexts:
        with progress_bar("count") as progress:
            counted = NGramLM.fit(corpus.split("train"), max(contexts.values()), progress=progress)
    found: dict[str, LanguageModel] = {}
    for spec in given:
        name = f"{contexts[spec]}-gram" if spec in contexts else Path(spec).resolve().name
        if name in found:
            raise UsageError(f"two models are called {name}; give each once, and runs in folders of different names")
        found[name] = counted.shorter(contexts[spec]) if counted is not None and spec in contexts else runs[spec].model()
    return found


def _context(spec: str) -> int:
    from rnnscope.protocol import LONGEST

    number = spec.removeprefix(NGRAM)
    if not number.isdecimal() or not 0 <= int(number) <= LONGEST:
        raise UsageError(f"{spec} is no model; expected a run's folder, or ngram:N with N from 0 to {LONGEST:,}, such as ngram:20")
    return int(number)
