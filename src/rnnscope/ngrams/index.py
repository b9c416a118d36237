"""A `ContextTree` in a folder: one file for each array, mapped into memory and never copied."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from rnnscope.corpora import Vocabulary
from rnnscope.exceptions import FormatError
from rnnscope.files import claim, read_json, replacing, write_json
from rnnscope.ngrams.tree import ContextTree

MARKER = "ngram.json"
FORMAT = 1


def write_index(path: Path, tree: ContextTree, vocabulary: Vocabulary) -> None:
    claim(path, MARKER, "an n-gram index", make=False)
    with replacing(path) as new:
        new.mkdir()
        arrays = _arrays(tree)
        for name, array in arrays.items():
            np.save(new / f"{name}.npy", array)
        shapes = {name: [str(array.dtype), list(array.shape)] for name, array in arrays.items()}
        about = {"format": FORMAT, "symbols": tree.symbols, "vocabulary": vocabulary.to_json(), "arrays": shapes}
        write_json(new / MARKER, about)


def read_index(path: Path) -> tuple[ContextTree, Vocabulary]:
    """Raises `FormatError` for a folder that is no index, of another version, or that lost a part."""
    if not (path / MARKER).is_file():
        raise FormatError(f"{path} is no n-gram index: it has no {MARKER}; expected a folder that NGramLM.save wrote")
    about = read_json(path / MARKER, "an n-gram index")
    if about.get("format") != FORMAT:
        raise FormatError(f"{path} is an n-gram index of format {about.get('format')!r}; expected {FORMAT}; count the text anew")
    vocabulary = Vocabulary.from_json(about.get("vocabulary"))
    if about.get("symbols") != len(vocabulary):
        raise FormatError(
            f"{path / MARKER} is damaged: {about.get('symbols')!r} symbols are not its vocabulary's; count the text anew"
        )
    arrays = {}
    for name in _NAMES:
        file = path / f"{name}.npy"
        try:
            array: Any = np.load(file, mmap_mode="r", allow_pickle=False)
            found = [str(array.dtype), list(array.shape)]
        except (OSError, ValueError, EOFError) as error:
            raise FormatError(
                f"{file} is missing or damaged ({error}); expected a part of an n-gram index; count the text anew"
            ) from error
        if about.get("arrays", {}).get(name) != found:
            raise FormatError(
                f"{file} holds {found}, not what {MARKER} says; expected a part of an n-gram index; count the text anew"
            )
        arrays[name] = array
    return ContextTree(symbols=len(vocabulary), **arrays), vocabulary


_NAMES = [field.name for field in fields(ContextTree) if field.name != "symbols"]


def _arrays(tree: ContextTree) -> dict[str, Any]:
    return {name: getattr(tree, name) for name in _NAMES}
