"""A grid: a recipe in which a field may be a list of values, and every combination of them is a run.

::

    text = ["warpeace", "linux"]
    recipe = "karpathy2015"         # the named recipe that the fields below change

    [architecture]
    cell = ["lstm", "gru-paper"]
    layers = [1, 2, 3]
    size = 128                      # in place of `units`: as many parameters as a 1-layer LSTM of that width
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from rnnscope.corpora import Corpus, find
from rnnscope.exceptions import RecipeError, expect
from rnnscope.models import Architecture
from rnnscope.training import Recipe, recipe
from rnnscope.training.recipe import read_toml

_OURS = ("text", "symbols", "language", "recipe")


@dataclass(frozen=True)
class Point:
    """One run of a grid: `text` trained by `recipe`. `varied` holds the values that tell it from the others.

    `symbols` is how many symbols the training will read, at the most; `fingerprint` is the text's.
    """

    name: str
    text: str
    kind: str | None
    language: str | None
    recipe: Recipe
    varied: dict[str, Any]
    symbols: int
    fingerprint: str

    def corpus(self) -> Corpus:
        return find(self.text, symbols=self.kind, language=self.language)  # type: ignore[arg-type]  # find says what is wrong

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "text": self.text, "kind": self.kind, "language": self.language,
            "recipe": self.recipe.to_json(), "varied": self.varied, "symbols": self.symbols, "fingerprint": self.fingerprint,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Point":
        return cls(**{**data, "recipe": Recipe.from_json(data["recipe"])})


def read_grid(source: str | Path | dict[str, Any]) -> list[Point]:
    """Every run of a grid, in the order of the file, the last field varying fastest.

    Raises `RecipeError` for a file that is no grid, or for a field or value that no recipe has, and `CorpusError` for a
    text that isn't there.
    """
    expect(source, dict | str | Path, "a TOML file, or the same as a dict")
    data = source if isinstance(source, dict) else read_toml(Path(source), "a recipe in TOML, a field of which may be a list")
    flat = dict(_flatten(data))
    for name, value in flat.items():
        if name in _OURS:
            _check_words(name, value)
    if "text" not in flat:
        raise RecipeError('a sweep names its text: expected a line such as  text = "warpeace"  with a file or a known corpus')
    for name, value in flat.items():
        if isinstance(value, list) and not value:
            raise RecipeError(f"{name} is an empty list; expected at least one value")
    lists = {name: value for name, value in flat.items() if isinstance(value, list)}
    corpora: dict[tuple[Any, ...], Corpus] = {}
    points = []
    for values in product(*lists.values()):
        varied = dict(zip(lists, values, strict=True))
        points.append(_point({**flat, **varied}, varied, corpora))
    names = [point.name for point in points]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RecipeError(f"two runs of the sweep would be called {twice}; give every value once, and texts different names")
    return points


def _check_words(name: str, value: Any) -> None:
    for each in value if isinstance(value, list) else [value]:
        if not isinstance(each, str) or not each:
            raise RecipeError(f"{name} is a word in quotes, or a list of them, not {each!r}")
        if name == "text" and each == "-":
            raise RecipeError("a sweep can't read its text from standard input ('-'); expected a file or a known corpus")


def _flatten(data: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        if not above and name == "architecture" and not isinstance(value, dict):
            raise RecipeError(f"the architecture is a table, [architecture], with cell, layers and units or size, not {value!r}")
        if not above and isinstance(value, dict) and name != "architecture":
            raise RecipeError(f"{name} is a table; the only table of a grid is [architecture], the other fields stand above it")
        if isinstance(value, dict):
            yield from _flatten(value, f"{above}{name}.")
        else:
            yield above + name, value


def _point(flat: dict[str, Any], varied: dict[str, Any], corpora: dict[tuple[Any, ...], Corpus]) -> Point:
    text, kind, language = (flat.get(name) for name in ("text", "symbols", "language"))
    key = (text, kind, language)
    if key not in corpora:
        corpora[key] = find(str(text), symbols=kind, language=language)
    corpus = corpora[key]
    fields: dict[str, Any] = {"architecture": {}}
    for name, value in flat.items():
        if name not in _OURS:
            table, _, last = name.rpartition(".")
            (fields if not table else fields.setdefault(table, {}))[last] = value
    size = fields["architecture"].pop("size", None)
    made = recipe(flat.get("recipe", "default")).changed(fields)
    if size is not None:
        if "units" in fields["architecture"]:
            raise RecipeError("an architecture has units or a size, from which the units follow, not both; leave one out")
        shape = made.architecture
        matched = Architecture.matched(shape.cell, shape.layers, size, len(corpus.vocabulary))
        made = made.changed({"architecture": matched.to_json()})
    place = text if Path(str(text)).suffix == "" and not Path(str(text)).exists() else str(Path(str(text)).resolve())
    symbols = made.epochs * len(corpus)
    if made.updates:
        symbols = min(symbols, made.updates * made.batch * made.length)
    return Point(_name(varied), str(place), kind, language, made, varied, symbols, corpus.fingerprint)


def _name(varied: dict[str, Any]) -> str:
    """A folder's name: words as they are, numbers with the field they belong to."""
    words = []
    for name, value in varied.items():
        if name == "text":
            words.append(Path(str(value)).stem)
        elif isinstance(value, str):
            words.append(value)
        else:
            words.append(f"{name.rpartition('.')[2].replace('_', '-')}{value}")
    name = re.sub(r"[^\w.=+-]", "-", "_".join(words)).lstrip(".")
    return name if name and name != "sweep.json" else f"run{name}"
