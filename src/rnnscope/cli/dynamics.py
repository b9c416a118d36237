"""`rnnscope dynamics`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnscope.cli.models import models_of
from rnnscope.cli.show import figures_option, print_table, progress_bar, table_options, write_drawn
from rnnscope.cli.texts import unknown_option
from rnnscope.cli.used import expect_used
from rnnscope.exceptions import UsageError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TABLES = ("kl", "nearest", "closest", "units", "appearances")
REFERENCES = tuple(f"ngram:{n}" for n in range(1, 7))
_LENGTH = 100_000
_PEOPLE = {
    "units": ["hypothesis", "measure", "signal", "unit", "update", "epochs", "score", "best_signal", "best_unit", "best_score"]
}


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--reference", "references", multiple=True, metavar="MODEL",
    help="A run's folder, or ngram:N; may be repeated.  [default: ngram:1 to ngram:6]",
)  # fmt: skip
@click.option(
    "--table", "wanted", type=click.Choice(TABLES), multiple=True, help="This table; may be repeated.  [default: closest]"
)
@click.option("--hypothesis", "names", multiple=True, metavar="GLOB", help="Units for these only; may be repeated.  [default: all]")
@click.option("--signal", multiple=True, metavar="GLOB", help="Units of these signals; may be repeated.  [default: the states]")
@click.option("--text", help="A file or a known corpus.  [default: the one that the run was trained on]")
@click.option(
    "--split", type=click.Choice(["train", "validation", "test", "all"]), default="test", show_default=True,
    help="The part of the text that is read.",
)  # fmt: skip
@click.option(
    "--length", "most", type=click.IntRange(min=2), help="Only so many symbols of it.  [default: 100,000; for units 32,768]"
)
@unknown_option
@figures_option
@table_options
def dynamics(
    run: Path,
    references: tuple[str, ...],
    wanted: tuple[str, ...],
    names: tuple[str, ...],
    signal: tuple[str, ...],
    text: str | None,
    split: str,
    most: int | None,
    unknown: str,
    folder: Path | None,
    form: str | None,
) -> None:
    """What a network learned when: how near it was to simpler models, and when its units appeared.

    RUN is one whose training kept weights on the way (rnnscope train … --snapshots 4). 'kl' has the symmetric divergence from every
    reference at every snapshot, and the difference of losses; 'nearest' says which reference the network was nearest to, 'closest'
    when it was closest to each. 'units' has the scores of the units that are best in the end at every snapshot, 'appearances' when
    they got half of the way there.

    \b
    Columns of 'closest', of the snapshot that is nearest to the reference:
      epochs, kl   when that was, and the divergence from it, in nats
      difference   the network's loss less the reference's
      overtaken    the epochs from when on the network's loss stays below
                   the reference's

    \b
    Columns of 'appearances':
      first, last  the score at the first and at the last snapshot
      threshold    half of the way from first to last
      update       the first snapshot with a score of that; empty where the
                   score rises by less than 0.05, or not away from chance
      epochs       the same in epochs, as lasting and chosen are
      lasting      from when on the score stays there
      chosen       from when on the unit stays the best for its hypothesis

    \b
    Example:
      rnnscope dynamics runs/book --reference ngram:2 --reference runs/6nn --table kl --csv
      rnnscope dynamics runs/book --table appearances --hypothesis '*quotes' --figures figures
    """
    from rnnscope.training import Run
    from rnnscope.training.texts import text_of

    chosen = wanted or ("closest",)
    if form and len(chosen) > 1:
        raise UsageError(f"--{form} prints one table, not {len(chosen)}; give --table once")
    near, units = {"kl", "nearest", "closest"} & set(chosen), {"units", "appearances"} & set(chosen)
    expect_used("references", near, "--table kl, nearest and closest")
    for option in ("names", "signal"):
        expect_used(option, units, "--table units and appearances")
    opened = Run.open(run)
    whole, _ = text_of(opened, text, unknown)
    part = whole.split(split)
    found: dict[str, pd.DataFrame] = {}
    drawn: dict[str, Figure] = {}
    if near:
        found |= _near(opened, references or REFERENCES, whole, part, most, drawn)
    if units:
        found |= _units(opened, names, signal, part, most, drawn)
    if folder is not None:
        from rnnscope.views.drawn import Drawn

        write_drawn(Drawn(found, drawn), folder)
    for name in chosen:
        if not form and len(chosen) > 1:
            click.echo(f"\n{name}")
        print_table(found[name] if form else found[name][_PEOPLE.get(name, list(found[name]))], form)


def _near(run: Any, references: tuple[str, ...], whole: Any, part: Any, most: int | None, drawn: "dict[str, Figure]") -> Any:
    from rnnscope.comparison.dynamics import closest, nearest, snapshots_of
    from rnnscope.comparison.dynamics import dynamics as run_dynamics
    from rnnscope.views import dynamics as draw

    snapshots_of(run)  # says so before anything is counted
    models = models_of(references, whole)
    with progress_bar("read") as progress:
        table = run_dynamics(run, models, part, symbols=most or _LENGTH, progress=progress)
    drawn |= {"kl": draw.divergence(table), "difference": draw.differences(table)}
    return {"kl": table, "nearest": nearest(table), "closest": closest(table)}


def _units(
    run: Any, names: tuple[str, ...], signal: tuple[str, ...], part: Any, most: int | None, drawn: "dict[str, Figure]"
) -> Any:
    from rnnscope.findings.emergence import READ, appearances, emergence
    from rnnscope.views import dynamics as draw

    with progress_bar("units") as progress:
        table = emergence(run, None, part, hypotheses=names or None, signal=signal or None, symbols=most or READ, progress=progress)
    for name, reason in table.attrs["left_out"].items():
        click.echo(f"not tested: {name} {reason}", err=True)
    drawn["units"] = draw.units(table)
    return {"units": table, "appearances": appearances(table)}
