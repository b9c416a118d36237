"""Training: that it learns, and that a run is never lost, damaged unseen, or resumed as something else."""

import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import rnnscope as rs
from rnnscope import files
from rnnscope.exceptions import CorpusError, FormatError, OccupiedError, RecipeError, TrainingError, UsageError
from rnnscope.models.evaluation import mean_nats
from rnnscope.training import trainer
from rnnscope.training.initialisation import first_model
from rnnscope.training.trainer import _Training


def weights(run: rs.Run) -> bytes:
    return (run.path / "model.safetensors").read_bytes()


def test_it_learns(corpus: rs.Corpus, tmp_path: Path) -> None:
    recipe = rs.Recipe(architecture=rs.Architecture("lstm", 1, 24), epochs=20, batch=4, length=50, warmup=2)
    run = rs.train(recipe, corpus, tmp_path / "run")
    before = mean_nats(rs.load(run.path, untrained=True), corpus.split("validation"))
    after = mean_nats(rs.load(run.path), corpus.split("validation"))
    assert before > 3.5
    assert after < 1.5
    assert after == pytest.approx(min(entry["validation_nats"] for entry in run.history), abs=1e-6)


def test_a_run_holds_what_the_design_says_and_no_pickle(run: rs.Run, recipe: rs.Recipe) -> None:
    names = sorted(str(p.relative_to(run.path)) for p in run.path.rglob("*") if p.is_file())
    assert names == ["checkpoint/last.safetensors", "history.jsonl", "model.safetensors", "recipe.toml", "vocabulary.json"]
    assert run.recipe == recipe
    assert [entry["epoch"] for entry in run.history] == [1, 2]
    for path in run.path.rglob("*"):
        assert not path.is_file() or b"\x80\x04\x95" not in path.read_bytes()[:64]


class _StopHereError(Exception):
    pass


@pytest.mark.parametrize("cell", ["lstm", "gru-paper"])
@pytest.mark.parametrize("stop", [1, 20, 45, 46, 60])
def test_a_stopped_training_ends_with_the_same_bits(
    cell: str, stop: int, corpus: rs.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = rs.Recipe(architecture=rs.Architecture(cell, 1, 8), epochs=2, batch=4, length=50, warmup=2)
    whole = rs.train(recipe, corpus, tmp_path / "whole")
    monkeypatch.setattr(trainer, "_CHECKPOINT_SECONDS", -1.0)  # after every update
    update = _Training.update

    def stopping(self: _Training) -> None:
        if self.position.update == stop:
            raise _StopHereError
        update(self)

    with monkeypatch.context() as patch:
        patch.setattr(_Training, "update", stopping)
        with pytest.raises(_StopHereError):
            rs.train(recipe, corpus, tmp_path / "stopped")
    resumed = rs.train(recipe, corpus, tmp_path / "stopped", resume=True)
    assert weights(resumed) == weights(whole)
    strip = [{k: v for k, v in entry.items() if k != "seconds"} for entry in resumed.history]
    assert strip == [{k: v for k, v in entry.items() if k != "seconds"} for entry in whole.history]


def test_a_training_stopped_after_any_of_its_writes_ends_with_the_same_bits(
    run: rs.Run, recipe: rs.Recipe, corpus: rs.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train_until(write: int, folder: Path) -> bool:
        """With no checkpoint inside an epoch. Returns whether there were as many writes."""
        moved, writes = files._flush_folder, [0]

        def stopping(place: Path) -> None:
            moved(place)
            writes[0] += 1
            if writes[0] == write:
                raise _StopHereError

        with monkeypatch.context() as patch:
            patch.setattr(trainer, "_CHECKPOINT_SECONDS", float("inf"))
            patch.setattr(files, "_flush_folder", stopping)
            try:
                rs.train(recipe, corpus, folder)
            except _StopHereError:
                return True
        return False

    write = 1
    while train_until(write, tmp_path / str(write)):
        resumed = rs.train(recipe, corpus, tmp_path / str(write), resume=True)
        assert weights(resumed) == weights(run)
        assert [e["validation_nats"] for e in resumed.history] == [e["validation_nats"] for e in run.history]
        write += 1
    assert write > 2 + 1 + 2 * 3  # recipe, vocabulary; first checkpoint; weights, history, checkpoint of either epoch


def test_a_finished_run_is_returned_as_it_is(run: rs.Run, recipe: rs.Recipe, corpus: rs.Corpus) -> None:
    before = weights(run)
    rs.train(recipe, corpus, run.path, resume=True)
    assert weights(run) == before


def test_a_run_is_not_overwritten(run: rs.Run, recipe: rs.Recipe, corpus: rs.Corpus, tmp_path: Path) -> None:
    with pytest.raises(OccupiedError, match="holds a run already; resume it"):
        rs.train(recipe, corpus, run.path)
    other = rs.Recipe(architecture=recipe.architecture, epochs=3)
    with pytest.raises(OccupiedError, match="holds another run: its batch is 4, not 32"):
        rs.train(other, corpus, run.path, resume=True)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "thesis.doc").touch()
    with pytest.raises(OccupiedError, match="holds something else"):
        rs.train(recipe, corpus, tmp_path / "x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "has 1 symbol; training needs at least 1,000"),
        ("abcdefghij", "has 10 symbols; training needs at least 1,000"),
        ("a" * 5000, "repeats a single symbol"),
    ],
)
def test_texts_that_cannot_be_learned_from(text: str, message: str, recipe: rs.Recipe, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=message):
        rs.train(recipe, rs.Corpus.from_text(text), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("symbols", [1000, 5000])
def test_short_texts_are_trained_on(symbols: int, text: str, tmp_path: Path) -> None:
    run = rs.train(
        rs.Recipe(architecture=rs.Architecture(units=8), epochs=2), rs.Corpus.from_text(text[:symbols]), tmp_path / "run"
    )
    assert np.isfinite(run.history[-1]["validation_nats"])


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("model.safetensors", lambda b: b[: len(b) // 2], "model.safetensors is damaged"),
        ("model.safetensors", lambda b: b[:-1] + bytes([b[-1] ^ 1]), "model.safetensors was altered"),
        ("vocabulary.json", lambda b: b[:20], "vocabulary.json is damaged"),
        ("vocabulary.json", lambda b: b.replace(b" 97,", b""), "vocabulary.json was altered since the training"),
        ("recipe.toml", lambda b: b.replace(b"units = 12", b"units = 13"), "recipe.toml was altered since the training"),
        ("recipe.toml", lambda b: b[:30], "recipe.toml"),
        ("recipe.toml", lambda b: b"", "recipe.toml is damaged"),
        ("vocabulary.json", lambda b: b"[]", "vocabulary.json is damaged"),
        ("vocabulary.json", lambda b: b"{}", r"vocabulary\.json: .* damaged"),
        ("recipe.toml", lambda b: re.sub(rb"fingerprint = .*", b"fingerprint = 5", b), "recipe.toml is damaged .*fingerprint"),
    ],
)
def test_damage_is_named(file: str, damage, message: str, run: rs.Run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    shutil.copytree(run.path, tmp_path / "run")
    path = tmp_path / "run" / file
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FormatError, match=message):
        rs.load(tmp_path / "run")


@pytest.mark.parametrize("content", ["{}\n{}\n", "[]\n", "{"])
def test_a_damaged_history_is_named(content: str, run: rs.Run, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "run")
    (tmp_path / "run" / "history.jsonl").write_text(content)
    with pytest.raises(FormatError, match=r"history\.jsonl is damaged"):
        _ = rs.Run(tmp_path / "run").history


def test_a_damaged_checkpoint_is_named(run: rs.Run, recipe: rs.Recipe, corpus: rs.Corpus, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "run")
    path = tmp_path / "run" / "checkpoint" / "last.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(FormatError, match=r"last\.safetensors is damaged .*; expected a checkpoint"):
        rs.train(recipe, corpus, tmp_path / "run", resume=True)


@pytest.mark.parametrize("lost", ["history.jsonl", "checkpoint/last.safetensors", "model.safetensors"])
def test_a_run_that_lost_a_file_is_not_trained_on_in_silence(
    lost: str, run: rs.Run, recipe: rs.Recipe, corpus: rs.Corpus, tmp_path: Path
) -> None:
    shutil.copytree(run.path, tmp_path / "run")
    (tmp_path / "run" / lost).unlink()
    left = sorted(p.read_bytes() for p in (tmp_path / "run").rglob("*.safetensors"))
    with pytest.raises(FormatError, match=lost.replace(".", r"\.")):
        rs.train(recipe, corpus, tmp_path / "run", resume=True)
    assert sorted(p.read_bytes() for p in (tmp_path / "run").rglob("*.safetensors")) == left


def test_a_run_killed_between_its_first_files_goes_on(run: rs.Run, recipe: rs.Recipe, corpus: rs.Corpus, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    shutil.copy(run.path / "recipe.toml", tmp_path / "run")
    assert weights(rs.train(recipe, corpus, tmp_path / "run", resume=True)) == weights(run)


def test_a_gradient_that_is_no_number_never_reaches_the_weights(
    recipe: rs.Recipe, corpus: rs.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    differentiate = rs.RecurrentLM.differentiate

    def spoiling(self: rs.RecurrentLM, *given: Any, **named: Any) -> Any:
        found = differentiate(self, *given, **named)
        gradient = self.stack[0].weight_hh.grad
        assert gradient is not None
        gradient[0, 0] = math.nan
        return found

    monkeypatch.setattr(rs.RecurrentLM, "differentiate", spoiling)
    with pytest.raises(TrainingError, match="the gradient became nan at update 0"):
        rs.train(recipe, corpus, tmp_path / "run")
    kept = [load_file(path) for path in (tmp_path / "run").rglob("*.safetensors")]
    assert kept
    assert all(value.isfinite().all() for tensors in kept for value in tensors.values())


def test_the_precision_that_was_used_is_written_down(run: rs.Run) -> None:
    assert run.description["computed"]["precision"] in ("float32", "bfloat16")


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"is not a run: it has no recipe\.toml"):
        rs.load(tmp_path)


def test_a_loss_that_is_no_number_stops_with_one_line(corpus: rs.Corpus, tmp_path: Path) -> None:
    recipe = rs.Recipe(
        architecture=rs.Architecture("rnn", 1, 8), epochs=3, batch=4, length=50, learning_rate=1e38, gradient_norm=1e30
    )
    with pytest.raises(TrainingError, match=r"the (loss|gradient) became (nan|inf) at update \d+; .*lower learning rate"):
        rs.train(recipe, corpus, tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs is a whole number of at least 1, not 0"),
        ({"learning_rate": -1.0}, "learning_rate is a number above 0"),
        ({"precision": "float8"}, "precision is one of auto, float32, bfloat16"),
        ({"batch": True}, "batch is a whole number"),
        ({"chrono": 2}, "chrono is 0 or from 3"),
        ({"seed": 2**32}, "a seed is below"),
    ],
)
def test_recipes_that_make_no_sense(change: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        rs.Recipe(**change)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="no cell is called 'lstn'"):
        rs.Architecture("lstn")


def test_recipes_survive_as_data() -> None:
    recipe = rs.Recipe(architecture=rs.Architecture("gru", 3, 5), updates=7)
    assert rs.Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_first_weights_follow_the_seed_and_leave_the_global_one_alone(corpus: rs.Corpus) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    a, b, c = (first_model(rs.Recipe(seed=seed), corpus.vocabulary) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert a.fingerprint == b.fingerprint != c.fingerprint


def test_chrono_spreads_memories(corpus: rs.Corpus) -> None:
    model = first_model(rs.Recipe(architecture=rs.Architecture("lstm", 1, 400), chrono=100), corpus.vocabulary)
    assert isinstance(model, rs.RecurrentLM)
    forget = model.stack[0].bias_ih.view(4, 400)[1].detach()
    assert forget.min() >= 0
    assert np.log(99) - 0.1 < forget.max() <= np.log(99)
    assert torch.equal(model.stack[0].bias_ih.view(4, 400)[0].detach(), -forget)


def test_progress_counts_up_to_the_total(corpus: rs.Corpus, recipe: rs.Recipe, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    rs.train(recipe, corpus, tmp_path / "run", progress=lambda done, total, note="": seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] == seen[0][1]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_threads_are_put_back(corpus: rs.Corpus, recipe: rs.Recipe, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        rs.train(recipe, corpus, tmp_path / "run")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_arguments_of_the_wrong_kind_are_named(recipe: rs.Recipe, corpus: rs.Corpus, tmp_path: Path) -> None:
    wrong: Any = "karpathy2015"
    for call in (
        lambda: rs.train(wrong, corpus, tmp_path / "run"),
        lambda: rs.train(recipe, wrong, tmp_path / "run"),
        lambda: rs.evaluate(wrong, corpus),
        lambda: rs.record(wrong, corpus, tmp_path / "trace"),
    ):
        with pytest.raises(UsageError, match=r"'karpathy2015' is a str; expected a"):
            call()
    assert not list(tmp_path.iterdir())
