"""Runs side by side on a GPU, one thread and one stream of kernels each, in this process.

The kernels of a small network fill a few of a GPU's multiprocessors. Those of several streams run at the same time; those of
several processes take turns.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from queue import SimpleQueue

import torch

from rnnscope.exceptions import RnnscopeError
from rnnscope.models.architecture import WINDOW
from rnnscope.models.threads import computing
from rnnscope.sweeps.grid import Point
from rnnscope.training import Run, train
from rnnscope.training.failures import kept
from rnnscope.training.processes import chosen_device

_GLANCE = 0.1  # seconds between two looks at the threads


def all_on_gpu(points: Sequence[Point]) -> bool:
    """Whether every run is to be trained on a GPU."""
    return bool(points) and all(chosen_device(point.recipe.device).type == "cuda" for point in points)


def train_on_gpu(points: Sequence[Point], folder: Path, workers: int, glance: Callable[[int], None]) -> Iterator[tuple[Point, str]]:
    """Each point when it is done, with what went wrong or an empty string. `glance` is called again and again meanwhile."""
    leaving = threading.Event()
    streams: SimpleQueue[torch.cuda.Stream] = SimpleQueue()
    for k in range(workers):  # a sweep lasts as long as its longest run: those have precedence
        streams.put(torch.cuda.Stream(priority=-1 if k < workers // 3 else 0))  # type: ignore[no-untyped-call]  # torch's own
    with computing(), ThreadPoolExecutor(workers) as pool:
        working = {
            pool.submit(_train, point, folder, streams, leaving): point for point in sorted(points, key=_length, reverse=True)
        }
        try:
            while working:
                done, _ = wait(working, timeout=_GLANCE, return_when=FIRST_COMPLETED)
                glance(sum(each.running() for each in working))
                for each in done:
                    point = working.pop(each)
                    yield point, _reason(each, Run(folder / point.name))
        finally:
            leaving.set()
            pool.shutdown(cancel_futures=True)


def _length(point: Point) -> float:
    """How long a run takes beside others: kernels follow each other, and the paper's GRU has one for each operation."""
    shape = point.recipe.architecture
    steps = 0.0 if shape.cell == WINDOW else shape.layers * (4.0 if shape.cell == "gru-paper" else 1.0)
    return point.symbols * (1.0 + steps) * (1 + shape.units / 1_000)


class _LeavingError(Exception):
    """The sweep was stopped."""


def _train(point: Point, folder: Path, streams: "SimpleQueue[torch.cuda.Stream]", leaving: threading.Event) -> None:
    def progress(done: int, total: int, note: str = "") -> None:
        if leaving.is_set() and done < total:
            raise _LeavingError

    stream = streams.get()
    try:
        with torch.cuda.stream(stream):
            train(point.recipe, point.corpus(), folder / point.name, resume=True, progress=progress)
    finally:
        streams.put(stream)


def _reason(done: "Future[None]", run: Run) -> str:
    error = done.exception()
    if error is None:
        return ""
    if isinstance(error, RnnscopeError):
        return " ".join(str(error).split())
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}; {kept(run)}; go on with --resume"
