"""Which text a command reads, and as what."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rnnscope.exceptions import FormatError

if TYPE_CHECKING:
    from rnnscope.corpora import Corpus
    from rnnscope.training import Run

F = TypeVar("F", bound=Callable[..., Any])


def text_options(command: F) -> F:
    """Adds `--symbols` and `--language`, for a text that a network is trained on."""
    languages = click.Choice(["python", "c"])
    command = click.option("--language", type=languages, help="The programming language.  [default: found out]")(command)
    kinds = click.Choice(["bytes", "characters"])
    return click.option("--symbols", type=kinds, help="What the text is made of.  [default: characters, or the corpus's own]")(
        command
    )


def reading_options(command: F) -> F:
    """Adds `--split`, `--length` and `--unknown`, for a text that a trained network reads."""
    command = click.option(
        "--unknown", type=click.Choice(["error", "skip", "replace"]), default="error", show_default=True,
        help="What to do with symbols that the network doesn't know.",
    )(command)  # fmt: skip
    command = click.option("--length", "most", type=click.IntRange(min=1), help="Only so many symbols of it.")(command)
    return click.option(
        "--split", type=click.Choice(["train", "validation", "test", "all"]),
        help="The part of the text.  [default: test of the run's own text, all of another one]",
    )(command)  # fmt: skip


def text_for(run: "Run", text: str | None, split: str | None, most: int | None, unknown: Any) -> "Corpus":
    """The part of a text to read, with the run's own vocabulary and split."""
    corpus, own = whole_for(run, text, unknown)
    part = corpus.split(split or ("test" if own else "all"))
    return part.head(most) if most else part


def whole_for(run: "Run", text: str | None, unknown: Any = "error") -> "tuple[Corpus, bool]":
    """A text with the run's own vocabulary and split, and whether it is the one that it was trained on, which is the default."""
    from rnnscope.corpora import Corpus, find

    known = run.corpus
    source = text or known.get("source")
    if source is None:
        raise FormatError(f"{run.path} was trained on a text that was not a file; name the text to read")
    vocabulary = run.vocabulary
    whole = find(source, symbols=vocabulary.kind)
    own = len(whole) == known["length"] and whole.fingerprint == known["fingerprint"]
    if not own and text is None:
        raise FormatError(f"{source} has changed since {run.path} was trained on it; name the text to read")
    language = known.get("language") if own else whole.language
    corpus = Corpus.from_text(
        whole.text(), name=whole.name, vocabulary=vocabulary, unknown=unknown, rule=run.split, language=language
    )
    return corpus, own
