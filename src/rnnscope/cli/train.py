"""`rnnscope train` and `rnnscope sample`."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click

from rnnscope.cli.show import progress_bar

F = TypeVar("F", bound=Callable[..., Any])


def architecture_options(command: F) -> F:
    """Adds `--cell`, `--layers`, `--units`."""
    command = click.option("--units", type=click.IntRange(min=1), default=256, show_default=True, help="Units in a layer.")(command)
    command = click.option("--layers", type=click.IntRange(min=1), default=1, show_default=True, help="Layers, one on the other.")(
        command
    )
    kinds = click.Choice(["lstm", "gru", "gru-paper", "rnn"])  # as in models.cells, which would import torch
    return click.option("--cell", type=kinds, default="lstm", show_default=True, help="The recurrence.")(command)


def text_options(command: F) -> F:
    """Adds `--symbols` and `--language`."""
    languages = click.Choice(["python", "c"])
    command = click.option("--language", type=languages, help="The programming language.  [default: found out]")(command)
    kinds = click.Choice(["bytes", "characters"])
    return click.option("--symbols", type=kinds, help="What the text is made of.  [default: characters, or the corpus's own]")(
        command
    )


@click.command()
@click.argument("text")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The run's folder.")
@architecture_options
@click.option("--epochs", type=click.IntRange(min=1), default=12, show_default=True, help="Passes over the training text.")
@click.option("--updates", type=click.IntRange(min=1), help="At most so many updates of the weights.")
@click.option("--batch", type=click.IntRange(min=1), default=32, show_default=True, help="Streams side by side.")
@click.option(
    "--length", type=click.IntRange(min=1), default=100, show_default=True, help="Symbols of each stream between two updates."
)
@click.option("--learning-rate", default=1e-2, show_default=True, help="At its highest.")
@click.option(
    "--chrono", type=click.IntRange(min=0), default=100, show_default=True, help="Longest memory that gates begin with; 0 for none."
)
@click.option("--precision", type=click.Choice(["auto", "float32", "bfloat16"]), default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="That torch computes on.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the first weights.")
@click.option("--resume", is_flag=True, help="Go on with the run in that folder.")
@text_options
def train(
    text: str, out: Path, cell: str, layers: int, units: int, symbols: str | None, language: str | None, resume: bool, **rest: Any
) -> None:
    """Train a network on a text.

    TEXT is a file, '-' for standard input, or the name of a known corpus. The folder gets the weights that did best
    on the validation part, the recipe, the history and a checkpoint.

    \b
    Example:
      rnnscope train book.txt --out runs/book --cell gru --layers 2 --units 128 --epochs 20
    """
    from rnnscope.corpora import find
    from rnnscope.models import Architecture
    from rnnscope.training import Recipe
    from rnnscope.training import train as run_training

    known = {field.name for field in fields(Recipe)}
    recipe = Recipe(architecture=Architecture(cell, layers, units), **{k: v for k, v in rest.items() if k in known})
    corpus = find(text, symbols=symbols, language=language)  # type: ignore[arg-type]  # click checked the choice
    with progress_bar("train") as progress:
        run = run_training(recipe, corpus, out, resume=resume, progress=progress)
    best = min(run.history, key=lambda entry: entry["validation_nats"])
    click.echo(f"{out}: {best['validation_nats']:.4f} nats per symbol on the validation part, after epoch {best['epoch']}")


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--prompt", default="", help="What the text begins with.  [default: a newline]")
@click.option("--length", default=500, show_default=True, help="Symbols to write.")
@click.option("--temperature", default=1.0, show_default=True, help="Below 1 is safer, above 1 is wilder, 0 is the most likely.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The same seed writes the same text.")
def sample(run: Path, prompt: str, length: int, temperature: float, seed: int) -> None:
    """Let a trained network write.

    \b
    Example:
      rnnscope sample runs/book --prompt "It was " --temperature 0.7
    """
    from rnnscope.models.sampling import sample as write
    from rnnscope.models.threads import computing
    from rnnscope.training import load

    with computing():
        text = write(load(run), prompt, length=length, temperature=temperature, seed=seed)
    begin: str | bytes = prompt.encode() if isinstance(text, bytes) else prompt
    click.echo(begin + text)  # type: ignore[operator]  # both str or both bytes
