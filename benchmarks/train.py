"""How fast networks learn: rnnscope's trainer beside the PyTorch loop that everyone writes, and beside JAX.

The sides (`sides.py`) take turns (`turns.py`).
"""

import argparse
import sys
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from statistics import mean, median, stdev
from tempfile import TemporaryDirectory
from typing import Any

from sides import BATCH, LENGTH, Model, Spec
from turns import THREADS, Worker, circumstances, in_turns, keep, quiet_core, warn_of_others

MODELS = ["lstm-1x64", "lstm-1x128", "lstm-2x256", "lstm-3x512", "gru-1x128", "gru-2x256"]
GOALS = {"lstm-1x64": 5.0, "lstm-1x128": 4.5, "lstm-2x256": 4.0, "lstm-3x512": 3.5, "gru-1x128": 3.0, "gru-2x256": 3.0}
"""× the plain loop; of a GRU × the faster of the plain loop and the same in bfloat16. Set for processors with AMX."""
LOSS_MODELS = ["lstm-1x64", "lstm-1x128"]
MEMORY_MODEL, MEMORY_UPDATES = "lstm-3x512", 5
SEEDS = [0, 1, 2]
TRIALS = 3
PACKAGES = ["rnnscope", "torch", "jax", "jaxlib", "numpy"]


def _worker(spec: Spec) -> Worker:
    return Worker(spec, "sides.py")


def _name(worker: Worker) -> str:
    side, variant = worker.spec.side, worker.spec.variant
    how = f"{variant}: {worker.about['precision']}" if variant == "auto" else variant
    name = {"autocast": "plain, bfloat16", "ceiling": "products alone"}.get(side, side)
    return f"{name} ({how})" if how else name


def speeds(spec: Spec, *, rounds: int, seconds: float, with_jax: bool, kernel: str | None) -> dict[str, Any]:
    """Symbols per second of every side of one model, a list with a value for each round."""
    sides = [replace(spec, side="rnnscope", variant=precision) for precision in ("float32", "auto")]
    if with_jax:
        sides.insert(0, replace(spec, side="jax"))
    with ExitStack() as opened:
        peer, updates, candidates = _faster_plain(spec, seconds, opened)
        workers = {peer: updates}
        sides.insert(0, replace(peer.spec, side="autocast"))
        sides += [replace(spec, side="ceiling", variant=precision) for precision in _precisions(kernel)]
        for each in sides:
            worker = opened.enter_context(_worker(each))
            workers[worker] = worker.pace(seconds)
        found: dict[str, Any] = {
            worker.spec.key: {
                "name": _name(worker),
                "precision": worker.about["precision"],
                "updates": workers[worker],
                **measured,
            }
            for worker, measured in in_turns(workers, rounds).items()
        }
        found["plain"]["tried"] = candidates
    base = found["plain"]["symbols_per_second"]
    for side in found.values():
        side["ratio_to_plain"] = [a / b for a, b in zip(side["symbols_per_second"], base, strict=True)]
        top = found.get(f"ceiling-{side['precision']}")
        if top:
            side["share_of_ceiling"] = [a / b for a, b in zip(side["symbols_per_second"], top["symbols_per_second"], strict=True)]
    return found


def _precisions(kernel: str | None) -> list[str]:
    """Those in which our kernel multiplies on this processor."""
    return ["float32", "bfloat16"] if kernel in ("AVX512_BF16", "AMX") else ["float32"] if kernel else []


def _faster_plain(spec: Spec, seconds: float, opened: ExitStack) -> tuple[Worker, int, dict[str, float]]:
    """The plain loop with the input that is faster here, how many updates a round takes, and the speeds that decided."""
    workers = [opened.enter_context(_worker(replace(spec, side="plain", variant=v))) for v in ("one-hot", "embedding")]
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
        with _worker(replace(spec, side=side, variant=variant)) as worker:
            found[_name(worker)] = {"before": worker.about["mib"], "peak": worker.ask(MEMORY_UPDATES)["mib"]}
    return found


def both_cores(spec: Spec, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Symbols per second of one network on one thread, and on two, a batch split between them; a value for each round."""
    one = replace(spec, side="rnnscope", variant="auto")
    with _worker(one) as alone, _worker(replace(one, threads=2, core=None)) as shared:
        found = in_turns({alone: alone.pace(seconds), shared: shared.pace(seconds)}, rounds)
        return {name: found[worker] for name, worker in (("one thread", alone), ("two threads", shared))}


def losses(spec: Spec, updates: int) -> dict[str, Any]:
    """Validation losses of the plain loop and of rnnscope after the same updates from the same weights, by seed."""
    found: dict[str, Any] = {"updates": updates, "seeds": SEEDS, "nats": {}}
    for seed in SEEDS:
        for side, variant in (("plain", "one-hot"), ("rnnscope", "auto")):
            with _worker(replace(spec, side=side, variant=variant, seed=seed, planned=updates)) as worker:
                worker.ask(updates)
                found["nats"].setdefault(_name(worker), []).append(worker.ask("nats")["nats"])
    plain_nats, our_nats = found["nats"].values()
    found["differences"] = [ours - theirs for theirs, ours in zip(plain_nats, our_nats, strict=True)]
    return found


def show_speeds(model: Model, found: dict[str, Any]) -> None:
    tried = ", ".join(f"{name} {speed:,.0f}" for name, speed in found["plain"]["tried"].items())
    print(f"\n{model}  (the plain loop with either input, to choose the faster: {tried} symbols/s)")
    print(f"  {'':28}{'symbols/s':>12}{'min … max':>24}{'× plain':>10}{'min … max':>16}{'of ceiling':>12}")
    for side in found.values():
        speed, ratio = side["symbols_per_second"], side["ratio_to_plain"]
        spread = f"{min(speed):,.0f} … {max(speed):,.0f}"
        apart = f"{min(ratio):.2f} … {max(ratio):.2f}"
        share = f"{median(side['share_of_ceiling']):.0%}" if "share_of_ceiling" in side else ""
        print(f"  {side['name']:28}{median(speed):>12,.0f}{spread:>24}{median(ratio):>10.2f}{apart:>16}{share:>12}")
    goal = GOALS.get(str(model))
    if goal:
        peers = ["plain", "autocast"] if model.cell == "gru" else ["plain"]
        best = max(peers, key=lambda key: median(found[key]["symbols_per_second"]))
        pairs = zip(found["rnnscope-auto"]["symbols_per_second"], found[best]["symbols_per_second"], strict=True)
        ratio = median(a / b for a, b in pairs)
        print(f"  {'reached' if ratio >= goal else 'NOT reached'}: {ratio:.2f} × {found[best]['name']}, wanted {goal:g}")
    warn_of_others([share for side in found.values() for share in side["core_share"]])
    sys.stdout.flush()


def show_both_cores(model: Model, found: dict[str, Any]) -> None:
    one, two = (side["symbols_per_second"] for side in found.values())
    ratio = [a / b for a, b in zip(two, one, strict=True)]
    apart = f"{min(ratio):.2f} … {max(ratio):.2f}"
    print(f"{model}  two threads: {median(two):,.0f} symbols/s, {median(ratio):.2f} × one ({apart})", flush=True)


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


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", type=Model.of, default=[Model.of(m) for m in MODELS], metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=7, help="of each side (default 7)")
    parser.add_argument("--seconds", type=float, default=2.0, help="that a round of one side takes (default 2)")
    parser.add_argument("--no-speed", action="store_true", help="leave the speeds out, for one of the others alone")
    parser.add_argument("--no-jax", action="store_true", help="leave the JAX peer out")
    parser.add_argument("--both-cores", action="store_true", help="also one network on two threads (needs two idle cores)")
    parser.add_argument("--memory", action="store_true", help=f"also the peak memory of {MEMORY_MODEL}")
    parser.add_argument("--loss", action="store_true", help="also the validation loss after the same number of updates")
    parser.add_argument("--loss-models", nargs="+", type=Model.of, default=[Model.of(m) for m in LOSS_MODELS], metavar="MODEL")
    parser.add_argument("--loss-updates", type=int, default=1500, help="of each training (default 1500)")
    given = parser.parse_args()
    if given.rounds < 1 or given.seconds <= 0 or given.loss_updates < 1:
        parser.error("there is at least 1 round, of more than 0 seconds, and at least 1 update")
    if given.no_speed and not (given.loss or given.memory or given.both_cores):
        parser.error("--no-speed leaves nothing to measure; add --loss, --memory or --both-cores")
    return given


def main() -> None:
    given = _arguments()
    with TemporaryDirectory() as folder:
        record = measure(given, Path(folder) / "batches.npz")
    keep(record)


def measure(given: argparse.Namespace, batches: Path) -> dict[str, Any]:
    """Everything that was asked for, printed as it is found."""
    record = circumstances("train", PACKAGES) | {"batch": BATCH, "length": LENGTH, "rounds": given.rounds, "seconds": given.seconds}
    with _worker(Spec("text", batches=str(batches))) as reader:
        record["text"] = {name: value for name, value in reader.about.items() if name != "mib"}
    told = record["text"]
    name, symbols = told["name"], told["vocabulary"]
    print(
        f"{record['machine']}, {THREADS} thread of them; {name}, {symbols} distinct symbols; {BATCH} streams × {LENGTH}", flush=True
    )
    spec = Spec("plain", text=told["name"], batches=str(batches), core=quiet_core())
    with_jax = not given.no_jax and not given.no_speed
    if with_jax and not find_spec("jax"):
        print("the JAX peer is left out: jax isn't installed")
        with_jax = False
    for model in [] if given.no_speed else given.models:
        found = speeds(
            replace(spec, model=str(model)), rounds=given.rounds, seconds=given.seconds, with_jax=with_jax, kernel=told["kernel"]
        )
        show_speeds(model, found)
        record.setdefault("speed", {})[str(model)] = found
    for model in given.models if given.both_cores else []:
        found = both_cores(replace(spec, model=str(model)), rounds=given.rounds, seconds=given.seconds)
        show_both_cores(model, found)
        record.setdefault("both_cores", {})[str(model)] = found
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
