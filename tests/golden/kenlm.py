"""KenLM's numbers: what `lmplz` makes of a text, scored by its ARPA file.

`python -m tests.golden.kenlm` writes `kenlm.json` anew; it needs `lmplz` on the path, built as `benchmarks/README.md` says.
"""

import json
import subprocess
from collections.abc import Sequence
from math import log
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

FILE = Path(__file__).with_suffix(".json")
CONTEXTS = (0, 1, 2, 3, 5, 9, 20)
COMMAND = ("lmplz", "--discount_fallback", "-S", "64M", "--vocab_estimate", "1000")

Gram = tuple[str, ...]


def texts() -> tuple[list[int], list[int]]:
    """Symbols to learn from and symbols to predict, each below 30: words of a made-up language, some more often than others.

    The text begins with the symbols in order, so that KenLM, which numbers words as it meets them, has the same order.
    """
    generator = np.random.default_rng(6)
    words = [generator.integers(1, 30, generator.integers(1, 9)).tolist() for _ in range(400)]
    chosen = generator.zipf(1.2, 8000) % len(words)
    symbols = [symbol for word in chosen for symbol in (*words[word], 0)]
    return [*range(30), *symbols[:30_000]], symbols[30_000:30_400]


def log_probs(learned: Sequence[int], read: Sequence[int], context: int) -> list[float]:
    """log p of each symbol of a text, in nats, the first from nothing, by the model that `lmplz` makes of another text."""
    with TemporaryDirectory() as folder:
        arpa = Path(folder) / "model.arpa"
        told = " ".join(map(str, learned)) + "\n"
        subprocess.run(
            [*COMMAND, "-o", str(context + 1), "-T", folder, "--arpa", str(arpa)],
            input=told.encode(),
            check=True,
            capture_output=True,
        )
        probabilities, back_off = _read(arpa)
    words = [str(symbol) for symbol in read]
    return [_score(tuple(words[max(at - context, 0) : at + 1]), probabilities, back_off) * log(10) for at in range(len(words))]


def _read(arpa: Path) -> tuple[dict[Gram, float], dict[Gram, float]]:
    probabilities: dict[Gram, float] = {}
    back_off: dict[Gram, float] = {}
    for line in arpa.read_text().splitlines():
        fields = line.split("\t")
        if len(fields) > 1:
            gram = tuple(fields[1].split(" "))
            probabilities[gram] = float(fields[0])
            back_off[gram] = float(fields[2]) if len(fields) > 2 else 0.0
    return probabilities, back_off


def _score(gram: Gram, probabilities: dict[Gram, float], back_off: dict[Gram, float]) -> float:
    if gram in probabilities:
        return probabilities[gram]
    if len(gram) == 1:
        return probabilities["<unk>",]
    return back_off.get(gram[:-1], 0.0) + _score(gram[1:], probabilities, back_off)


if __name__ == "__main__":
    learned, read = texts()
    found = {str(n): [round(value, 6) for value in log_probs(learned, read, n)] for n in CONTEXTS}
    how = f"KenLM 0.3.0, {' '.join(COMMAND)} -o N + 1, on texts() of kenlm.py as one line; nats, from the ARPA file"
    FILE.write_text(json.dumps({"how": how, "log_prob": found}) + "\n")
