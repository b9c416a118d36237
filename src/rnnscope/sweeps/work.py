"""One run of a sweep, wherever it is done."""

from pathlib import Path
from typing import Any

from rnnscope.sweeps.grid import Point
from rnnscope.training import Run, train
from rnnscope.training.checkpoint import position_in


def train_point(point: dict[str, Any], folder: str) -> None:
    """Train a point of a grid (as `Point.to_json` described it) in its place below `folder`, or go on with it."""
    todo = Point.from_json(point)
    train(todo.recipe, todo.corpus(), Path(folder) / todo.name, resume=True)


def share_done(run: Run) -> float:
    """How much of its training a run has behind it at its last checkpoint, 0 to 1."""
    if not run.checkpoint.exists():
        return 0.0
    place = position_in(run.checkpoint)
    return 1.0 if place.finished else place.update / max(place.planned, 1)
