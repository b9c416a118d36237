"""Counting on a Dask cluster: each worker takes a stretch of the text, and what they counted is added up."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
from threadpoolctl import threadpool_limits

from rnnscope.analysis.bins import Bins
from rnnscope.analysis.counting import count, empty_shards
from rnnscope.analysis.labels import PIECE, Labels, Stretch
from rnnscope.analysis.sources import FromTrace
from rnnscope.analysis.tally import Shard
from rnnscope.cluster import connect
from rnnscope.exceptions import RnnscopeError, UsageError
from rnnscope.progress import Progress, silent
from rnnscope.signal import Signal
from rnnscope.traces import Trace, open_trace


def count_on_cluster(
    address: str,
    trace: Any,
    signals: Sequence[Signal],
    labels: Labels,
    bins: Bins,
    shards: list[Shard],
    *,
    progress: Progress = silent,
) -> None:
    """Let the workers of a cluster count what `counting.count` does.

    Raises `UsageError` for what isn't a trace that keeps the signals.
    """
    if not isinstance(trace, Trace) or not FromTrace(trace).kept([s.name for s in signals]):
        raise UsageError(
            f"{trace!r} doesn't keep {', '.join(s.name for s in signals)}, and the workers of a cluster read what is kept; "
            "record with these signals (--signals)"
        )
    with connect(address) as client:
        workers = len(client.scheduler_info(n_workers=-1)["workers"])
        if not workers:
            raise RnnscopeError(f"the Dask cluster at {address} has no workers; start some: dask worker {address}")
        names, key = [s.name for s in signals], uuid4().hex[:8]
        known = client.scatter(bins, broadcast=True)
        path = str(trace.path.absolute())
        futures = [
            client.submit(_counted, path, names, known, len(labels), labels.stretch(max(start - 1, 0), stop), start, stop,
                          key=f"count-{start}-{key}", pure=False)
            for start, stop in stretches(labels, workers)
        ]  # fmt: skip
        for done, future in enumerate(futures):
            for mine, theirs in zip(shards, future.result(), strict=True):
                mine.merge(theirs)
            future.release()
            progress(done + 1, len(futures))


def stretches(labels: Labels, workers: int) -> list[tuple[int, int]]:
    """Stretches of the text, about one for each worker in each half, that end where pieces end: sums are rounded piece by piece."""
    found = []
    for start, stop in ((0, labels.middle), (labels.middle, len(labels))):
        pieces = -(-(stop - start) // PIECE)
        edges = np.unique(np.linspace(0, pieces, min(workers, pieces) + 1).astype(int)) * PIECE + start
        found += [(int(a), int(min(b, stop))) for a, b in pairwise(edges)]
    return [(a, b) for a, b in found if a < b]


def _counted(path: str, names: list[str], bins: Bins, symbols: int, labels: Stretch, start: int, stop: int) -> list[Shard]:
    trace = open_trace(Path(path))
    signals = [next(s for s in trace.kept if s.name == name) for name in names]
    shards = empty_shards(bins, labels.layout, symbols, labels.middle)
    with threadpool_limits(1, "blas"):  # as many as here: sums are rounded in the order in which they are added
        count(FromTrace(trace), signals, labels, bins, start, stop, shards, threads=1)
    return shards
