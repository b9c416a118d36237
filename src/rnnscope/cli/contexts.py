"""`rnnscope contexts`."""

from pathlib import Path

import click

from rnnscope.cli.models import model_options, opened
from rnnscope.cli.numbers import numbers
from rnnscope.cli.show import figures_option, print_table, progress_bar, table_options, write_drawn


@click.command()
@model_options
@click.option(
    "--lengths", callback=numbers(100_000, "the longest context here"), default="1,2,3,5,10,20,50,100,200,500,1000,2000",
    show_default=True, help="How many symbols are left; the longest is all that is read.",
)  # fmt: skip
@click.option(
    "--way", "ways", type=click.Choice(["cut", "shuffled", "replaced"]), multiple=True,
    help="What happens to the rest; may be repeated.  [default: all three]",
)  # fmt: skip
@click.option("--places", type=click.IntRange(min=2), default=300, show_default=True, help="Places at which the loss is measured.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the places, and of what is put there.")
@figures_option
@table_options
def contexts(
    models: tuple[str, ...], text: str | None, split: str, unknown: str, lengths: list[int], ways: tuple[str, ...], places: int,
    seed: int, folder: Path | None, form: str | None,
) -> None:  # fmt: skip
    """How far back models look: their loss when only the last k symbols are as they were.

    MODEL is a run's folder, or ngram:N. What stood before the last k symbols is cut off; or there is something else in its place,
    symbols of the longest context in random order ('shuffled') or another stretch of the text ('replaced'). 'rise' is what that
    costs, in nats, over the longest context, 'low' to 'high' its 95 % interval.

    \b
    Example:
      rnnscope contexts runs/book ngram:20
      rnnscope contexts runs/book --lengths 1-9,20,100,500 --way cut
    """
    from rnnscope.comparison.contexts import WAYS
    from rnnscope.comparison.contexts import contexts as measure
    from rnnscope.views import comparisons
    from rnnscope.views.drawn import Drawn

    known, corpus = opened(models, text, unknown)
    part = corpus.split(split)
    with progress_bar("read") as progress:
        table = measure(known, part, lengths, ways=ways or WAYS, places=places, seed=seed, progress=progress)
    if folder is not None:
        write_drawn(Drawn({"contexts": table}, {"contexts": comparisons.contexts(table)}), folder)
    print_table(table, form)
