"""Snapshots: the weights of a training on the way, dense where most is learned, to see later what it learned when.

A network changes as much in the second update as in the hundred after the hundredth, so snapshots are spread evenly over the
logarithm of the updates: `often` while their number doubles. So are some that lie at ends of epochs, where the history has a
validation loss: each of the first, ever fewer later. Weights alone, in float32; they can't be trained on from.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from rnnscope.exceptions import FormatError
from rnnscope.training.tensors import read_about

MOST = 1_000
"""While the number of updates doubles, at most."""
_WHAT = "the weights of a run at an update"


@dataclass(frozen=True, order=True)
class Snapshot:
    """Weights after so many updates, which are so many passages through the training text, in a file."""

    update: int
    epochs: float
    path: Path


def due(often: int, updates: int, columns: int) -> frozenset[int]:
    """After which updates snapshots are kept: before the first, after the last, `often` while the number of updates doubles, and
    at ends of epochs of `columns` updates, as often while their number doubles.

    >>> sorted(due(2, updates=150, columns=25))
    [0, 1, 2, 3, 4, 6, 8, 11, 16, 23, 25, 32, 45, 50, 64, 75, 91, 100, 128, 150]
    """
    if not often:
        return frozenset()
    ends = {columns * epoch for epoch in _spread(often, updates // columns)}
    return frozenset({0, updates} | _spread(often, updates) | ends)


def _spread(often: int, most: int) -> set[int]:
    """Numbers from 1 to `most`, evenly over their logarithm."""
    steps = int(often * math.log2(max(most, 1))) + 1
    return {number for k in range(steps + 1) if (number := round(2 ** (k / often))) <= most}


def place(folder: Path, update: int) -> Path:
    """Where the weights after so many updates lie; names sort as updates do."""
    return folder / f"{update:09}.safetensors"


def told(update: int, columns: int) -> dict[str, str]:
    """What a file says about itself."""
    return {"update": str(update), "epochs": repr(update / columns)}


def found(folder: Path) -> list[Snapshot]:
    """What a folder holds, in the order of the training; none where there is no folder. Raises `FormatError` for another file."""
    return sorted(_read(path) for path in folder.glob("*.safetensors"))


def _read(path: Path) -> Snapshot:
    about = read_about(path, _WHAT)
    try:
        snapshot = Snapshot(int(about["update"]), float(about["epochs"]), path)
    except (KeyError, ValueError, TypeError) as error:
        raise FormatError(f"{path} is damaged ({error!r}); expected {_WHAT}; remove it") from error
    if path.name != place(path.parent, snapshot.update).name:
        raise FormatError(f"{path} holds the weights after update {snapshot.update}; give it its name back, or remove it")
    return snapshot
