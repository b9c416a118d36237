"""`sweep`: a grid of recipes trained, each run in a folder of its own, and what became of each."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from rnnscope.cluster import connect
from rnnscope.exceptions import FormatError, OccupiedError, RnnscopeError, UsageError
from rnnscope.files import claim, clear_partial, locked, write_json
from rnnscope.progress import Progress, silent
from rnnscope.sweeps.cluster import train_on_dask
from rnnscope.sweeps.gpu import all_on_gpu, train_on_gpu
from rnnscope.sweeps.grid import Point, read_grid
from rnnscope.sweeps.local import check_workers, train_locally
from rnnscope.sweeps.work import share_done
from rnnscope.training import Run
from rnnscope.training.trainer import check_same, divided

MARKER = "sweep.json"
_LOOK = 1.0  # seconds between two looks at the checkpoints


def sweep(
    grid: str | Path | dict[str, Any],
    into: str | Path,
    *,
    workers: int = 1,
    dask: str | None = None,
    resume: bool = False,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Train every run of a grid (a TOML file, or the same as a dict) below the folder `into`.

    `workers` processes train side by side on this machine; or those of the Dask cluster whose scheduler is at `dask`, for
    which the folder and the texts are at the same paths. With `resume`, finished runs are left as they are and others go
    on from their checkpoints. A run that fails doesn't stop the others.

    Returns a DataFrame, one row for each run: `run`, the varied fields, `units`, `parameters`, `epochs`, `updates`,
    `train_nats` and `validation_nats` of the best epoch, `seconds`, `problem` (empty where it is finished).
    Raises `RecipeError` for a grid that makes no sense, before anything is trained.
    """
    if dask is not None and workers != 1:
        raise UsageError("a sweep runs on workers of this machine or on a Dask cluster's, not on both; leave one out")
    points = read_grid(grid)
    folder = Path(into).resolve()
    if dask is None:
        check_workers(points, workers)
    client = connect(dask) if dask is not None else None
    claim(folder, MARKER, "a sweep")
    if (folder / MARKER).exists() and not resume:
        raise OccupiedError(f"{into} holds a sweep already; go on with it (--resume), or choose another folder")
    with locked(folder, "a sweep"):
        clear_partial(folder)
        write_json(folder / MARKER, {"runs": [point.to_json() for point in points]})
        problems = _train(points, folder, workers, client, progress)
    return pd.DataFrame([_row(point, Run(folder / point.name), problems[point.name]) for point in points])


def _train(points: list[Point], folder: Path, workers: int, client: Any, progress: Progress) -> dict[str, str]:
    problems = {point.name: settled for point in points if (settled := _settled(point, folder)) is not None}
    watch = _Watch(points, folder, problems, progress)
    watch(0)
    todo = [point for point in points if point.name not in problems]
    outcomes: Iterator[tuple[Point, str]]
    if client:
        outcomes = train_on_dask(todo, folder, client, watch)
    elif all_on_gpu(todo):
        outcomes = train_on_gpu(todo, folder, workers, watch)
    else:
        outcomes = train_locally(todo, folder, workers, watch)
    for point, problem in outcomes if todo else ():
        problems[point.name] = problem
        watch(0, now=True)
    return problems


def _settled(point: Point, folder: Path) -> str | None:
    """Nothing for a run that is to be trained; for one that needs no training, what is wrong with it, or an empty string."""
    run = Run(folder / point.name)
    if not run.checkpoint.exists():
        return None
    try:
        if not run.finished:
            return None
        check_same(run, point.recipe, divided(point.corpus(), point.recipe), resume=True)
        run.model()  # says so if a file was lost or altered
        if not run.history:
            raise FormatError(f"{run.path / 'history.jsonl'} is missing; expected one line for each epoch; restore it")
    except RnnscopeError as error:
        return " ".join(str(error).split())
    return ""


class _Watch:
    """Progress over the whole grid, read off the runs' checkpoints, wherever they are written."""

    def __init__(self, points: list[Point], folder: Path, problems: dict[str, str], progress: Progress) -> None:
        self.points, self.folder, self.problems, self.progress = points, folder, problems, progress
        self.total = sum(point.symbols for point in points)
        self.looked = 0.0

    def __call__(self, working: int, *, now: bool = False) -> None:
        if self.progress is silent or (not now and time.monotonic() - self.looked < _LOOK):
            return
        self.looked = time.monotonic()
        done = sum(
            point.symbols * (1.0 if point.name in self.problems else share_done(Run(self.folder / point.name)))
            for point in self.points
        )
        self.progress(int(done), self.total, f"{len(self.problems)}/{len(self.points)} runs")


def _row(point: Point, run: Run, problem: str) -> dict[str, Any]:
    row: dict[str, Any] = {"run": point.name}
    row |= {name.rpartition(".")[2]: value for name, value in point.varied.items()}
    architecture = point.recipe.architecture
    history = [] if problem else run.history
    best = min(history, key=lambda entry: float(entry["validation_nats"])) if history else {}
    vocabulary = 0 if problem else len(run.vocabulary)
    return row | {
        "units": architecture.units,
        "parameters": architecture.parameters(vocabulary) if vocabulary else None,
        "epochs": len(history),
        "updates": history[-1]["updates"] if history else 0,
        "train_nats": best.get("train_nats"),
        "validation_nats": best.get("validation_nats"),
        "seconds": history[-1]["seconds"] if history else 0.0,
        "problem": problem,
    }
