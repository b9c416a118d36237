"""Table 1: test cross-entropy of three cells, one to three layers, four sizes, on two texts. Source: PAPER section 4."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from rnnscope.corpora import StreamSplit
from rnnscope.corpora.named import corpus
from rnnscope.exceptions import FormatError
from rnnscope.files import read_json, write_json
from rnnscope.models import Architecture, evaluate
from rnnscope.models.threads import computing
from rnnscope.paper.provenance import commit, machine
from rnnscope.progress import Progress, silent
from rnnscope.training import Run
from rnnscope.training import recipe as recipe_named
from rnnscope.training.run import MARKER

CORPORA = ("warpeace", "linux")
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


def collect(runs: Path, results: Path, corpora: tuple[str, ...] = CORPORA, *, progress: Progress = silent) -> list[Path]:
    """Evaluate every finished run below `runs` that follows the paper's protocol; one JSON file each in `results`.

    Of several runs for one entry (with other dropout, say) the one with the best validation loss stays, as the paper
    chose. Returns the files that were written. Raises `FormatError` if `runs` holds no run at all.
    """
    folders = sorted(path.parent for path in Path(runs).rglob(MARKER))
    if not folders:
        raise FormatError(f"{runs} holds no run; expected the folder of a sweep or of a run")
    written = []
    for k, folder in enumerate(folders):
        progress(k, len(folders), folder.name)
        run = Run.open(folder)
        place = place_of(run)
        if place is None or place[0] not in corpora or not run.finished or not follows_protocol(run):
            continue
        target = results / f"{'-'.join(map(str, place))}.json"
        best = min(float(entry["validation_nats"]) for entry in run.history)
        if target.exists() and _read_result(target)["validation_nats"] <= best:
            continue
        write_json(target, _result(run, place, best))
        written.append(target)
    progress(len(folders), len(folders))
    return written


def _read_result(path: Path) -> dict[str, Any]:
    data: Any = read_json(path, "an entry of Table 1")
    for name in ("test_nats", "test_deviation", "validation_nats", "parameters", "units"):
        if not isinstance(data, dict) or not isinstance(data.get(name), int | float):
            raise FormatError(f"{path} is damaged: it has no number {name}; remove it and collect the entry again")
    return dict(data)


def _result(run: Run, place: tuple[str, str, int, int], best: float) -> dict[str, Any]:
    name, cell, layers, size = place
    text = corpus(name)
    if text.fingerprint != run.corpus["fingerprint"]:
        raise FormatError(f"{run.path} was trained on another {name} than the one at hand; expected {text.fingerprint}")
    model = run.model()
    with computing():
        found = evaluate(model, text.ruled(run.split).split("test"))
    last = run.history[-1]
    return {
        "corpus": name,
        "cell": cell,
        "layers": layers,
        "size": size,
        "units": model.architecture.units,
        "parameters": model.parameter_count(),
        "test_nats": found.nats,
        "test_deviation": found.deviation,
        "validation_nats": best,
        "epochs": last["epoch"],
        "updates": last["updates"],
        "seconds": last["seconds"],
        "recipe": run.recipe.to_json(),
        "computed": run.description.get("computed", {}),
        "corpus_fingerprint": text.fingerprint,
        "machine": machine(),
        "commit": commit(),
    }


def table1(results: Path, corpora: tuple[str, ...] = CORPORA) -> pd.DataFrame:
    """What was found beside what was published, one row for each entry that one of them has.

    Columns: `corpus size cell layers units parameters test_nats test_deviation paper difference`, losses in nats;
    `difference` is ours minus the paper's.
    """
    return pd.DataFrame(list(_rows(results, corpora)), columns=list(_COLUMNS)).convert_dtypes()


_COLUMNS = (
    "corpus", "size", "cell", "layers", "units", "parameters", "test_nats", "test_deviation", "paper", "difference"
)  # fmt: skip


def _rows(results: Path, corpora: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for name in corpora:
        for size in SIZES:
            for cell in CELLS:
                for layers in (1, 2, 3):
                    path = results / f"{name}-{cell}-{layers}-{size}.json"
                    found = _read_result(path) if path.exists() else {}
                    paper = published(name, cell, layers, size)
                    difference = found["test_nats"] - paper if found and paper is not None else None
                    yield {
                        "corpus": name, "size": size, "cell": cell, "layers": layers, "paper": paper, "difference": difference,
                        **{key: found.get(key) for key in ("units", "parameters", "test_nats", "test_deviation")},
                    }  # fmt: skip


def keep_best(runs: Path, weights: Path, corpora: tuple[str, ...] = CORPORA, cell: str = "lstm") -> list[Path]:
    """The run of that cell with the best validation loss on each text, in half precision, as a run in `weights`.

    Files that hold a better one already stay. Returns the folders that were written.
    """
    best: dict[str, tuple[float, Run]] = {}
    for path in sorted(Path(runs).rglob(MARKER)):
        run = Run.open(path.parent)
        place = place_of(run)
        if place is None or place[1] != cell or place[0] not in corpora or not run.finished or not follows_protocol(run):
            continue
        loss = min(float(entry["validation_nats"]) for entry in run.history)
        if loss < best.get(place[0], (float("inf"), run))[0]:
            best[place[0]] = (loss, run)
    written = []
    for name, (loss, run) in best.items():
        target = weights / f"{name}-{cell}"
        if target.exists() and min(float(e["validation_nats"]) for e in Run.open(target).history) <= loss:
            continue
        run.write_half(target)
        written.append(target)
    return written
