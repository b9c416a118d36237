"""Entries of the paper's tables that we found ourselves: one JSON file each, made from a finished run, whose weights may stay."""

from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from rnnscope.corpora.named import corpus
from rnnscope.exceptions import FormatError
from rnnscope.files import read_json, write_json
from rnnscope.models import evaluate
from rnnscope.models.threads import computing
from rnnscope.paper.provenance import commit, machine
from rnnscope.progress import Progress
from rnnscope.training import Run
from rnnscope.training.processes import chosen_device
from rnnscope.training.run import MARKER

CORPORA = ("warpeace", "linux")


def finished(runs: Path, progress: Progress) -> Iterator[Run]:
    """Every finished run below a folder. Raises `FormatError` if it holds no run at all."""
    folders = sorted(path.parent for path in Path(runs).rglob(MARKER))
    if not folders:
        raise FormatError(f"{runs} holds no run; expected the folder of a sweep or of a run")
    for k, folder in enumerate(folders):
        progress(k, len(folders), folder.name)
        run = Run.open(folder)
        if run.finished:
            yield run
    progress(len(folders), len(folders))


def best_loss(run: Run) -> float:
    """On the validation part. Raises `FormatError` for a run without a history."""
    if not (history := run.history):
        raise FormatError(f"{run.path / 'history.jsonl'} is missing or empty; expected a line for each epoch; restore it")
    return min(float(entry["validation_nats"]) for entry in history)


def collect(
    runs: Iterator[Run], place: Callable[[Run], tuple[Path, dict[str, Any]] | None], what: str, weights: Path | None = None
) -> list[Path]:
    """Evaluate runs; `place` says which file one belongs to and what the file begins with, or that it belongs nowhere.

    Of several runs for one entry the one with the best validation loss stays, as the paper chose; so do its weights, in half
    precision, as a run below `weights` with the entry's name. Returns the files and folders written.
    """
    written = []
    for run in runs:
        found = place(run)
        if found is None:
            continue
        target, begin = found
        best = best_loss(run)
        if not target.exists() or best < read_entry(target, ("validation_nats",), what)["validation_nats"]:
            write_json(target, begin | _evaluated(run, best))
            written.append(target)
        if weights is not None and (not (kept := weights / target.stem).exists() or best < best_loss(Run.open(kept))):
            written.append(run.write_half(kept).path)
    return list(dict.fromkeys(written))


def _evaluated(run: Run, best: float) -> dict[str, Any]:
    text = corpus(run.corpus["name"])
    if text.fingerprint != run.corpus["fingerprint"]:
        raise FormatError(f"{run.path} was trained on another {text.name} than the one at hand; expected {text.fingerprint}")
    model = run.model().to(chosen_device("auto"))
    with computing():
        found = evaluate(model, text.ruled(run.split).split("test"))
    last = run.history[-1]
    return {
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
        **provenance(text.fingerprint),
    }


def provenance(fingerprint: str) -> dict[str, Any]:
    """Of which text an entry is, and where and by which code it was made."""
    return {"corpus_fingerprint": fingerprint, "machine": machine(), "commit": commit()}


def read_entry(path: Path, numbers: Sequence[str], what: str) -> dict[str, Any]:
    """Raises `FormatError` for a file that lacks one of the numbers."""
    data: Any = read_json(path, what)
    for name in numbers:
        if isinstance(data.get(name), bool) or not isinstance(data.get(name), int | float) or not isfinite(data[name]):
            raise FormatError(f"{path} is damaged: it has no number {name}; remove it and collect the entry again")
    return dict(data)
