"""Runs side by side on this machine, one process each."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rnnscope.exceptions import UsageError
from rnnscope.sweeps.grid import Point
from rnnscope.training import Run
from rnnscope.training.failures import kept

TRIES = 3
"""How often a run whose process was killed is taken up again from its checkpoint."""
_GLANCE = 0.1  # seconds between two looks at the processes


def check_workers(points: Sequence[Point], workers: int) -> None:
    """Raises `UsageError` if the workers' threads are more than this machine's cores: they would fight."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max((point.recipe.threads for point in points), default=1)
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise UsageError(f"the workers of a sweep are a whole number of at least 1, not {workers!r}")
    if threads > 1 and workers * threads > cores:
        raise UsageError(f"{workers} workers with {threads} threads each would fight for {cores} cores; take fewer of either")


def train_locally(
    points: Sequence[Point], folder: Path, workers: int, glance: Callable[[int], None]
) -> Iterator[tuple[Point, str]]:
    """Each point when it is done, with what went wrong or an empty string. `glance` is called again and again meanwhile."""
    waiting, tries = deque(points), dict.fromkeys((point.name for point in points), 0)
    working: list[tuple[Point, subprocess.Popen[str]]] = []
    try:
        while waiting or working:
            while waiting and len(working) < workers:
                point = waiting.popleft()
                tries[point.name] += 1
                working.append((point, _start(point, folder)))
            time.sleep(_GLANCE)
            glance(len(working))
            for point, process in list(working):
                status = process.poll()
                if status is None:
                    continue
                working.remove((point, process))
                said, complained = process.communicate()
                if status < 0 and tries[point.name] < TRIES:
                    waiting.appendleft(point)
                    continue
                yield point, _reason(status, said, complained, Run(folder / point.name))
    finally:
        for _, process in working:
            process.kill()
            process.wait()


def _start(point: Point, folder: Path) -> subprocess.Popen[str]:
    threads = str(point.recipe.threads)
    process = subprocess.Popen(
        [sys.executable, "-m", "rnnscope.sweeps.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({"point": point.to_json(), "folder": str(folder)}) + "\n")
    process.stdin.flush()
    return process


def _reason(status: int, said: str, complained: str, run: Run) -> str:
    if status == 0:
        return ""
    if status < 0:
        name = signal.Signals(-status).name
        hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
        return f"its process was killed {TRIES} times by {name}{hint}; {kept(run)}; go on with --resume"
    return (said.strip() or complained.strip() or f"its process left with status {status}").splitlines()[-1]
