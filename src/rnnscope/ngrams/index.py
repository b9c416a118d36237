"""A `ContextTree` in a folder: one file for each array, mapped into memory and never copied."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from rnnscope.corpora import Vocabulary
from rnnscope.exceptions import FormatError
from rnnscope.files import claim, read_json, replacing, write_json
from rnnscope.ngrams.tree import ContextTree

MARKER = "ngram.json"
FORMAT = 1
_PIECE = 2**20


def write_index(path: Path, tree: ContextTree, vocabulary: Vocabulary) -> None:
    claim(path, MARKER, "an n-gram index", make=False)
    with replacing(path) as new:
        new.mkdir()
        for name in _NAMES:
            np.save(new / f"{name}.npy", getattr(tree, name))
        checksums = {name: _checksum(new / f"{name}.npy") for name in _NAMES}
        write_json(new / MARKER, {"format": FORMAT, "vocabulary": vocabulary.to_json(), "checksums": checksums})


def read_index(path: Path) -> tuple[ContextTree, Vocabulary]:
    """Raises `FormatError` for a folder that is no index, of another version, or of which a part is missing or altered."""
    if not (path / MARKER).is_file():
        raise FormatError(f"{path} is no n-gram index: it has no {MARKER}; expected a folder that NGramLM.save wrote")
    about = read_json(path / MARKER, "an n-gram index")
    if about.get("format") != FORMAT:
        raise FormatError(f"{path} is an n-gram index of format {about.get('format')!r}; expected {FORMAT}; count the text anew")
    try:
        vocabulary, checksums = Vocabulary.from_json(about.get("vocabulary")), dict(about.get("checksums", {}))
    except (FormatError, TypeError, ValueError) as error:
        raise FormatError(f"{path / MARKER} is damaged ({error}); expected an n-gram index; count the text anew") from error
    arrays: dict[str, Any] = {}
    for name in _NAMES:
        file = path / f"{name}.npy"
        if not file.is_file() or _checksum(file) != checksums.get(name):
            raise FormatError(f"{file} is missing or was altered; expected a part of an n-gram index; count the text anew")
        arrays[name] = np.load(file, mmap_mode="r", allow_pickle=False)
    return ContextTree(symbols=len(vocabulary), **arrays), vocabulary


_NAMES = [field.name for field in fields(ContextTree) if field.name != "symbols"]


def _checksum(file: Path) -> int:
    """CRC-32C of a file, which is read, not mapped, so that its pages don't count as ours."""
    checksum = 0
    with file.open("rb") as handle:
        while piece := handle.read(_PIECE):
            checksum = google_crc32c.extend(checksum, piece)
    return checksum
