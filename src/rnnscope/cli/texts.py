"""Which text a command reads, and as what."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rnnscope.corpora import Corpus
    from rnnscope.training import Run

F = TypeVar("F", bound=Callable[..., Any])


def text_options(command: F) -> F:
    """Adds `--symbols` and `--language`, for a text that a network is trained on."""
    languages = click.Choice(["python", "c"])
    return symbols_option(
        click.option("--language", type=languages, help="The programming language.  [default: found out]")(command)
    )


def symbols_option(command: F) -> F:
    """Adds `--symbols`, for a text that is read as what it is, whatever language it is in."""
    kinds = click.Choice(["bytes", "characters"])
    return click.option("--symbols", type=kinds, help="What the text is made of.  [default: characters, or the corpus's own]")(
        command
    )


def unknown_option(command: F) -> F:
    """Adds `--unknown`, for a text that a network reads with its own vocabulary."""
    return click.option(
        "--unknown", type=click.Choice(["error", "skip", "replace"]), default="error", show_default=True,
        help="What to do with symbols that the network doesn't know.",
    )(command)  # fmt: skip


def reading_options(command: F) -> F:
    """Adds `--split`, `--length` and `--unknown`, for a text that a trained network reads."""
    command = click.option("--length", "most", type=click.IntRange(min=1), help="Only so many symbols of it.")(
        unknown_option(command)
    )
    return click.option(
        "--split", type=click.Choice(["train", "validation", "test", "all"]),
        help="The part of the text.  [default: test of the run's own text, all of another one]",
    )(command)  # fmt: skip


def text_for(run: "Run", text: str | None, split: str | None, most: int | None, unknown: Any) -> "Corpus":
    """The part of a text to read, with the run's own vocabulary and split."""
    from rnnscope.training.texts import text_of

    corpus, own = text_of(run, text, unknown)
    part = corpus.split(split or ("test" if own else "all"))
    return part.head(most) if most else part
