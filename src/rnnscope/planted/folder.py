"""The benchmark as files, for methods that aren't written in Python, or that bring their own tools.

planted.json            the truth about every network
NETWORK/trace           its states at every symbol, a Zarr group
NETWORK/labels.parquet  a column for each hypothesis, a row for each symbol
"""

from collections.abc import Sequence
from pathlib import Path

from rnnscope.exceptions import FormatError
from rnnscope.files import claim, read_json, replacing, write_json
from rnnscope.planted.tasks import Truth, tasks
from rnnscope.progress import Progress, silent
from rnnscope.recording import record

MARKER, FORMAT = "planted.json", 1


def write(
    into: Path, *, cells: Sequence[str], networks: int, units: int, symbols: int, seed: int, progress: Progress = silent
) -> list[Truth]:
    """Write every task's values, labels and truth. Raises `OccupiedError` for a folder that holds something else."""
    claim(into, MARKER, "a planted benchmark")
    truths: list[Truth] = []
    for task in tasks(cells, networks, units, symbols, seed):
        progress(len(truths), 3 * networks * len(cells), task.name)
        names = task.truth.signals
        record(task.made.model, task.read, into / task.name / "trace", names, overwrite=True)
        with replacing(into / task.name / "labels.parquet") as new:
            task.labels.to_parquet(new)
        truths.append(task.truth)
        write_json(into / MARKER, {"format": FORMAT, "networks": [t.to_json() for t in truths]})
    progress(len(truths), len(truths))
    return truths


def read_truths(folder: Path) -> list[Truth]:
    """The truth about the networks in a folder. Raises `FormatError` where there is none."""
    data = read_json(folder / MARKER, "a benchmark that 'rnnscope planted --out' wrote")
    try:
        if data["format"] == FORMAT:
            return [Truth.from_json(each) for each in data["networks"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise FormatError(f"{folder / MARKER} is damaged ({error!r}); expected the truth about networks; make it anew") from error
    raise FormatError(f"{folder / MARKER} has the format {data['format']!r}; expected {FORMAT}; make it anew")
