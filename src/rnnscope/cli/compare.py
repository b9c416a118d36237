"""`rnnscope compare` and `rnnscope errors`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rnnscope.cli.models import model_options, opened
from rnnscope.cli.show import figures_option, print_table, progress_bar, say_which, table_options, write_drawn
from rnnscope.cli.used import expect_used
from rnnscope.exceptions import UsageError, so_many

if TYPE_CHECKING:
    import pandas as pd

    from rnnscope.comparison import Comparison

TABLES = ("models", "overlap", "agreement", "gains", "distances", "map", "tree")
ERROR_TABLES = ("errors", "gained")


@click.command()
@model_options
@click.option(
    "--table",
    "wanted",
    type=click.Choice(TABLES),
    multiple=True,
    help="Only this table; may be repeated.  [default: the first four]",
)
@click.option(
    "--by", type=click.Choice(["probability", "argmax"]), default="probability", show_default=True,
    help="An error is a probability below one half, or that another symbol is likelier.",
)  # fmt: skip
@click.option(
    "--pair", help="What distances are between: the opening and the closing symbol.  [default: the pair the text closes most often]"
)
@figures_option
@table_options
def compare(
    models: tuple[str, ...], text: str | None, split: str, unknown: str, wanted: tuple[str, ...], by: str, pair: str | None,
    folder: Path | None, form: str | None,
) -> None:  # fmt: skip
    """What models make of the same text: which errors they share, which symbols one knows better than the other.

    MODEL is a run's folder, or ngram:N, counted in the training part of the text. 'gains' sets the first model against the
    second, symbol by symbol, the ten largest differences each way (all with --json and --csv); 'distances' says how likely a
    closing bracket or quote is to each, by how long it has been open; 'map' lays models out by how often they agree, 'tree' joins
    those that agree most.

    \b
    Columns:
      nats, bits   the loss per symbol
      errors       the share of symbols with a probability below one half
      misses       the share at which another symbol was likelier
      low, high    the 95 % interval, of a gain or of a mean probability
      distance     the first of 20: 1 is 1 to 20 symbols since the opening one
      count        how often the symbol came, how many pairs lie in the bin

    \b
    Example:
      rnnscope compare runs/book ngram:20 --table gains
    """
    from rnnscope.comparison import compare as run_comparison

    chosen = wanted or (TABLES[:1] if form else TABLES[:4] if len(models) > 1 else TABLES[:1])
    if form and len(chosen) > 1:
        raise UsageError(f"--{form} prints one table, not {len(chosen)}; give --table once")
    if "gains" in chosen and len(models) < 2:
        raise UsageError("gains are of one model over another; give two")
    if "tree" in chosen and len(models) < 2:
        raise UsageError("a tree joins models; give two at least")
    expect_used("pair", "distances" in chosen or folder, "--table distances and --figures")
    expect_used("by", "overlap" in chosen or folder, "--table overlap and --figures")
    known, corpus = opened(models, text, unknown)
    with progress_bar("read") as progress:
        found = run_comparison(known, corpus.split(split), by=by, progress=progress)
    if folder is not None:
        from rnnscope.views import compared

        write_drawn(compared.comparison(found, pair), folder)
    if form and not wanted and len(models) > 1:
        say_which(chosen[0], TABLES)
    for name in chosen:
        if not form and len(chosen) > 1:
            click.echo(f"\n{name}")
        table = _table(found, name, pair)
        if name == "distances" and not len(table):
            click.echo(f"no pair of {pair or 'brackets or quotes'} is opened and closed again in what was read", err=True)
        print_table(_ends(table) if name == "gains" and not form else table, form)


def _table(found: "Comparison", name: str, pair: str | None) -> "pd.DataFrame":
    from rnnscope.comparison.agreement import branches, layout
    from rnnscope.comparison.distances import closing

    if name == "agreement":
        return found.agreement.rename_axis("model").reset_index()
    if name == "gains":
        return found.gains()
    if name == "distances":
        return closing(found.readings, pair)
    if name == "map":
        return layout(found.agreement)
    if name == "tree":
        return branches(found.agreement)
    table: pd.DataFrame = getattr(found, name)
    return table


def _ends(table: "pd.DataFrame") -> "pd.DataFrame":
    """The largest differences each way, with symbols as Python writes them."""
    from rnnscope.comparison.gains import largest

    shown = largest(table)
    return shown.assign(symbol=[repr(symbol) for symbol in shown["symbol"]])


@click.command()
@model_options
@click.option(
    "--table", "wanted", type=click.Choice(ERROR_TABLES), multiple=True, help="Only this table; may be repeated.  [default: all]"
)
@click.option(
    "--excerpts", type=click.IntRange(min=1), help="Print so many stretches of text for each category, errors in brackets."
)
@figures_option
@table_options
def errors(
    models: tuple[str, ...], text: str | None, split: str, unknown: str, wanted: tuple[str, ...], excerpts: int | None,
    folder: Path | None, form: str | None,
) -> None:  # fmt: skip
    """What kind each error of a model is: oracles take them away one after the other, as in the paper's section 7.

    MODEL is a run's folder, or ngram:N. An error is a symbol that had a probability below one half. 'share' is of all errors,
    'bits' what they cost, per symbol of the text, 'left' how many remain. With two models 'gained' says by category
    how many errors fewer the better one makes; 'share' is of all that it gained.

    \b
    Example:
      rnnscope errors runs/large runs/small
      rnnscope errors runs/large ngram:20 --table gained --csv
    """
    import pandas as pd

    from rnnscope.breakdown import by_errors, gained, oracles
    from rnnscope.breakdown import errors as run_breakdown

    tables = wanted or (ERROR_TABLES[:1] if form or len(models) != 2 else ERROR_TABLES)
    if form and len(tables) > 1:
        raise UsageError(f"--{form} prints one table, not {len(tables)}; give --table once")
    if "gained" in tables and len(models) != 2:
        raise UsageError(f"what was gained is of one model over another; give two, not {len(models)}")
    expect_used("excerpts", "errors" in tables and not form, "--table errors without --json and --csv")
    known, corpus = opened(models, text, unknown)
    chosen = oracles()  # the same objects: n-grams are counted once
    found = {}
    for name, model in known.items():
        with progress_bar(name) as progress:
            found[name] = run_breakdown(model, corpus, chosen, part=split, progress=progress)
    if folder is not None:
        from rnnscope.views import compared

        write_drawn(compared.breakdowns(found), folder)
    if form and not wanted and len(models) == 2:
        say_which(tables[0], ERROR_TABLES)
    if form and "errors" in tables:
        print_table(pd.concat([b.table.assign(model=name) for name, b in found.items()], ignore_index=True), form)
        return
    for name, breakdown in found.items() if "errors" in tables else ():
        symbols = so_many(breakdown.mistakes.symbols, "symbols")
        click.echo(f"\n{name}: {so_many(len(breakdown.mistakes), 'errors')} of {symbols} ({breakdown.rate:.1%})")
        print_table(breakdown.table, None)
        for category in breakdown.categories.query("errors > 0")["category"] if excerpts else ():
            for excerpt in breakdown.excerpts(category, excerpts or 0):
                click.echo(f"  {category}: {_marked(excerpt.text, excerpt.marks, corpus.vocabulary.kind)}")
    if "gained" in tables:
        worse, better = by_errors(found)
        table = gained(found[worse], found[better])
        if form:
            print_table(table.assign(worse_model=worse, better_model=better), form)
            return
        if len(found[worse].mistakes) == len(found[better].mistakes):
            click.echo(f"\n{worse} and {better} make equally many errors; 'worse' is {worse}, 'better' {better}")
        else:
            click.echo(f"\nwhat {better} gets right and {worse} doesn't")
        print_table(table, None)


def _marked(text: str, marks: list[int], kind: str) -> str:
    from rnnscope.views.signs import in_line

    wrong, signs = set(marks), [_visible(sign) for sign in in_line(text, kind)]
    return "".join(f"[{sign}]" if k in wrong else sign for k, sign in enumerate(signs))


def _visible(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]
