"""`rnnscope planted`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rnnscope.cli.show import print_table, progress_bar, table_options
from rnnscope.cli.used import expect_used
from rnnscope.exceptions import InputError, UsageError, so_many

if TYPE_CHECKING:
    import pandas as pd


@click.command()
@click.option("--cells", default="lstm,gru", show_default=True, help="The cells of the networks, with commas.")
@click.option("--networks", type=click.IntRange(min=1), default=1, show_default=True, help="Networks of each cell.")
@click.option("--units", type=click.IntRange(min=1), default=64, show_default=True, help="Units of each network.")
@click.option("--symbols", type=click.IntRange(min=1), default=30_000, show_default=True, help="Symbols of each text.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The first network's seed.")
@click.option("--out", type=click.Path(path_type=Path), help="Only write states, labels and truth to this folder.")
@click.option("--judge", "ranking", type=click.Path(path_type=Path), help="Judge this ranking, a CSV file.")
@click.option("--against", type=click.Path(path_type=Path), help="The folder that the ranking is of.")
@table_options
def planted(
    cells: str, networks: int, units: int, symbols: int, seed: int, out: Path | None, ranking: Path | None, against: Path | None,
    form: str | None,
) -> None:  # fmt: skip
    """Measure a method of finding units on networks whose units are known, since their weights were set by hand.

    The method is rnnscope's own. To measure another one, write states and labels with --out, run it on them, and judge its ranking:
    a CSV file with the columns hypothesis, network, signal, unit and score (the higher, the better) and, if the
    method claims what it finds, finding. 'rank' 1 is a planted unit that no other one beats; in the tasks 'random' and
    'shuffled' there is nothing to be found, and 'found' is a false finding.

    \b
    Example:
      rnnscope planted --cells lstm --symbols 20000
      rnnscope planted --out bench
      rnnscope planted --judge ranking.csv --against bench
    """
    if (ranking is None) != (against is None):
        raise UsageError("--judge and --against belong together: a ranking, and the folder that --out wrote; give both")
    if ranking is not None and out is not None:
        raise UsageError("--out writes a benchmark and --judge judges a ranking of one; give one of them")
    for option in ("cells", "networks", "units", "symbols", "seed"):
        expect_used(option, ranking is None, "networks that are made here, without --judge")
    if out is not None and form:
        raise UsageError(f"--out writes a benchmark and prints no table; leave --{form} out")
    if ranking is not None and against is not None:
        from rnnscope.planted.folder import read_truths
        from rnnscope.planted.judging import judge

        print_table(judge(_ranking(ranking), read_truths(against)), form)
        return
    chosen = list(dict.fromkeys(cell.strip() for cell in cells.split(",")))
    with progress_bar("planted") as progress:
        if out is not None:
            from rnnscope.planted.folder import write

            truths = write(out, cells=chosen, networks=networks, units=units, symbols=symbols, seed=seed, progress=progress)
            click.echo(f"{out}: {so_many(len(truths), 'networks')} with their states, labels and the truth")
            return
        from rnnscope.planted import planted_benchmark

        table = planted_benchmark(cells=chosen, networks=networks, units=units, symbols=symbols, seed=seed, progress=progress)
    print_table(table, form)


def _ranking(path: Path) -> "pd.DataFrame":
    from pandas import read_csv

    try:
        return read_csv(path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing; expected a ranking as a CSV file") from None
    except (ValueError, OSError) as error:
        raise InputError(f"{path} can't be read as CSV ({error}); expected a ranking with a header") from error
