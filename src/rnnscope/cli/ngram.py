"""`rnnscope ngram`."""

from pathlib import Path

import click

from rnnscope.cli.numbers import numbers
from rnnscope.cli.show import print_table, progress_bar, table_options
from rnnscope.cli.texts import symbols_option


@click.command()
@click.argument("text")
@click.option(
    "--orders", callback=numbers(1000, "the longest context"), default="1-9,20", show_default=True,
    help="Symbols of context, as the paper counts: 20 makes 21-grams.",
)  # fmt: skip
@click.option(
    "--split", type=click.Choice(["train", "validation", "test"]), default="test", show_default=True,
    help="The part of the text that is predicted.",
)  # fmt: skip
@click.option("--apart", is_flag=True, help="Begin each segment of the part without context, as a network reads it.")
@click.option("--index", type=click.Path(path_type=Path), help="A folder for the counts: read from there, or kept there.")
@symbols_option
@table_options
def ngram(
    text: str,
    orders: list[int],
    split: str,
    apart: bool,
    index: Path | None,
    symbols: str | None,
    form: str | None,
) -> None:
    """How well tables of the last n symbols predict a text: nats and bits per symbol for every n.

    TEXT is a file, '-' for standard input, or the name of a known corpus. Its training part is counted once, for all orders
    together; every order is interpolated modified Kneser-Ney. A part of several segments is read as one text, or --apart.

    \b
    Example:
      rnnscope ngram warpeace --orders 1-9,20
    """
    from rnnscope.corpora import find
    from rnnscope.ngrams.ladder import counted, ladder

    corpus = find(text, symbols=symbols)  # type: ignore[arg-type]  # click checked the choice
    with progress_bar("count") as progress:
        model = counted(corpus.split("train"), max(orders), index, progress=progress)
    with progress_bar("predict") as progress:
        table = ladder(model, corpus.split(split), orders, apart=apart, progress=progress)
    print_table(table, form, digits=4)
