"""Scores of every unit against every hypothesis: rnnscope beside a loop over scikit-learn's AUROC and NeuroX's probeless ranking.

Every side is a process that begins with nothing. The peers are measured on a sample of the pairs, and scaled.
"""

import argparse
import json
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from ngram import measured
from turns import HERE, circumstances, keep

PACKAGES = ["rnnscope", "numpy", "scipy", "scikit-learn", "neurox"]
PER_LABEL, ROWS = 4, 100_000


def side(name: str, **given: Any) -> dict[str, Any]:
    told, cpu, mib = measured([sys.executable, str(HERE / "score_sides.py"), name, json.dumps(given)], None)
    return {"process_cpu": cpu, "mib": mib, **json.loads(told.splitlines()[-1])}


def compare(given: argparse.Namespace, trace: str, record: dict[str, Any]) -> None:
    about = side("prepare", trace=trace, text=given.text, symbols=given.symbols)
    n, found = about["symbols"], {name: [] for name in ("scores", "everything", "scikit-learn", "neurox")}
    package = find_spec("neurox")
    for _ in range(given.rounds):
        found["scores"].append(side("rnnscope", trace=trace, tests=False))
        found["scikit-learn"].append(side("scikit_learn", trace=trace, units=PER_LABEL))
        found["everything"].append(side("rnnscope", trace=trace, tests=True))
        if package and package.origin:
            found["neurox"].append(side("neurox", trace=trace, rows=ROWS, neurox=str(Path(package.origin).parent)))
    units, hypotheses = found["scores"][0]["units"], found["scores"][0]["hypotheses"]
    pairs = units * hypotheses
    record |= {"text": about["text"], "units": units, "hypotheses": hypotheses, "rounds": given.rounds, "sides": found}
    print(f"{record['machine']}; {about['text']}; {units:,} units × {hypotheses} hypotheses, two cores")
    rows = {
        "rnnscope, scores": [each["seconds"] for each in found["scores"]],
        "rnnscope, with tests and controls": [each["seconds"] for each in found["everything"]],
        "scikit-learn, roc_auc_score (scaled)": [median(each["seconds_a_pair"]) * pairs for each in found["scikit-learn"]],
        "NeuroX, probeless ranking (scaled)": [median(each["seconds_a_value"]) * n * pairs for each in found["neurox"]],
    }
    base = rows["rnnscope, scores"]
    print(f"  {'':38}{'seconds':>10}{'min … max':>20}{'× scores':>10}")
    for name, seconds in rows.items():
        if seconds:
            ratio = median(a / b for a, b in zip(seconds, base, strict=True))
            print(f"  {name:38}{median(seconds):10.1f}{f'{min(seconds):.1f} … {max(seconds):.1f}':>20}{ratio:10.1f}", flush=True)
    if not package:
        print("  NeuroX is left out: it isn't installed (pip install --no-deps neurox)")
    plain, tested = (median(e["mib"] for e in found[name]) for name in ("scores", "everything"))
    print(f"  peak memory: scores {plain:,.0f} MiB, with tests {tested:,.0f} MiB")
    record["exact"] = side("exact", trace=trace, units=4)
    far = record["exact"]["largest_error"]
    print(
        f"  of {record['exact']['pairs']} pairs sorted exactly, "
        f"the largest error: AUROC {far['auroc']:.1e}, correlation {far['correlation']:.1e}"
    )


def scale(given: argparse.Namespace, record: dict[str, Any]) -> None:
    record["scale"] = {}
    print(f"{record['machine']}; War and Peace over and over, {given.units} units, everything")
    for millions in given.scale:
        found = side("scale", symbols=int(millions * 1e6), units=given.units)
        record["scale"][str(millions)] = found
        print(f"  {millions:6.0f} M symbols: {found['seconds']:8.1f} s, {found['mib']:8.0f} MiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--text", default="linux", help="a known corpus (default linux)")
    parser.add_argument("--symbols", type=int, default=1_000_000, help="of it (default 1,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="of each side (default 3)")
    parser.add_argument("--units", type=int, default=64, help="with --scale (default 64)")
    parser.add_argument("--scale", nargs="*", type=float, metavar="M", help="time and memory at some lengths instead (1 3 10 30)")
    given = parser.parse_args()
    record = circumstances("score", PACKAGES)
    if given.scale is None:
        with tempfile.TemporaryDirectory() as folder:
            compare(given, str(Path(folder) / "trace"), record)
    else:
        given.scale = given.scale or [1, 3, 10, 30]
        scale(given, record)
    keep(record)


if __name__ == "__main__":
    main()
