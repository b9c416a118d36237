"""Two small models at once on two cores, against one after the other: `rnnscope sweep --workers 2` and `--workers 1`.

Both sides train the same grid from nothing, in turns, processes started anew each time as a sweep does.
"""

import argparse
import json
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import rnnscope as rs
from rnnscope.paper.provenance import commit, machine

GRID = {
    "text": "python-stdlib",
    "recipe": "karpathy2015",
    "epochs": 100,
    "architecture": {"units": [64, 96]},
}


def seconds(workers: int, updates: int) -> float:
    """How long a sweep of the grid takes, from nothing to the table."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        table = rs.sweep({**GRID, "updates": updates}, Path(folder) / "sweep", workers=workers)
        taken = time.perf_counter() - begun
    assert list(table["problem"]) == ["", ""]
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--updates", type=int, default=600)
    options = parser.parse_args()
    times: dict[int, list[float]] = {1: [], 2: []}
    for k in range(options.rounds):
        for workers in (1, 2) if k % 2 else (2, 1):
            times[workers].append(seconds(workers, options.updates))
    ratios = [one / two for one, two in zip(times[1], times[2], strict=True)]
    print(f"{machine()}; LSTM 1×64 and 1×96, {options.updates} updates each, one thread each")
    for workers, taken in times.items():
        print(f"  {workers} at a time  {median(taken):6.1f} s   {min(taken):.1f} … {max(taken):.1f}")
    print(f"  two at once are {median(ratios):.2f} × as fast   {min(ratios):.2f} … {max(ratios):.2f}")
    results = Path(__file__).parent / "results" / "sweep.jsonl"
    results.parent.mkdir(exist_ok=True)
    line = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), "commit": commit(),
        "updates": options.updates, "seconds": times, "ratios": ratios,
    }  # fmt: skip
    with results.open("a") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
