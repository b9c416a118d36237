"""N-grams of ten orders: rnnscope's one sort beside ten runs of KenLM's `lmplz`, processor time and memory.

Every side is a process that begins with nothing; they take turns on one core.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from ngram_sides import CONTEXTS
from turns import HERE, circumstances, keep, quiet_core

LMPLZ = {
    "lmplz": [],  # sorts in 80 % of the machine's memory
    "lmplz -S 1G": ["-S", "1G"],
    "lmplz -S 64M": ["-S", "64M", "--vocab_estimate", "1000"],  # and on the disk
}
PACKAGES = ["rnnscope", "numpy", "nltk"]


def measured(command: list[str], core: int | None, **streams: Any) -> tuple[str, float, float]:
    """What a process prints, its processor seconds, and the most memory it had, MiB."""
    with tempfile.TemporaryFile() as out:
        pin = (lambda: os.sched_setaffinity(0, {core})) if core is not None else None
        process = subprocess.Popen(command, stdout=out, preexec_fn=pin, **streams)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
        if status:
            raise SystemExit(f"{command[0]} failed; what it said is above")
        out.seek(0)
        return out.read().decode(), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def ours(side: str, folder: Path, symbols: int, core: int | None) -> dict[str, Any]:
    told, seconds, mib = measured([sys.executable, str(HERE / "ngram_sides.py"), side, str(folder), str(symbols)], core)
    return {"seconds": seconds, "mib": mib, **json.loads(told)}


def theirs(options: list[str], folder: Path, core: int | None) -> dict[str, Any]:
    """Ten models written as ARPA files; nothing is scored with them."""
    by_order, mib = {}, 0.0
    for context in CONTEXTS:
        command = ["lmplz", "-o", str(context + 1), "--discount_fallback", "-T", str(folder), *options]
        files = ["--text", str(folder / "train.txt"), "--arpa", str(folder / "model.arpa")]
        _, seconds, peak = measured(command + files, core, stderr=subprocess.DEVNULL)
        by_order[context] = seconds
        mib = max(mib, peak)
    (folder / "model.arpa").unlink()
    return {"seconds": sum(by_order.values()), "mib": mib, "by_context": by_order}


def prepare(folder: Path, name: str) -> int:
    """The text's parts as files; how many different symbols it has."""
    import rnnscope as rs

    corpus = rs.corpus(name)
    for part in ("train", "test"):
        np.save(folder / f"{part}.npy", corpus.split(part).ids)
    (folder / "train.txt").write_text(" ".join(map(str, corpus.split("train").ids.tolist())) + "\n")
    return len(corpus.vocabulary)


def compare(given: argparse.Namespace, folder: Path, record: dict[str, Any]) -> None:
    core, symbols = quiet_core(), prepare(folder, given.text)
    sides = {
        "rnnscope, one symbol": lambda: ours("one_symbol", folder, symbols, core),
        "rnnscope, every symbol": lambda: ours("every_symbol", folder, symbols, core),
    }
    if shutil.which("lmplz"):
        sides |= {name: lambda options=options: theirs(options, folder, core) for name, options in LMPLZ.items()}
    else:
        print("lmplz is left out: it isn't on the path")
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for k in range(given.rounds):
        names = list(sides)
        for name in names[k % len(names) :] + names[: k % len(names)]:
            found[name].append(sides[name]())
    record |= {"text": given.text, "contexts": CONTEXTS, "rounds": given.rounds, "sides": found}
    print(f"{record['machine']}; {given.text}, contexts {CONTEXTS}, one core, {given.rounds} rounds")
    print(f"  {'':24}{'CPU s':>8}{'min … max':>18}{'MiB':>8}{'× one symbol':>14}{'× every symbol':>16}")
    one, every = ([each["seconds"] for each in found[name]] for name in list(sides)[:2])
    for name, rounds in found.items():
        seconds = [each["seconds"] for each in rounds]
        ratios = [median(a / b for a, b in zip(seconds, base, strict=True)) for base in (one, every)]
        spread, mib = f"{min(seconds):.2f} … {max(seconds):.2f}", median(each["mib"] for each in rounds)
        print(f"  {name:24}{median(seconds):8.2f}{spread:>18}{mib:8.0f}{ratios[0]:14.2f}{ratios[1]:16.2f}", flush=True)
    if not find_spec("nltk"):
        print("  nltk is left out: it isn't installed")
        return
    record["nltk"] = ours("nltk", folder, symbols, core)
    fit, places = record["nltk"]["fit_seconds"], record["nltk"]["places_per_second"]
    print(f"  nltk.lm, order 3, 100,000 symbols: {fit:.2f} s to fit, {places:.0f} distributions a second")


def scale(given: argparse.Namespace, folder: Path, record: dict[str, Any]) -> None:
    """Python sources of the installed packages, cut to some sizes."""
    text = bytearray()
    wanted = int(max(given.scale) * 1e6)
    for path in sorted(Path(np.__file__).parents[1].rglob("*.py")):
        text += path.read_bytes()
        if len(text) >= wanted:
            break
    whole = np.frombuffer(bytes(text), np.uint8)
    record["scale"] = {}
    print(f"{record['machine']}; Python sources, contexts of {CONTEXTS[-1]}")
    print(f"  {'MB':>6}{'CPU s':>10}{'s / n log n':>14}{'MiB':>8}{'bytes/symbol':>14}{'index MB':>10}{'ms a place':>12}")
    for size in given.scale:
        values, ids = np.unique(whole[: int(size * 1e6)], return_inverse=True)
        np.save(folder / "train.npy", ids.astype(np.uint8))
        del ids
        shutil.rmtree(folder / "index", ignore_errors=True)
        found = ours("grow", folder, len(values), quiet_core())
        record["scale"][str(size)] = found | {"symbols": len(values)}
        n = size * 1e6
        rate, each = found["fit_seconds"] / (n * np.log2(n)) * 1e9, found["mib"] * 2**20 / n
        print(
            f"  {size:6.0f}{found['fit_seconds']:10.1f}{rate:12.1f} ns{found['mib']:8.0f}{each:14.0f}"
            f"{found['index_bytes'] / 1e6:10.0f}{found['milliseconds_a_place']:12.2f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--text", default="warpeace", help="a known corpus (default warpeace)")
    parser.add_argument("--rounds", type=int, default=3, help="of each side (default 3)")
    parser.add_argument("--scale", nargs="*", type=float, metavar="MB", help="time and memory at some sizes instead (3 10 30 100)")
    given = parser.parse_args()
    record = circumstances("ngram", PACKAGES)
    with tempfile.TemporaryDirectory() as folder:
        if given.scale is None:
            compare(given, Path(folder), record)
        else:
            given.scale = given.scale or [3.0, 10.0, 30.0, 100.0]
            scale(given, Path(folder), record)
    keep(record)


if __name__ == "__main__":
    main()
