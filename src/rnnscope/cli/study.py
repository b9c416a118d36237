"""`rnnscope study`."""

import sys
from contextlib import ExitStack
from pathlib import Path

import click

from rnnscope.cli.show import print_units, progress_bar, table_options
from rnnscope.cli.texts import text_options
from rnnscope.cli.train import architecture_options
from rnnscope.progress import Progress


@click.command()
@click.argument("text", default="python-stdlib")
@click.option("--out", type=click.Path(path_type=Path), help="The study's folder.  [default: studies/NAME]")
@architecture_options(cell="lstm", layers=1, units=256)
@click.option("--epochs", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many passes over the text.")
@click.option(
    "--updates", type=click.IntRange(min=1), default=5_000, show_default=True, help="At most so many updates of the weights."
)
@click.option(
    "--snapshots", type=click.IntRange(min=0), default=0, show_default=True,
    help="Keep weights so often while the number of updates doubles, and say when units appeared.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the first weights.")
@text_options
@table_options
def study(
    text: str,
    out: Path | None,
    cell: str,
    layers: int,
    units: int,
    context: int | None,
    epochs: int,
    updates: int,
    snapshots: int,
    seed: int,
    symbols: str | None,
    language: str | None,
    form: str | None,
) -> None:
    """Everything on one text: train, record, score, and write report.html.

    TEXT is a file, '-' for standard input, or the name of a known corpus (see 'rnnscope corpora'); left out, it is
    Python's own standard library. A study that was stopped goes on where it stopped: run the same command again.

    \b
    Example:
      rnnscope study book.txt --out studies/book
    """
    from rnnscope.models import Architecture
    from rnnscope.studies.study import default_recipe
    from rnnscope.studies.study import study as run_study

    recipe = default_recipe(Architecture(cell, layers, units, context), epochs, updates, seed, snapshots)
    with ExitStack() as stack:
        current = ExitStack()
        stack.callback(lambda: current.close())

        def watch(name: str, done: bool) -> Progress:
            current.close()
            if done:
                if sys.stderr.isatty():
                    click.echo(f"{name:<11}done before", err=True)
                return lambda done, total, note="": None
            return current.enter_context(progress_bar(f"{name:<10}"))

        finished = run_study(text, out, recipe=recipe, symbols=symbols, language=language, watch=watch)
    print_units(finished.units, form)
    if form is None:
        click.echo(f"\nthe page: {finished.report}")
