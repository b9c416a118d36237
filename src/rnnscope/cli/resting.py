"""`rnnscope attribution` and `rnnscope writes`: which earlier symbols a prediction, a unit or a state rests on."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rnnscope.cli.show import figures_option, print_shaded, print_table, table_options, write_drawn
from rnnscope.cli.texts import reading_options, text_for
from rnnscope.cli.trace import opened_trace, run_option
from rnnscope.cli.used import expect_used

if TYPE_CHECKING:
    import pandas as pd

_MOST = 10


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("text", required=False)
@click.option("--at", type=int, help="The position, from 0.  [default: the last one whose next symbol is known]")
@click.option("--signal", help="Of a layer, such as layer1/cell.  [default: log_prob, of the symbol that came next]")
@click.option("--unit", type=int, help="Of the signal.")
@click.option("--back", type=click.IntRange(min=1), default=200, show_default=True, help="Symbols that are looked at.")
@reading_options
@figures_option
@table_options
def attribution(
    run: Path, text: str | None, at: int | None, signal: str | None, unit: int | None, back: int,
    split: str | None, most: int | None, unknown: str, folder: Path | None, form: str | None,
) -> None:  # fmt: skip
    """Which earlier symbols a prediction or a unit rests on: gradient × input through the recurrence.

    Without TEXT it is the test part of the text that RUN was trained on. The text before the position is printed, blue where
    a symbol raises the target, red where it lowers it, and the ten largest shares below; all of them with --json and --csv.
    'share' is in nats for log_prob, in the unit's own measure else.

    \b
    Example:
      rnnscope attribution runs/book --at 1000
      rnnscope attribution runs/book --at 1000 --signal layer1/cell --unit 7
    """
    import numpy as np

    from rnnscope.exceptions import UsageError
    from rnnscope.findings.attribution import LOG_PROB
    from rnnscope.findings.attribution import attribution as attribute
    from rnnscope.training import Run

    expect_used("unit", signal not in (None, LOG_PROB), "the --signal of a layer")
    opened = Run.open(run)
    corpus = text_for(opened, text, split, most, unknown)
    following = corpus.next_ids()
    known = np.flatnonzero(following >= 0)
    if at is None and not len(known):
        raise UsageError(f"{corpus!r} has no symbol with a known successor; give the position with --at, and a --signal")
    place = int(known[-1]) if at is None else at
    table = attribute(opened.model(), corpus, place, signal or LOG_PROB, unit, back=back)
    if signal is None or signal == LOG_PROB:
        came = corpus.vocabulary.to_str(following[place : place + 1])
        target, measure = f"log p of {came!r} after position {place:,}", "share of log p, nats"
    else:
        target, measure = f"{signal}[{unit}] at position {place:,}", f"share of {signal}[{unit}]"
    _show(table, "share", corpus.vocabulary.kind, "attribution", target, measure, folder, form)


@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--signal", required=True, help="A state that a gate keeps, such as layer1/cell.")
@click.option("--unit", type=int, required=True, help="Of the signal.")
@click.option("--at", type=int, help="The position, from 0.  [default: the last one]")
@click.option("--back", type=click.IntRange(min=1), default=1_000, show_default=True, help="Symbols that are looked at.")
@run_option
@figures_option
@table_options
def writes(
    trace: Path, signal: str, unit: int, at: int | None, back: int, run: Path | None, folder: Path | None, form: str | None
) -> None:
    """What a state is made of: what each earlier symbol wrote to it, and how much of that its gate has kept.

    'part' is 'write' × 'kept'; the parts add up to the state, the last row, without a symbol, being what was there before. The text
    before the position is printed, blue where a part is positive, red where it is negative, and the ten largest parts below;
    all of them with --json and --csv.

    \b
    Example:
      rnnscope writes traces/book --signal layer1/cell --unit 7 --at 1000
    """
    from rnnscope.analysis.writes import writes as decompose

    opened = opened_trace(trace, run)
    place = len(opened) - 1 if at is None else at
    table = decompose(opened, signal, unit, place, back=back)
    state = float(table["part"].sum())
    target = f"{signal}[{unit}] at position {place:,}: {state:+z.3f}"
    _show(table, "part", opened.corpus.vocabulary.kind, "writes", target, f"part of {signal}[{unit}]", folder, form)


def _show(
    table: "pd.DataFrame", part: str, kind: str, name: str, target: str, measure: str, folder: Path | None, form: str | None
) -> None:
    from rnnscope.views.drawn import Drawn
    from rnnscope.views.shading import resting, shaded

    if folder is not None:
        write_drawn(Drawn({name: table}, {name: resting(table, part, kind, target, measure)}), folder)
    if form:
        print_table(table, form)
    else:
        click.echo(target)
        print_shaded(shaded(table, part, kind))
        largest = table.reindex(table[part].abs().sort_values(ascending=False, kind="stable").index).head(_MOST)
        print_table(largest.assign(symbol=[repr(symbol) if symbol else "before" for symbol in largest["symbol"]]), None)
