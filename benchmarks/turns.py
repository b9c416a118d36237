"""Sides that take turns: each a process of its own, on the same core, that computes only while it is asked to.

The speed of a machine drifts by more than the differences that matter. So the sides of a comparison go round and round for
a few seconds each, and what counts is the ratio within a round. Processes are their own because rnnscope changes floating
point and malloc for the whole of its process. The one that asks imports neither torch nor a text: what it holds would
count as theirs.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TextIO

HERE = Path(__file__).resolve().parent
THREADS = 1
WARM_UPDATES = 3
UNDISTURBED = 0.95  # share of a round that a side has its core, if nothing else wants it


@dataclass
class Side:
    """One side of a comparison: `update` does a piece of work and returns its symbols, `nats` is a validation loss."""

    update: Callable[[], int]
    nats: Callable[[], float] | None = None
    about: dict[str, Any] = field(default_factory=dict)


class Worker:
    """A side in its process; waits between requests without computing."""

    def __init__(self, spec: Any, script: str, python: str = sys.executable) -> None:
        """`spec`, a dataclass that knows its `key`, travels as JSON to a script beside this one, which serves it."""
        self.spec = spec
        command = [python, str(HERE / script), json.dumps(asdict(spec))]
        # A session of its own: Ctrl-C is for the process that asks, which then ends the others.
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=_environment(), start_new_session=True)
        try:
            self.about = self._answer()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has stopped, and then has no answer
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        return self._answer()

    def speed(self, updates: int) -> tuple[float, float]:
        """Symbols per second over so many updates, and the share of that time that the process had its core."""
        answer = self.ask(updates)
        return answer["symbols"] / answer["seconds"], answer["share"]

    def pace(self, seconds: float) -> int:
        """How many updates take about so long, after a few to warm up."""
        self.ask(WARM_UPDATES)
        updates = 1
        while (took := self.ask(updates)["seconds"]) < seconds / 4:
            updates *= 2
        return max(1, round(updates * seconds / float(took)))

    def close(self) -> None:
        self.process.terminate()
        with suppress(BrokenPipeError):
            self.process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the side {self.spec.key} of {self.spec.model} stopped; what it said is above")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _environment() -> dict[str, str]:
    """Ours without what tunes an allocator or threads from outside, and with JAX on one thread."""
    tuning = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "OMP_", "KMP_", "MKL_", "XLA_", "TORCH_", "ONEDNN_", "DNNL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(tuning)}
    flags = f"--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads={THREADS}"
    return kept | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}


def serve(sides: Mapping[str, Callable[[Any], AbstractContextManager[Side]]], spec: Any, told: TextIO | None = None) -> None:
    """Be a side: say what it is, then do what each line of standard input asks for, a line of JSON each, on `told`."""
    if spec.core is not None:
        os.sched_setaffinity(0, {spec.core})
    with sides[spec.side](spec) as side:
        _say(told, side.about | {"mib": _peak_mib()})
        for line in sys.stdin:
            request = json.loads(line)
            if request == "nats":
                assert side.nats is not None
                _say(told, {"nats": side.nats()})
                continue
            started, worked = time.perf_counter(), time.process_time()
            symbols = sum(side.update() for _ in range(request))
            seconds, worked = time.perf_counter() - started, time.process_time() - worked
            _say(told, {"symbols": symbols, "seconds": seconds, "share": worked / seconds, "mib": _peak_mib()})


def _say(told: TextIO | None, answer: dict[str, Any]) -> None:
    print(json.dumps(answer), file=told or sys.stdout, flush=True)


def _peak_mib() -> float:
    """The most memory that was ever resident, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2 ** (20 if sys.platform == "darwin" else 10)


def in_turns(workers: Mapping[Worker, int], rounds: int) -> dict[Worker, dict[str, list[float]]]:
    """Symbols per second and shares of the core of every worker, a value for each round, so many updates a time."""
    found: dict[Worker, dict[str, list[float]]] = {w: {"symbols_per_second": [], "core_share": []} for w in workers}
    order = list(workers)
    for k in range(rounds):
        for worker in order[k % len(order) :] + order[: k % len(order)]:  # none is always after the same one
            speed, share = worker.speed(workers[worker])
            found[worker]["symbols_per_second"].append(speed)
            found[worker]["core_share"].append(share)
    return found


def warn_of_others(shares: Sequence[float]) -> None:
    if min(shares) < UNDISTURBED:
        print(f"  something else ran on the core: in one round a side had it for {min(shares):.0%} of the time only")


def circumstances(benchmark: str, packages: Sequence[str]) -> dict[str, Any]:
    """When, on what, and of which code; nothing that names the machine."""
    from rnnscope.paper.provenance import commit, machine

    return {
        "benchmark": benchmark,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "load": round(os.getloadavg()[0], 2),
        "threads": THREADS,
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in packages},
        "commit": commit(),
    }


def keep(record: dict[str, Any]) -> None:
    """Append the record to the benchmark's results."""
    path = HERE / "results" / f"{record['benchmark']}.jsonl"
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def quiet_core() -> int | None:
    """The core, of those we may use, that was idle the most just now; None where a process can't be held on one."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    before = _idle()
    time.sleep(0.5)
    after = _idle()
    return max(os.sched_getaffinity(0), key=lambda core: after.get(core, 0) - before.get(core, 0))


def _idle() -> dict[int, int]:
    """How long each core has been idle, in the system's ticks."""
    rows = [line.split() for line in Path("/proc/stat").read_text(encoding="utf-8").splitlines()]
    return {int(row[0][3:]): int(row[4]) for row in rows if row[0].startswith("cpu") and row[0] != "cpu"}
