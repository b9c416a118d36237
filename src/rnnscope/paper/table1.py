"""Table 1: test cross-entropy of three cells, one to three layers, four sizes, on two texts. Source: PAPER section 4."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from rnnscope.corpora import StreamSplit
from rnnscope.models import Architecture
from rnnscope.paper import entries
from rnnscope.paper.entries import CORPORA
from rnnscope.progress import Progress, silent
from rnnscope.training import Run
from rnnscope.training import recipe as recipe_named

SIZES = (64, 128, 256, 512)
CELLS = {"lstm": "lstm", "rnn": "rnn", "gru": "gru-paper"}
"""The table's name of a cell, and this project's name of the paper's equations."""

# Columns: LSTM with 1, 2, 3 layers, RNN, GRU. Nats; three RNNs were not published.
_PUBLISHED = {
    ("warpeace", 64): (1.449, 1.442, 1.540, 1.446, 1.401, 1.396, 1.398, 1.373, 1.472),
    ("warpeace", 128): (1.277, 1.227, 1.279, 1.417, 1.286, 1.277, 1.230, 1.226, 1.253),
    ("warpeace", 256): (1.189, 1.137, 1.141, 1.342, 1.256, 1.239, 1.198, 1.164, 1.138),
    ("warpeace", 512): (1.161, 1.092, 1.082, None, None, None, 1.170, 1.201, 1.077),
    ("linux", 64): (1.355, 1.331, 1.366, 1.407, 1.371, 1.383, 1.335, 1.298, 1.357),
    ("linux", 128): (1.149, 1.128, 1.177, 1.241, 1.120, 1.220, 1.154, 1.125, 1.150),
    ("linux", 256): (1.026, 0.972, 0.998, 1.171, 1.116, 1.116, 1.039, 0.991, 1.026),
    ("linux", 512): (0.952, 0.840, 0.846, None, None, None, 0.943, 0.861, 0.829),
}


def published(corpus: str, cell: str, layers: int, size: int) -> float | None:
    """The paper's number in nats; None for the RNNs that it doesn't give.

    >>> published("warpeace", "lstm", 2, 128)
    1.227
    """
    return _PUBLISHED[corpus, size][list(CELLS).index(cell) * 3 + layers - 1]


def place_of(run: Run) -> tuple[str, str, int, int] | None:
    """Corpus, cell, layers and size of the table's entry that a run belongs to, or None."""
    name, architecture = run.corpus["name"], run.recipe.architecture
    cell = next((ours for ours, theirs in CELLS.items() if theirs == architecture.cell), None)
    if (name, SIZES[0]) not in _PUBLISHED or cell is None or architecture.layers > 3:
        return None
    for size in SIZES:
        if Architecture.matched(architecture.cell, architecture.layers, size, len(run.vocabulary)) == architecture:
            return str(name), cell, architecture.layers, size
    return None


def follows_protocol(run: Run) -> bool:
    """Whether a run was trained as the paper did, whatever its size, dropout, seed and precision."""
    recipe, protocol = run.recipe, recipe_named("karpathy2015")
    free = {name: getattr(recipe, name) for name in ("architecture", "dropout", "seed", "precision", "device", "threads")}
    return recipe == replace(protocol, **free) and isinstance(run.split, StreamSplit)


def collect(
    runs: Path,
    results: Path,
    corpora: tuple[str, ...] = CORPORA,
    *,
    weights: Path | None = None,
    progress: Progress = silent,
) -> list[Path]:
    """Evaluate every finished run below `runs` that follows the paper's protocol; one JSON file each in `results`.

    Of several runs for one entry (with other dropout, say) the one with the best validation loss stays, as the paper
    chose, and its weights in half precision in `weights`, if that is given. Returns the files and folders that were written.
    Raises `FormatError` if `runs` holds no run at all.
    """

    def place(run: Run) -> tuple[Path, dict[str, Any]] | None:
        found = place_of(run)
        if found is None or found[0] not in corpora or not follows_protocol(run):
            return None
        return results / f"{'-'.join(map(str, found))}.json", dict(zip(("corpus", "cell", "layers", "size"), found, strict=True))

    return entries.collect(entries.finished(runs, progress), place, _ENTRY, weights)


def table1(results: Path, corpora: tuple[str, ...] = CORPORA) -> pd.DataFrame:
    """What was found beside what was published, one row for each entry that one of them has.

    Columns: `corpus size cell layers units parameters test_nats test_deviation paper difference`, losses in nats;
    `difference` is ours minus the paper's.
    """
    return pd.DataFrame(list(_rows(results, corpora)), columns=list(_COLUMNS)).convert_dtypes()


_ENTRY = "an entry of Table 1"
_NUMBERS = ("test_nats", "test_deviation", "validation_nats", "parameters", "units")
_COLUMNS = (
    "corpus", "size", "cell", "layers", "units", "parameters", "test_nats", "test_deviation", "paper", "difference"
)  # fmt: skip


def _rows(results: Path, corpora: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for name in corpora:
        for size in SIZES:
            for cell in CELLS:
                for layers in (1, 2, 3):
                    path = results / f"{name}-{cell}-{layers}-{size}.json"
                    found = entries.read_entry(path, _NUMBERS, _ENTRY) if path.exists() else {}
                    paper = published(name, cell, layers, size)
                    difference = found["test_nats"] - paper if found and paper is not None else None
                    yield {
                        "corpus": name, "size": size, "cell": cell, "layers": layers, "paper": paper, "difference": difference,
                        **{key: found.get(key) for key in ("units", "parameters", "test_nats", "test_deviation")},
                    }  # fmt: skip
