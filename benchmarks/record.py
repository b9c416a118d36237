"""How fast every gate and state is recorded: rnnscope beside the loops that people write, diagNNose, and the bare forward pass.

The sides (`record_sides.py`) take turns (`turns.py`).
"""

import argparse
import sys
from contextlib import ExitStack
from dataclasses import replace
from math import nan
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from record_sides import SEGMENTS, Spec, shape
from turns import THREADS, Worker, circumstances, in_turns, keep, quiet_core, warn_of_others

MODELS = ["lstm-1x128", "lstm-2x256", "lstm-3x512", "gru-2x256"]
SYMBOLS = 1_000_000
VALUES = 2e8
"""That a recording to a folder writes in one round, at the most: 800 MB in float32."""
MEMORY_MODEL, MEMORY = "lstm-1x128", [1_000_000, 3_000_000, 10_000_000]
GOALS = {"lstm-1x128": 23.0, "lstm-2x256": 15.0, "lstm-3x512": 12.0}
"""× the loop over one segment, reached beforehand on another processor."""
WORDS = {
    "loop": "step loop, one segment",
    f"loop {SEGMENTS}": f"step loop, {SEGMENTS} side by side",
    "cell": "nn.LSTMCell/GRUCell loop (states only)",
    f"cell {SEGMENTS}": f"the same, {SEGMENTS} side by side",
    "diagnnose": f"diagNNose, to memory, {SEGMENTS} sentences",
    "fused": "bare fused forward pass (h only)",
    "fused stays": "the same, h left on the GPU",
    "fused stays tf32": "the same, in TF32",
    "rnnscope": "rnnscope, to memory",
    "trace": "rnnscope, to a trace",
    "disk": "as many bytes to a file, flushed",
    "trace half": "rnnscope, to a trace, half precision",
    "disk half": "as many bytes to a file, flushed",
}


def worker(spec: Spec, python: str = sys.executable) -> Worker:
    return Worker(spec, "record_sides.py", python)


def speeds(spec: Spec, given: argparse.Namespace) -> dict[str, Any]:
    """Symbols per second of every side of one model, a list with a value for each round."""
    cell, layers, units = shape(spec.model)
    breadth = layers * units * (6 if cell == "lstm" else 4)
    part = min(SYMBOLS, int(VALUES / breadth))
    sides = [
        replace(spec, side="loop"),
        replace(spec, side="loop", batch=SEGMENTS),
        replace(spec, side="cell"),
        replace(spec, side="cell", batch=SEGMENTS),
        replace(spec, side="fused"),
        *([replace(spec, side="fused", stays=True, tf32=tf32) for tf32 in (False, True)] if spec.device != "cpu" else []),
        replace(spec, side="rnnscope"),
        *(
            replace(spec, side=side, symbols=part, folder=given.folder, half=half)
            for half in (False, True)
            for side in ("trace", "disk")
        ),
    ]
    chosen = [side for side in sides if not given.sides or side.key in given.sides]
    with ExitStack() as opened:
        started = [opened.enter_context(worker(each)) for each in chosen]
        if given.diagnnose and cell == "lstm":
            started.append(opened.enter_context(worker(replace(spec, side="diagnnose"), given.diagnnose)))
        workers = {each: 1 if each.spec.side in ("trace", "disk") else each.pace(given.seconds) for each in started}
        found = {each.spec.key: measured for each, measured in in_turns(workers, given.rounds).items()}
    for base, name in (("loop", "ratio_to_loop"), ("fused", "ratio_to_fused")):
        for side in found.values() if base in found else ():
            side[name] = [a / b for a, b in zip(side["symbols_per_second"], found[base]["symbols_per_second"], strict=True)]
    return found


def show(model: str, found: dict[str, Any], on_processor: bool) -> None:
    print(f"\n{model}\n  {'':42}{'symbols/s':>11}{'min … max':>22}{'× loop':>9}{'min … max':>17}{'× fused':>9}")
    for key, side in found.items():
        speed, ratio, fused = side["symbols_per_second"], side.get("ratio_to_loop", [nan]), side.get("ratio_to_fused", [nan])
        spread, apart = f"{min(speed):,.0f} … {max(speed):,.0f}", f"{min(ratio):.2f} … {max(ratio):.2f}"
        print(f"  {WORDS[key]:42}{median(speed):>11,.0f}{spread:>22}{median(ratio):>9.2f}{apart:>17}{median(fused):>9.2f}")
    ours = found["rnnscope"]
    for words, base, goal in (
        ("the loop over one segment", "loop", GOALS.get(model) if on_processor else None),
        (f"the loop over {SEGMENTS}", f"loop {SEGMENTS}", 1.25),
        ("diagNNose", "diagnnose", 20.0),
        ("the bare forward pass, h left on the GPU", "fused stays", 0.5),
    ):
        if goal and base in found:
            pairs = zip(ours["symbols_per_second"], found[base]["symbols_per_second"], strict=True)
            ratio = median(a / b for a, b in pairs)
            print(f"  {'reached' if ratio >= goal else 'NOT reached'}: {ratio:.2f} × {words}, wanted {goal:g}")
    if on_processor:
        alone = (side for key, side in found.items() if not key.startswith(("trace", "disk")))
        warn_of_others([share for side in alone for share in side["core_share"]])
    sys.stdout.flush()


def peaks(spec: Spec, given: argparse.Namespace) -> dict[str, Any]:
    """Peak resident memory of a recording as by default, in MiB: before it begins, and in all."""
    found = {}
    for symbols in MEMORY:
        with worker(replace(spec, side="lazy", symbols=symbols, folder=given.folder)) as each:
            found[f"{symbols}"] = {"before": each.about["mib"], "peak": each.ask(1)["mib"]}
    print(f"\nmemory of a recording, {MEMORY_MODEL}, most that was resident, MiB\n  {'symbols':>12}{'before':>10}{'peak':>10}")
    for name, mib in found.items():
        print(f"  {int(name):>12,}{mib['before']:>10,.0f}{mib['peak']:>10,.0f}", flush=True)
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", default=MODELS, metavar="MODEL")
    parser.add_argument("--sides", nargs="+", metavar="SIDE", choices=[*WORDS], help="rnnscope and some others (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="of each side (default 7)")
    parser.add_argument("--seconds", type=float, default=2.0, help="that a round of one side takes (default 2)")
    parser.add_argument(
        "--diagnnose", metavar="PYTHON", help="an interpreter that imports diagnnose; without it that peer is left out"
    )
    parser.add_argument("--device", default="cpu", help="of all sides but diagNNose (default cpu; cuda)")
    parser.add_argument("--folder", default="", help="where traces are written (default: the system's temporary folder)")
    parser.add_argument("--no-memory", action="store_true", help="leave the memory out")
    given = parser.parse_args()
    if given.rounds < 1 or given.seconds <= 0:
        parser.error("there is at least 1 round, of more than 0 seconds")
    if given.sides and "rnnscope" not in given.sides:
        parser.error("the others are compared with rnnscope; name it in --sides, too")
    for name in given.models:
        shape(name)
    return given


def main() -> None:
    given = _arguments()
    record = circumstances("record", ["rnnscope", "torch", "numpy", "zarr"]) | {"rounds": given.rounds, "seconds": given.seconds}
    record["device"] = given.device
    core = quiet_core()
    with TemporaryDirectory() as folder:
        for model in given.models:
            spec = Spec(
                "data", model=model, data=str(Path(folder) / f"{model}.npz"), symbols=SYMBOLS, device=given.device, core=core
            )
            with worker(spec) as writer:
                told = {name: value for name, value in writer.about.items() if name != "mib"}
            if "text" not in record:
                record["text"] = told
                print(f"{record['machine']}, {THREADS} thread; {told['name']}, {told['symbols']:,} symbols in {SEGMENTS} segments")
            found = speeds(spec, given)
            show(model, found, given.device == "cpu")
            record.setdefault("speed", {})[model] = found
        if not given.no_memory:
            spec = Spec("data", model=MEMORY_MODEL, data=str(Path(folder) / "memory.npz"), symbols=SYMBOLS, core=core)
            with worker(spec):
                record["memory"] = {"model": MEMORY_MODEL, "mib": peaks(spec, given)}
    keep(record)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
