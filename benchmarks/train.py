"""How fast networks learn: rnnscope's trainer beside the PyTorch loop that everyone writes, and beside JAX.

The speed of a machine drifts by more than the differences that matter here. So the sides take turns in rounds of a few
seconds, and what counts is the ratio within a round. Each side lives in a process of its own, because rnnscope changes
floating point and malloc for the whole of its process; all of them are held on the same core, and only the one that was
asked computes (`sides.py`). The process that asks imports neither torch nor a text: what it holds would count as theirs.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from statistics import mean, median, stdev
from tempfile import TemporaryDirectory
from typing import Any

from sides import BATCH, LENGTH, THREADS, Model, Spec

from rnnscope.paper.provenance import commit, machine

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "train.jsonl"

MODELS = ["lstm-1x64", "lstm-1x128", "lstm-2x256", "lstm-3x512", "gru-2x256"]
LOSS_MODELS = ["lstm-1x64", "lstm-1x128"]
MEMORY_MODEL, MEMORY_UPDATES = "lstm-3x512", 5
SEEDS = [0, 1, 2]
WARM_UPDATES, TRIALS = 3, 3
UNDISTURBED = 0.95  # share of a round that a side has its core, if nothing else wants it
PACKAGES = ["rnnscope", "torch", "jax", "jaxlib", "numpy"]


class Worker:
    """A side in its process; waits between requests without computing."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        command = [sys.executable, str(HERE / "sides.py"), json.dumps(asdict(spec))]
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

    @property
    def name(self) -> str:
        variant, precision = self.spec.variant, self.about["precision"]
        how = f"{variant}: {precision}" if variant == "auto" else variant
        return f"{self.spec.side} ({how})" if how else self.spec.side

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


def speeds(spec: Spec, *, rounds: int, seconds: float, with_jax: bool) -> dict[str, Any]:
    """Symbols per second of every side of one model, a list with a value for each round."""
    sides = [replace(spec, side="rnnscope", variant=precision) for precision in ("float32", "auto")]
    if with_jax:
        sides.insert(0, replace(spec, side="jax"))
    with ExitStack() as opened:
        peer, updates, candidates = _faster_plain(spec, seconds, opened)
        workers = {peer: updates}
        for each in sides:
            worker = opened.enter_context(Worker(each))
            workers[worker] = worker.pace(seconds)
        found: dict[str, Any] = {
            worker.spec.key: {
                "name": worker.name,
                "precision": worker.about["precision"],
                "updates": n,
                "symbols_per_second": [],
                "core_share": [],
            }
            for worker, n in workers.items()
        }
        found["plain"]["tried"] = candidates
        order = list(workers)
        for k in range(rounds):
            for worker in order[k % len(order) :] + order[: k % len(order)]:  # none is always after the same one
                speed, share = worker.speed(workers[worker])
                found[worker.spec.key]["symbols_per_second"].append(speed)
                found[worker.spec.key]["core_share"].append(share)
    base = found["plain"]["symbols_per_second"]
    for side in found.values():
        side["ratio_to_plain"] = [a / b for a, b in zip(side["symbols_per_second"], base, strict=True)]
    return found


def _faster_plain(spec: Spec, seconds: float, opened: ExitStack) -> tuple[Worker, int, dict[str, float]]:
    """The plain loop with the input that is faster here, how many updates a round takes, and the speeds that decided."""
    workers = [opened.enter_context(Worker(replace(spec, side="plain", variant=v))) for v in ("one-hot", "embedding")]
    updates = [worker.pace(seconds) for worker in workers]
    trials: list[list[float]] = [[], []]
    for _ in range(TRIALS):
        for worker, n, speed in zip(workers, updates, trials, strict=True):
            speed.append(worker.speed(max(1, n // 2))[0])
    middle = [median(each) for each in trials]
    best = middle.index(max(middle))
    workers[1 - best].close()
    return workers[best], updates[best], {w.spec.variant: speed for w, speed in zip(workers, middle, strict=True)}


def peaks(spec: Spec) -> dict[str, Any]:
    """Peak resident memory of a process that trains the model, in MiB: before its first update, and after a few."""
    spec, found = replace(spec, model=MEMORY_MODEL), {}
    sides = [("plain", "one-hot"), ("plain", "embedding"), ("rnnscope", "float32"), ("rnnscope", "auto")]
    for side, variant in sides:
        with Worker(replace(spec, side=side, variant=variant)) as worker:
            found[worker.name] = {"before": worker.about["mib"], "peak": worker.ask(MEMORY_UPDATES)["mib"]}
    return found


def losses(spec: Spec, updates: int) -> dict[str, Any]:
    """Validation losses of the plain loop and of rnnscope after the same updates from the same weights, by seed."""
    found: dict[str, Any] = {"updates": updates, "seeds": SEEDS, "nats": {}}
    for seed in SEEDS:
        for side, variant in (("plain", "one-hot"), ("rnnscope", "auto")):
            with Worker(replace(spec, side=side, variant=variant, seed=seed, planned=updates)) as worker:
                worker.ask(updates)
                found["nats"].setdefault(worker.name, []).append(worker.ask("nats")["nats"])
    plain_nats, our_nats = found["nats"].values()
    found["differences"] = [ours - theirs for theirs, ours in zip(plain_nats, our_nats, strict=True)]
    return found


def show_speeds(model: Model, found: dict[str, Any]) -> None:
    tried = ", ".join(f"{name} {speed:,.0f}" for name, speed in found["plain"]["tried"].items())
    print(f"\n{model}  (the plain loop with either input, to choose the faster: {tried} symbols/s)")
    print(f"  {'':28}{'symbols/s':>12}{'min … max':>24}{'× plain':>10}{'min … max':>16}")
    for side in found.values():
        speed, ratio = side["symbols_per_second"], side["ratio_to_plain"]
        spread = f"{min(speed):,.0f} … {max(speed):,.0f}"
        apart = f"{min(ratio):.2f} … {max(ratio):.2f}"
        print(f"  {side['name']:28}{median(speed):>12,.0f}{spread:>24}{median(ratio):>10.2f}{apart:>16}")
    share = min(share for side in found.values() for share in side["core_share"])
    if share < UNDISTURBED:
        print(f"  something else ran on the core: in one round a side had it for {share:.0%} of the time only")
    sys.stdout.flush()


def show_peaks(found: dict[str, Any]) -> None:
    print(f"\nmemory of {MEMORY_MODEL}, most that was resident, MiB")
    print(f"  {'':28}{'in training':>12}{'before the first update':>28}")
    for name, mib in found.items():
        print(f"  {name:28}{mib['peak']:>12,.0f}{mib['before']:>28,.0f}")


def show_losses(model: Model, found: dict[str, Any]) -> None:
    print(f"\n{model}  validation loss after {found['updates']:,} updates, nats: mean ± standard deviation over {len(SEEDS)} seeds")
    for name, nats in [*found["nats"].items(), ("difference, seed by seed", found["differences"])]:
        sign = "+" if name.startswith("difference") else ""
        print(f"  {name:28}{mean(nats):{sign}.4f} ± {stdev(nats):.4f}", flush=True)


def circumstances() -> dict[str, Any]:
    """When, on what, and of which code; nothing that names the machine."""
    return {
        "benchmark": "train",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "load": round(os.getloadavg()[0], 2),
        "threads": THREADS,
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "commit": commit(),
        "batch": BATCH,
        "length": LENGTH,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _quiet_core() -> int | None:
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


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", type=Model.of, default=[Model.of(m) for m in MODELS], metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=7, help="of each side (default 7)")
    parser.add_argument("--seconds", type=float, default=2.0, help="that a round of one side takes (default 2)")
    parser.add_argument("--no-speed", action="store_true", help="leave the speeds out, for --loss or --memory alone")
    parser.add_argument("--no-jax", action="store_true", help="leave the JAX peer out")
    parser.add_argument("--memory", action="store_true", help=f"also the peak memory of {MEMORY_MODEL}")
    parser.add_argument("--loss", action="store_true", help="also the validation loss after the same number of updates")
    parser.add_argument("--loss-models", nargs="+", type=Model.of, default=[Model.of(m) for m in LOSS_MODELS], metavar="MODEL")
    parser.add_argument("--loss-updates", type=int, default=1500, help="of each training (default 1500)")
    given = parser.parse_args()
    if given.rounds < 1 or given.seconds <= 0 or given.loss_updates < 1:
        parser.error("there is at least 1 round, of more than 0 seconds, and at least 1 update")
    if given.no_speed and not (given.loss or given.memory):
        parser.error("--no-speed leaves nothing to measure; add --loss or --memory")
    return given


def main() -> None:
    given = _arguments()
    with TemporaryDirectory() as folder:
        record = measure(given, Path(folder) / "batches.npz")
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def measure(given: argparse.Namespace, batches: Path) -> dict[str, Any]:
    """Everything that was asked for, printed as it is found."""
    record = circumstances() | {"rounds": given.rounds, "seconds": given.seconds}
    with Worker(Spec("text", batches=str(batches))) as reader:
        record["text"] = {name: value for name, value in reader.about.items() if name != "mib"}
    told = record["text"]
    name, symbols = told["name"], told["vocabulary"]
    print(
        f"{record['machine']}, {THREADS} thread of them; {name}, {symbols} distinct symbols; {BATCH} streams × {LENGTH}", flush=True
    )
    spec = Spec("plain", text=told["name"], batches=str(batches), core=_quiet_core())
    with_jax = not given.no_jax and not given.no_speed
    if with_jax and not find_spec("jax"):
        print("the JAX peer is left out: jax isn't installed")
        with_jax = False
    for model in [] if given.no_speed else given.models:
        found = speeds(replace(spec, model=str(model)), rounds=given.rounds, seconds=given.seconds, with_jax=with_jax)
        show_speeds(model, found)
        record.setdefault("speed", {})[str(model)] = found
    if given.memory:
        record["memory"] = {"model": MEMORY_MODEL, "updates": MEMORY_UPDATES, "mib": peaks(spec)}
        show_peaks(record["memory"]["mib"])
    for model in given.loss_models if given.loss else []:
        found = losses(replace(spec, model=str(model)), given.loss_updates)
        show_losses(model, found)
        record.setdefault("loss", {})[str(model)] = found
    return record


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
