"""How tables and progress are shown."""

import errno
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rnnscope.exceptions import InputError, OccupiedError
from rnnscope.files import csv_of
from rnnscope.progress import Progress

if TYPE_CHECKING:
    import pandas as pd

    from rnnscope.views.drawn import Drawn
    from rnnscope.views.stretch import Stretch

F = TypeVar("F", bound=Callable[..., Any])

SHOWN = (
    "hypothesis", "signal", "unit", "measure", "score", "low", "high", "untrained", "last_symbol", "probe", "q_value", "finding",
    "loss_critical", "loss_elsewhere",
)  # fmt: skip
"""What people see of the table of best units; programs get all of it."""
_TINY = 0.01


def table_options(command: F) -> F:
    """Adds `--json` and `--csv`."""
    command = click.option("--csv", "form", flag_value="csv", help="Print the table as CSV.")(command)
    return click.option("--json", "form", flag_value="json", help="Print the table as JSON: a list of rows.")(command)


def print_table(table: "pd.DataFrame", form: str | None, *, digits: int = 3) -> None:
    """Print a table for people, or as JSON or CSV for programs (NaN as null and as nothing)."""
    if form == "json":
        click.echo(json.dumps(json.loads(table.to_json(orient="records", double_precision=15)), indent=1, ensure_ascii=False))
    elif form == "csv":
        click.echo(csv_of(table), nl=False)
    else:
        _print_rich(table, digits)


def say_which(table: str, tables: Sequence[str]) -> None:
    """Which of several tables is printed where a program gets one and people see more."""
    others = ", ".join(name for name in tables if name != table)
    click.echo(f"this is the table {table}; --table NAME gives another: {others}", err=True)


def print_shaded(stretch: "Stretch") -> None:
    """Print text on a ground coloured by its values; where the output is no terminal, the text alone."""
    from rich.text import Text

    from rnnscope.views.palette import INK, blend
    from rnnscope.views.signs import in_line

    shown = Text()
    for character, value in zip(stretch.text, stretch.values.tolist(), strict=True):
        shown.append(in_line(character) + ("\n" if character == "\n" else ""), f"{INK} on {blend(value)}")
    _print(shown)


def figures_option(command: F) -> F:
    """Adds `--figures`, a folder that can be written to; what can't be is said before any work is done."""
    return click.option(
        "--figures", "folder", type=click.Path(path_type=Path), callback=lambda _, __, folder: folder and _for_figures(folder),
        help="Write pictures (SVG) and their tables (CSV) to this folder.",
    )(command)  # fmt: skip


def _for_figures(folder: Path) -> Path:
    """Leaves nothing behind: the folder is made where the figures are."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise OccupiedError(f"{there} is no folder; expected one for figures, or a new name; choose another place for --figures")
    try:
        with TemporaryFile(dir=there):
            pass
    except OSError as error:
        what = f"nothing can be written to {there} ({error.strerror})"
        raise InputError(f"{what}; expected a folder for figures that you have the right to use; choose another one") from error
    return folder


def write_drawn(drawn: "Drawn", folder: Path) -> None:
    """Write what was drawn, and say where."""
    from rnnscope.views.drawn import write

    for path in write(drawn, folder):
        click.echo(path, err=True)


def print_units(table: "pd.DataFrame", form: str | None) -> None:
    """Print the table of best units; people see the columns in `SHOWN` that are there and not empty."""
    print_table(table if form else table[[name for name in SHOWN if name in table and table[name].notna().any()]], form)


def _print_rich(table: "pd.DataFrame", digits: int) -> None:
    from pandas.api.types import is_numeric_dtype
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in table.columns:
        right = is_numeric_dtype(table[name])
        whole = right or not any(" " in str(value) for value in table[name])  # a name is never broken
        shown.add_column(str(name), justify="right" if right else "left", no_wrap=whole, overflow="fold")
    for row in zip(*(_cells(table.iloc[:, k], digits) for k in range(table.shape[1])), strict=True):
        shown.add_row(*row)
    _print(shown)


def _cells(column: "pd.Series[Any]", digits: int) -> list[str]:
    """What stands in a column: so many digits after the point; three significant ones where all its numbers are tiny; no −0."""
    from pandas import isna
    from pandas.api.types import is_float_dtype

    tiny = is_float_dtype(column) and 0 < column.abs().max() < _TINY
    form = "z.3g" if tiny else f"z.{digits}f"
    return ["" if isna(v) else f"{v:{form}}" if isinstance(v, float) else str(v) for v in column]


def _print(shown: Any) -> None:
    from rich.console import Console

    class Printer(Console):
        def on_broken_pipe(self) -> None:  # where Console would leave with status 1
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    Printer(width=None if sys.stdout.isatty() else 200, markup=False, highlight=False).print(shown)


def speaks() -> bool:
    """Whether this process is the one that speaks; of several that torchrun started, the first."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def progress_bar(title: str) -> Iterator[Progress]:
    """A bar on the terminal with a rate and the time left; nothing where standard error is no terminal."""
    if not sys.stderr.isatty() or not speaks():
        yield lambda done, total, note="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"), BarColumn(24), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Bars(*columns, console=Console(stderr=True), transient=False) as bars:
        task = bars.add_task(title, total=None, note="")
        first: list[float] = []

        def progress(done: int, total: int, note: str = "") -> None:
            now = time.monotonic()
            if not first:
                first.extend((now, done))
            rate = (done - first[1]) / (now - first[0]) if now > first[0] else 0.0
            speed = f"{rate / 1000:,.0f}k/s" if rate >= 10_000 else f"{rate:,.0f}/s" if rate else ""
            bars.update(task, completed=done, total=total, note=f"{speed}  {note}")

        yield progress
