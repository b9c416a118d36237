"""`Run`: a trained model with its recipe and history, a folder."""

import json
import tomllib
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import tomli_w

from rnnscope.corpora import Corpus, Vocabulary
from rnnscope.corpora.splits import split_rule
from rnnscope.exceptions import FormatError, RecipeError, RnnscopeError, UsageError, expect, expect_whole
from rnnscope.files import fingerprint, read_json, replacing, write_bytes, write_json, write_text
from rnnscope.models import Network, compiled, fused
from rnnscope.models.architecture import WINDOW
from rnnscope.models.cells import CELLS
from rnnscope.training import snapshots
from rnnscope.training.checkpoint import position_in
from rnnscope.training.initialisation import first_model
from rnnscope.training.processes import chosen_device
from rnnscope.training.recipe import Recipe
from rnnscope.training.snapshots import Snapshot
from rnnscope.training.tensors import read_tensors, write_tensors

MARKER = "recipe.toml"
TO_KEEP = "train with snapshots (rs.Recipe(snapshots=4), on the command line --snapshots 4)"
"""What to do about a run that should keep weights on the way."""
_KNOWN = {"name": str, "symbols": str, "length": int, "fingerprint": str, "split": dict, "language": str, "source": str}


@dataclass(frozen=True)
class Run:
    """A run's folder: `recipe.toml`, `vocabulary.json`, `model.safetensors`, `history.jsonl`, `checkpoint/`, and `snapshots/`
    where the recipe asks for them."""

    path: Path

    @classmethod
    def open(cls, path: str | Path) -> "Run":
        """Raises `FormatError` for a folder that isn't a run."""
        run = cls(Path(path))
        if not (run.path / MARKER).is_file():
            raise FormatError(f"{path} is not a run: it has no {MARKER}; expected the folder that a training wrote")
        return run

    def begin(self, recipe: Recipe, corpus: Corpus) -> None:
        """Write what is known before the training, the marker first, as far as it isn't there."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not (self.path / MARKER).exists():
            write_text(self.path / MARKER, tomli_w.dumps(describe(recipe, corpus)))
        if not (self.path / "vocabulary.json").exists():
            write_json(self.path / "vocabulary.json", corpus.vocabulary.to_json())

    @property
    def description(self) -> dict[str, Any]:
        """The contents of `recipe.toml`: the recipe's fields, and a table `corpus`."""
        path = self.path / MARKER
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise FormatError(f"{path} is damaged ({error}); expected a recipe in TOML; restore it") from error
        known = data.get("corpus")
        if not isinstance(known, dict):
            raise FormatError(f"{path} is damaged (it has no table 'corpus'); expected a recipe in TOML; restore it")
        for name, kind in _KNOWN.items():
            if not isinstance(known.get(name, kind()), kind):
                raise FormatError(f"{path} is damaged (the corpus's {name} is {known[name]!r}); restore it")
        return data

    @property
    def recipe(self) -> Recipe:
        data = self.description
        data.pop("corpus", None)
        data.pop("computed", None)
        try:
            return Recipe.from_json(data)
        except (RecipeError, TypeError) as error:
            raise FormatError(f"{self.path / MARKER} is damaged: {error}") from error

    @property
    def corpus(self) -> dict[str, Any]:
        """What is known of the text it was trained on: `name`, `symbols`, `length`, `fingerprint`, `split`,
        and where there is one `language` and `source`."""
        return dict(self.description.get("corpus", {}))

    @property
    def split(self) -> Any:
        try:
            return split_rule(self.corpus["split"])
        except (RnnscopeError, KeyError, TypeError) as error:
            raise FormatError(f"{self.path / MARKER} is damaged: its split ({error}); restore it") from error

    @property
    def vocabulary(self) -> Vocabulary:
        path = self.path / "vocabulary.json"
        data = read_json(path, "the vocabulary of a run")
        try:
            return Vocabulary.from_json(data)
        except (FormatError, UsageError) as error:
            raise FormatError(f"{path}: {error}") from error

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint" / "last.safetensors"

    @property
    def history(self) -> list[dict[str, Any]]:
        """One entry per epoch: `epoch`, `updates`, `symbols`, `train_nats`, `validation_nats`, `learning_rate`, `seconds`."""
        path = self.path / "history.jsonl"
        if not path.exists():
            return []
        try:
            history = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            history.sort(key=lambda entry: float(entry["epoch"]))
            for entry in history:
                _ = float(entry["validation_nats"]), float(entry["train_nats"]), int(entry["updates"]), float(entry["seconds"])
        except (ValueError, KeyError, TypeError) as error:
            raise FormatError(f"{path} is damaged ({error!r}); expected one JSON object a line, one for each epoch") from error
        return history

    def write_history(self, history: list[dict[str, Any]]) -> None:
        write_text(self.path / "history.jsonl", "".join(json.dumps(entry) + "\n" for entry in history))

    def write_model(self, model: Network) -> None:
        write_tensors(self.path / "model.safetensors", model.state_dict(), self._fingerprints())

    @property
    def snapshots(self) -> list[Snapshot]:
        """The weights that were kept on the way, in order: `update`, `epochs`, `path` of each; `model(at=update)` loads them.

        Raises `FormatError` naming a file among them that isn't one.
        """
        return snapshots.found(self._snapshots)

    @property
    def _snapshots(self) -> Path:
        return self.path / "snapshots"

    def write_snapshot(self, model: Network, update: int, columns: int) -> None:
        """Keep the weights after so many updates, of which an epoch has `columns`."""
        about = self._fingerprints() | snapshots.told(update, columns)
        write_tensors(snapshots.place(self._snapshots, update), model.state_dict(), about)

    @property
    def finished(self) -> bool:
        """Whether its training came to its end."""
        return self.checkpoint.exists() and position_in(self.checkpoint).finished

    def write_half(self, path: Path) -> "Run":
        """A copy without its checkpoint and snapshots, the weights in half precision; `load` reads it as any other."""
        tensors, about = read_tensors(self.path / "model.safetensors", "the weights of a run")
        about.pop("sha256", None)
        with replacing(path) as new:
            new.mkdir()
            for name in (MARKER, "vocabulary.json", "history.jsonl"):
                write_bytes(new / name, (self.path / name).read_bytes())
            write_tensors(new / "model.safetensors", {name: value.half() for name, value in tensors.items()}, about)
        return Run(path)

    def _fingerprints(self) -> dict[str, str]:
        return {MARKER: fingerprint(self.description), "vocabulary.json": self.vocabulary.fingerprint}

    def model(self, *, untrained: bool = False, draw: int = 0, at: int | None = None) -> Network:
        """The network with its best weights, or with the weights that its training began with, or another draw of those, or
        with the weights `at` an update that a snapshot was kept at.

        Raises `FormatError` naming the file that is missing, damaged, or altered since the training, and `UsageError` for an
        update that has no snapshot.
        """
        tensors, about = read_tensors(*self._weights(untrained, at))
        for name, found in self._fingerprints().items():
            if about.get(name) != found:
                raise FormatError(
                    f"{self.path / name} was altered since the training; expected what the weights were trained with; restore it"
                )
        recipe = self.recipe
        model = first_model(replace(recipe, seed=recipe.seed + draw) if untrained else recipe, self.vocabulary)
        model.name = f"{self.path.name} (untrained)" if untrained else self.path.name
        if at is not None:
            model.name = f"{self.path.name} at update {at:,}"
        model.origin = {
            "loader": "run",
            "path": str(self.path.absolute()),
            "options": {"untrained": untrained} | ({"draw": draw} if draw else {}) | ({} if at is None else {"at": int(at)}),
        }
        if not untrained:
            model.load_state_dict(tensors)
        return model.eval()

    def _weights(self, untrained: bool, at: int | None) -> tuple[Path, str]:
        """The file that weights are in, and what it is."""
        if at is None:
            return self.path / "model.safetensors", "the weights of a run"
        expect_whole("the update", at, 0)
        if untrained:
            raise UsageError(f"untrained weights are those before the first update; ask for them, or for those at update {at}")
        kept = {snapshot.update: snapshot.path for snapshot in self.snapshots}
        if at not in kept:
            which = f"there are some at {', '.join(f'{update:,}' for update in kept)}" if kept else "it keeps none; " + TO_KEEP
            raise UsageError(f"{self.path} keeps no weights at update {at!r}; {which}")
        return kept[at], "the weights of a run at an update"


def describe(recipe: Recipe, corpus: Corpus) -> dict[str, Any]:
    """What `recipe.toml` holds."""
    known = {
        "name": corpus.name,
        "symbols": corpus.vocabulary.kind,
        "length": len(corpus),
        "fingerprint": corpus.fingerprint,
        "split": corpus.rule.to_json(),
    }
    optional = {"language": corpus.language, "source": corpus.source}
    computed = {"precision": "bfloat16" if uses_bfloat16(recipe) else "float32", "device": chosen_device(recipe.device).type}
    return {**recipe.to_json(), "computed": computed, "corpus": known | {name: value for name, value in optional.items() if value}}


def uses_bfloat16(recipe: Recipe) -> bool:
    """Whether the matrix products of a training are in bfloat16 on this machine."""
    if recipe.precision != "auto":
        return recipe.precision == "bfloat16"
    cell = recipe.architecture.cell
    return (cell == WINDOW or fused.covers(CELLS[cell])) and fused.has_bfloat16(chosen_device(recipe.device))


def by_our_kernel(recipe: Recipe) -> bool:
    """Whether a training is computed by our kernel, on this machine's processor."""
    return chosen_device(recipe.device).type == "cpu" and compiled.knows(recipe.architecture.cell, reduced=uses_bfloat16(recipe))


def load(path: str | Path, *, untrained: bool = False, draw: int = 0, at: int | None = None) -> Network:
    """The network of a run, with its best weights; `untrained` gives the one that its training began with, `draw` one like it
    with other first weights, `at` the one after so many updates, where the training kept it (`Run.snapshots`).

    Raises `FormatError` for a folder that is no run or that is damaged, `UsageError` for an update that nothing was kept at.
    """
    expect(path, str | PathLike, "the folder of a run")
    return Run.open(path).model(untrained=untrained, draw=draw, at=at)
