"""`rnnscope sweep`."""

from pathlib import Path

import click

from rnnscope.cli.show import print_table, progress_bar, table_options
from rnnscope.exceptions import TrainingError, so_many


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The sweep's folder.  [default: sweeps/NAME]")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Runs side by side on this machine.")
@click.option("--dask", metavar="ADDRESS", help="Train on the Dask cluster with the scheduler at tcp://host:port.")
@click.option("--resume", is_flag=True, help="Leave what is finished, go on with the rest.")
@table_options
def sweep(recipe: Path, out: Path | None, workers: int, dask: str | None, resume: bool, form: str | None) -> None:
    """Train a grid of recipes, each run in a folder of its own.

    RECIPE is a TOML file with the fields of a recipe and `text`; a field that is a list stands for a run with each of its
    values. A run that fails doesn't stop the others.

    \b
    Example:
      rnnscope sweep recipes/table1.toml --workers 2
    """
    from rnnscope.sweeps.sweep import sweep as run_sweep

    folder = out or Path("sweeps") / recipe.stem
    with progress_bar("sweep") as progress:
        table = run_sweep(recipe, folder, workers=workers, dask=dask, resume=resume, progress=progress)
    problems = {run: problem for run, problem in zip(table["run"], table["problem"], strict=True) if problem}
    print_table(table if problems or form else table.drop(columns="problem"), form, digits=4)
    if problems:
        run, problem = next(iter(problems.items()))
        are = "is" if len(problems) == 1 else "are"
        raise TrainingError(f"{len(problems)} of {so_many(len(table), 'runs')} {are} not finished; {run}: {problem}")
