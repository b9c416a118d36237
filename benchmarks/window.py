"""How fast the n-NN learns: rnnscope, which looks rows up, beside the products with one-hot vectors that it stands for.

The sides (`window_sides.py`) take turns (`turns.py`).
"""

import argparse
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import sides
from sides import BATCH, LENGTH
from turns import THREADS, Worker, circumstances, in_turns, keep, quiet_core, warn_of_others
from window_sides import Spec

CONTEXTS, UNITS = [1, 2, 4, 6], [128, 512]
FORMS = ["one-hot", "embedding", "scatter"]
TRIALS = 3


def speeds(spec: Spec, rounds: int, seconds: float) -> dict[str, Any]:
    """Symbols per second of every side of one network, a list with a value for each round."""
    with ExitStack() as opened:
        found: dict[str, Any] = {}
        workers: dict[Worker, int] = {}
        for precision in ("float32", "bfloat16"):
            peer, updates, tried = _fastest_form(replace(spec, side="dense", precision=precision), seconds, opened)
            workers[peer] = updates
            found[peer.spec.key] = {"tried": tried}
        for precision in ("float32", "auto"):
            ours = opened.enter_context(_worker(replace(spec, side="rnnscope", precision=precision)))
            workers[ours] = ours.pace(seconds)
            found[ours.spec.key] = {}
        for worker, measured in in_turns(workers, rounds).items():
            found[worker.spec.key] |= {"name": _name(worker), "precision": worker.about["precision"], **measured}
    base = found["dense-float32"]["symbols_per_second"]
    for side in found.values():
        side["ratio_to_dense"] = [a / b for a, b in zip(side["symbols_per_second"], base, strict=True)]
    return found


def _fastest_form(spec: Spec, seconds: float, opened: ExitStack) -> tuple[Worker, int, dict[str, float]]:
    """The dense loop with the one-hot vectors that are made fastest here, its updates in a round, the speeds that decided."""
    workers = [opened.enter_context(_worker(replace(spec, form=form))) for form in FORMS]
    updates = [worker.pace(seconds) for worker in workers]
    trials: list[list[float]] = [[] for _ in workers]
    for _ in range(TRIALS):
        for worker, n, speed in zip(workers, updates, trials, strict=True):
            speed.append(worker.speed(max(1, n // 2))[0])
    middle = [median(each) for each in trials]
    best = middle.index(max(middle))
    for k, worker in enumerate(workers):
        if k != best:
            worker.close()
    return workers[best], updates[best], dict(zip(FORMS, middle, strict=True))


def _worker(spec: Spec) -> Worker:
    return Worker(spec, "window_sides.py")


def _name(worker: Worker) -> str:
    spec = worker.spec
    if spec.side == "dense":
        return f"dense, {spec.form} ({spec.precision})"
    return f"rnnscope ({spec.precision}: {worker.about['precision']})" if spec.precision == "auto" else "rnnscope (float32)"


def show(model: str, found: dict[str, Any]) -> None:
    print(f"\n{model}\n  {'':32}{'symbols/s':>12}{'min … max':>24}{'× dense':>10}{'min … max':>16}")
    for side in found.values():
        speed, ratio = side["symbols_per_second"], side["ratio_to_dense"]
        spread, apart = f"{min(speed):,.0f} … {max(speed):,.0f}", f"{min(ratio):.2f} … {max(ratio):.2f}"
        print(f"  {side['name']:32}{median(speed):>12,.0f}{spread:>24}{median(ratio):>10.2f}{apart:>16}")
    warn_of_others([share for side in found.values() for share in side["core_share"]])
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--contexts", nargs="+", type=int, default=CONTEXTS, metavar="N")
    parser.add_argument("--units", nargs="+", type=int, default=UNITS, metavar="N")
    parser.add_argument("--rounds", type=int, default=7, help="of each side (default 7)")
    parser.add_argument("--seconds", type=float, default=2.0, help="that a round of one side takes (default 2)")
    given = parser.parse_args()
    if given.rounds < 1 or given.seconds <= 0 or min(*given.contexts, *given.units) < 1:
        parser.error("contexts, units and rounds are at least 1, a round takes more than 0 seconds")
    return given


def main() -> None:
    given = _arguments()
    record = circumstances("window", ["rnnscope", "torch", "numpy"])
    record |= {"batch": BATCH, "length": LENGTH, "rounds": given.rounds, "seconds": given.seconds}
    with TemporaryDirectory() as folder:
        batches = str(Path(folder) / "batches.npz")
        with Worker(sides.Spec("text", batches=batches), "sides.py") as reader:
            record["text"] = {name: value for name, value in reader.about.items() if name != "mib"}
        told = record["text"]
        print(f"{record['machine']}, {THREADS} thread; {told['name']}, {told['vocabulary']} distinct symbols")
        spec = Spec("dense", text=told["name"], batches=batches, core=quiet_core())
        for units in given.units:
            for context in given.contexts:
                each = replace(spec, context=context, units=units)
                found = speeds(each, given.rounds, given.seconds)
                show(each.model, found)
                record.setdefault("speed", {})[each.model] = found
    keep(record)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
