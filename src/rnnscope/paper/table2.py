"""Table 2: test cross-entropy of n-grams and n-NNs, which see the last n symbols. Source: PAPER section 5.

The two kinds are read differently, as they were for the paper: an n-gram reads the test part as one text, a network each of
its 100 segments from the beginning. `apart_nats` is what an n-gram gets when it reads as a network does (decision 0012).
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rnnscope.corpora import StreamSplit
from rnnscope.corpora.named import corpus
from rnnscope.exceptions import FormatError
from rnnscope.files import write_json
from rnnscope.models.architecture import WINDOW
from rnnscope.ngrams import NGramLM
from rnnscope.ngrams.ladder import surprise
from rnnscope.paper import entries
from rnnscope.paper.entries import CORPORA
from rnnscope.progress import Progress, silent
from rnnscope.training import Run

CONTEXTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 20)
_PUBLISHED = {
    ("warpeace", "n-gram"): (2.399, 1.928, 1.521, 1.314, 1.232, 1.203, 1.194, 1.194, 1.194, 1.195),
    ("warpeace", "n-NN"): (2.399, 1.931, 1.553, 1.451, 1.339, 1.321),
    ("linux", "n-gram"): (2.702, 1.954, 1.440, 1.213, 1.097, 1.027, 0.982, 0.953, 0.933, 0.889),
    ("linux", "n-NN"): (2.707, 1.974, 1.505, 1.395, 1.256, 1.376),
}
_ENTRY = "an entry of Table 2"
_NUMBERS = ("test_nats", "test_deviation")
_COLUMNS = ("corpus", "model", "context", "units", "parameters", "test_nats", "test_deviation", "apart_nats", "paper", "difference")


def published(corpus: str, model: str, context: int) -> float | None:
    """The paper's number in nats; None where it gives none.

    >>> published("warpeace", "n-NN", 6), published("warpeace", "n-NN", 7)
    (1.321, None)
    """
    row, at = _PUBLISHED[corpus, model], CONTEXTS.index(context)
    return row[at] if at < len(row) else None


def count(results: Path, corpora: tuple[str, ...] = CORPORA) -> list[Path]:
    """Count each text once and write its ten n-gram entries to `results`; half a minute for both. Returns the files."""
    written = []
    for name in corpora:
        text = corpus(name)
        begun = time.process_time()
        model = NGramLM.fit(text.split("train"), max(CONTEXTS))
        together, apart = (surprise(model, text.split("test"), CONTEXTS, apart=apart) for apart in (False, True))
        seconds = round(time.process_time() - begun, 2)
        for context, nats, alone in zip(CONTEXTS, together, apart, strict=True):
            entry = {
                "corpus": name,
                "model": "n-gram",
                "context": context,
                "test_nats": float(nats.mean()),
                "test_deviation": float(nats.std() / np.sqrt(len(nats))),
                "apart_nats": float(alone.mean()),
                "seconds_for_all": seconds,
                **entries.provenance(text.fingerprint),
            }
            written.append(_path(results, name, "n-gram", context))
            write_json(written[-1], entry)
    return written


def collect(
    runs: Path,
    results: Path,
    corpora: tuple[str, ...] = CORPORA,
    *,
    weights: Path | None = None,
    progress: Progress = silent,
) -> list[Path]:
    """Evaluate every finished n-NN below `runs` on the split of the paper; one JSON file each in `results`.

    The paper says neither how wide its n-NNs are nor how they were trained, but that it chose on the validation part. So do
    we, of all runs for one entry; its weights stay in half precision in `weights`, if that is given. Returns the files and
    folders that were written. Raises `FormatError` if `runs` holds no run at all.
    """

    def place(run: Run) -> tuple[Path, dict[str, Any]] | None:
        name, architecture = str(run.corpus["name"]), run.recipe.architecture
        known = name in corpora and isinstance(run.split, StreamSplit) and architecture.cell == WINDOW
        if not known or architecture.context not in CONTEXTS:
            return None
        begin = {"corpus": name, "model": "n-NN", "context": architecture.context}
        return _path(results, name, "n-NN", architecture.context), begin

    return entries.collect(entries.finished(runs, progress), place, _ENTRY, weights)


def table2(results: Path, corpora: tuple[str, ...] = CORPORA) -> pd.DataFrame:
    """What was found beside what was published, one row for each entry that one of them has.

    Columns: `corpus model context units parameters test_nats test_deviation apart_nats paper difference`, losses in nats;
    `difference` is ours minus the paper's.
    """
    return pd.DataFrame(list(_rows(results, corpora)), columns=list(_COLUMNS)).convert_dtypes()


def _rows(results: Path, corpora: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for name in corpora:
        for model in ("n-gram", "n-NN"):
            for context in CONTEXTS:
                path, paper = _path(results, name, model, context), published(name, model, context)
                found = entries.read_entry(path, _NUMBERS, _ENTRY) if path.exists() else {}
                told = (found.get("corpus"), found.get("model"), found.get("context"))
                if found and told != (name, model, context):
                    raise FormatError(f"{path} is an entry of {told}, not of {(name, model, context)}; remove it")
                if found or paper is not None:
                    difference = found["test_nats"] - paper if found and paper is not None else None
                    mine = {column: found.get(column) for column in _COLUMNS[3:8]}
                    yield {"corpus": name, "model": model, "context": context, "paper": paper, "difference": difference, **mine}


def _path(results: Path, name: str, model: str, context: int | None) -> Path:
    return results / f"{name}-{model}-{context}.json"
