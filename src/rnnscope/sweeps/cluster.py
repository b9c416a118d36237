"""Runs on a Dask cluster whose workers see the same folders as we do."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from rnnscope.sweeps.grid import Point
from rnnscope.sweeps.work import train_point

_GLANCE = 0.5  # seconds between two looks


def train_on_dask(points: Sequence[Point], folder: Path, client: Any, glance: Callable[[int], None]) -> Iterator[tuple[Point, str]]:
    """Each point when it is done, with what went wrong or an empty string. `glance` is called again and again meanwhile.

    A run whose worker dies is given to another one, which goes on from its checkpoint.
    """
    from distributed import wait

    with client:
        key = uuid4().hex[:8]  # what a scheduler remembers of an earlier sweep is not this one's
        futures = {
            client.submit(train_point, point.to_json(), str(folder), key=f"{point.name}-{key}", pure=False): point
            for point in points
        }
        try:
            while futures:
                done = _finished(wait, list(futures))
                glance(len(futures) - len(done))
                for future in done:
                    yield futures.pop(future), _reason(future)
        finally:
            client.cancel(list(futures), force=True)


def _finished(wait: Any, futures: list[Any]) -> list[Any]:
    try:
        return list(wait(futures, timeout=_GLANCE, return_when="FIRST_COMPLETED").done)
    except TimeoutError:
        return []


def _reason(future: Any) -> str:
    if future.status == "finished":
        return ""
    error = future.exception() if future.status == "error" else None
    if error is None:
        return f"the cluster left it {future.status}; go on with --resume"
    return " ".join(str(error).split()) or type(error).__name__
