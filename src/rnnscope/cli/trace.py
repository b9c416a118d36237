"""`rnnscope record`, and the tables that are made from a trace: `cells` and `saturation`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnscope.cli.claims import own_hypotheses, own_options
from rnnscope.cli.show import figures_option, print_table, print_units, progress_bar, table_options, write_drawn
from rnnscope.cli.texts import reading_options, text_for
from rnnscope.cli.used import expect_used
from rnnscope.exceptions import UsageError, so_many

if TYPE_CHECKING:
    from rnnscope.traces import Trace


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("text", required=False)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The trace's folder.")
@click.option("--signals", multiple=True, help="Signals to keep, as glob patterns; may be repeated.  [default: log_prob]")
@reading_options
@click.option("--half", multiple=True, help="Signals to keep in half precision, as glob patterns; may be repeated.")
@click.option("--streams", type=click.IntRange(min=1), default=1, help="Cut the text into so many pieces and read them at once.")
@click.option(
    "--tolerance", type=click.FloatRange(min=0), default=1e-5, show_default=True, help="To which the pieces' states agree."
)
@click.option("--overwrite", is_flag=True, help="Replace the trace that is there.")
@click.option("--untrained", is_flag=True, help="Take the weights that the training began with.")
def record(
    run: Path, text: str | None, out: Path, signals: tuple[str, ...], split: str | None, most: int | None, unknown: str,
    half: tuple[str, ...], streams: int, tolerance: float, overwrite: bool, untrained: bool,
) -> None:  # fmt: skip
    """Let a network read a text and keep what it computes at every symbol.

    Without TEXT it reads the text that it was trained on. The network's states are kept every 256 symbols; every signal that is
    not named is computed from them when it is asked for, as long as RUN lies where it lay. 'top5' is the five
    likeliest next symbols. A recording that was stopped goes on when the same command is given again. The
    trace is a Zarr group that xarray opens as it is.

    \b
    Example:
      rnnscope record runs/book --out traces/book --signals 'layer*/cell' --signals log_prob
    """
    from rnnscope.recording import record as run_recording
    from rnnscope.training import Run

    expect_used("tolerance", streams > 1, "--streams")
    opened = Run.open(run)
    corpus = text_for(opened, text, split, most, unknown)
    model = opened.model(untrained=untrained)
    with progress_bar("record") as progress:
        trace = run_recording(
            model,
            corpus,
            out,
            signals or ("log_prob",),
            half=half,
            streams=streams,
            tolerance=tolerance,
            overwrite=overwrite,
            progress=progress,
        )
    more = len(trace.signals) - len(trace.kept)
    kept = f"{so_many(len(trace.kept), 'signals')} at {so_many(len(trace), 'symbols')}"
    click.echo(f"{out}: {kept}, {more} more to compute when they are asked for")
    if trace.streams:
        click.echo(f"{so_many(trace.streams['rows'], 'streams')} agree to {trace.streams['largest_difference']:.1e}", err=True)


run_option = click.option(
    "--run", type=click.Path(path_type=Path), help="The run that was recorded, where it no longer lies where it lay."
)


def opened_trace(trace: Path, run: Path | None) -> "Trace":
    """A trace, with its model at hand where a run is named."""
    from rnnscope.traces import open_trace

    if run is None:
        return open_trace(trace)
    from rnnscope.training import load

    known = open_trace(trace).model.get("origin") or {}
    return open_trace(trace, load(run, **known.get("options", {})))


@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--signal", multiple=True, help="Signals to look among, as glob patterns; may be repeated.  [default: the states]")
@click.option(
    "--hypothesis", multiple=True, default=("*",), help="Hypotheses to test, as glob patterns; may be repeated.  [default: all]"
)
@click.option(
    "--untrained", type=click.Path(path_type=Path), multiple=True,
    help="A trace of the same network untrained; may be repeated.  [default: five, read from the run's own first weights]",
)  # fmt: skip
@click.option("--causal", is_flag=True, help="Take significant units out of the network, and see where its predictions suffer.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of rotations, random tasks and draws.")
@click.option("--dask", "cluster", metavar="ADDRESS", help="Let the workers of a Dask cluster count; they see the same folders.")
@own_options
@run_option
@click.option("--all", "every", is_flag=True, help="Every unit, not only the best for each hypothesis.")
@table_options
def cells(
    trace: Path,
    run: Path | None,
    signal: tuple[str, ...],
    hypothesis: tuple[str, ...],
    untrained: tuple[Path, ...],
    causal: bool,
    seed: int,
    cluster: str | None,
    every: bool,
    form: str | None,
    **own: Any,
) -> None:
    """Find the units that keep track of something, and what would do as well.

    Each unit meets each hypothesis. The best one is chosen on the first half of the text; its score, with a 95 % interval, is from
    the second: AUROC for yes-or-no hypotheses (chance 0.5), a rank correlation for graded ones, a share of the information for
    categories (chance 0). Beside it what else tells the claim: the best of five untrained networks, the last symbol alone, a linear
    probe. 'q_value' is the false discovery rate at which chance, the last symbol and untrained networks are all ruled out. A
    finding has at most 0.05 and is strong. With --json and --csv there is more: the best direction of a random rotation, F1, lag, …

    \b
    Example:
      rnnscope cells traces/book --signal cell --signal hidden --hypothesis '*quotes' --causal
    """
    from rnnscope.analysis.hypotheses.catalogue import hypotheses
    from rnnscope.findings import examine
    from rnnscope.traces import open_trace

    if every and causal:
        raise UsageError("--all prints every unit, --causal takes out the best ones; give one of them")
    expect_used("untrained", not every, "the best units, without --all")
    others = [open_trace(path) for path in untrained] if untrained or every else None
    known = None
    if run is not None:
        from rnnscope.training import Run

        known = Run.open(run)
    with progress_bar("score") as progress:
        best = examine(
            opened_trace(trace, run), [*hypotheses(hypothesis), *own_hypotheses(**own)], signal or None,
            run=known, untrained=others, ablated=causal, cluster=cluster, seed=seed, progress=progress,
        )  # fmt: skip
    if every:
        print_table(best.attrs["scores"], form)
    else:
        print_units(best, form)
    for name, reason in best.attrs["left_out"].items():
        click.echo(f"not tested: {name} {reason}", err=True)
    if not every and len(best) and best["p_untrained"].isna().all():
        click.echo(
            "not held against untrained networks: it takes the run (--run), or traces of at least three (--untrained)", err=True
        )


@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
@click.option("--units", is_flag=True, help="How long each unit keeps what it holds, and which are dead, latches or counters.")
@click.option("--all", "every", is_flag=True, help="Every unit, as --json and --csv have it, not a line for each gate.")
@run_option
@figures_option
@table_options
def saturation(trace: Path, units: bool, every: bool, run: Path | None, folder: Path | None, form: str | None) -> None:
    """How often each gate is nearly shut (left, below 0.1) or nearly open (right, above 0.9).

    'left' and 'right' are shares of the symbols, of each unit with --all, --json and --csv. Without them there is a line for each
    gate: the means over its units, and how many of these are so at more than half of the symbols ('often_left', 'often_right').

    \b
    Columns with --units:
      memory     over how many symbols the state would fall to 1/e, by the
                 median of what its gate keeps; from 0.2 to 1,000,000, or to
                 4,096 of a gate recorded in half precision
      low, high  the same by the 10 % and the 90 % quantile
      kept       the share of symbols at which more than 0.9 is kept
      deviation  the standard deviation of the state
      kind       dead, latch or counter, or nothing

    \b
    Example:
      rnnscope saturation traces/book --json
      rnnscope saturation traces/book --units --figures figures
    """
    from rnnscope.analysis.saturation import by_gate
    from rnnscope.analysis.saturation import saturation as measure
    from rnnscope.analysis.timescales import LONGEST, timescales

    expect_used("every", not units and not form, "the table of gates, without --units, --json and --csv")
    table = (timescales if units else measure)(opened_trace(trace, run))
    if folder is not None:
        from rnnscope.views.drawn import Drawn
        from rnnscope.views.figures import memories, saturation_scatter

        name, picture = ("timescales", memories(table)) if units else ("saturation", saturation_scatter(table))
        write_drawn(Drawn({name: table}, {name: picture}), folder)
    print_table(table if units or every or form else by_gate(table), form)
    if units and (longest := int((table["memory"] >= LONGEST).sum())):
        click.echo(f"{so_many(longest, 'units')} with the longest memory that is measured, {LONGEST:,} symbols or more", err=True)
