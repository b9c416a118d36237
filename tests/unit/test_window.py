"""The n-NN: what it is made of, that it trains like any network, and that it is a language model like any other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rnnscope as rs
from rnnscope.corpora.batches import Streams
from rnnscope.exceptions import RecipeError, UsageError
from rnnscope.sweeps.grid import read_grid
from rnnscope.testing import check_language_model
from rnnscope.training import trainer
from rnnscope.training.checkpoint import load_checkpoint
from rnnscope.training.initialisation import first_model
from rnnscope.training.optimisation import optimiser_for
from rnnscope.training.trainer import _Training

SIX = rs.Architecture("window", units=9, context=6)


def recipe_of(architecture: rs.Architecture = SIX, **changes: Any) -> rs.Recipe:
    return rs.Recipe(architecture=architecture, epochs=2, batch=4, length=50, warmup=2, **changes)


def network(context: int = 6, symbols: str = "abcdefg") -> rs.WindowLM:
    torch.manual_seed(context)
    model = rs.WindowLM(rs.Architecture("window", units=9, context=context), rs.Vocabulary.of(symbols))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.9, 0.9)
    return model


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cell": "window"}, "a window needs its context, how many symbols it holds; give one"),
        ({"cell": "window", "context": 0}, "context is a whole number from 1 to 1,000, not 0"),
        ({"cell": "window", "context": 1001}, "context is a whole number from 1 to 1,000, not 1001"),
        ({"cell": "window", "context": True}, "context is a whole number from 1 to 1,000, not True"),
        ({"cell": "window", "context": 2.0}, r"context is a whole number from 1 to 1,000, not 2\.0"),
        ({"cell": "window", "context": 2, "layers": 2}, "a window has 1 layer, not 2; leave the layers out"),
        ({"cell": "window", "context": 2, "units": 0}, "units is a whole number of at least 1, not 0"),
        ({"context": 2}, r"context \(2\) is how many symbols a window holds; the cell 'lstm' has none; leave it out"),
        ({"cell": "windows"}, "no cell is called 'windows'; known are: lstm, gru, gru-paper, rnn, window"),
    ],
)
def test_windows_that_make_no_sense(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        rs.Architecture(**fields)


def test_a_window_has_units_and_no_size(corpus: rs.Corpus, text: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"a window has no size \(128\), which compares recurrent networks; give its units"):
        rs.Architecture.matched("window", 1, 128, symbols=87)
    (tmp_path / "small.py").write_text(text)
    grid = {"text": str(tmp_path / "small.py"), "architecture": {"cell": "window", "context": [1, 6], "units": [8, 16]}}
    points = read_grid(grid)
    assert [point.name for point in points] == ["context1_units8", "context1_units16", "context6_units8", "context6_units16"]
    assert points[3].recipe.architecture == rs.Architecture("window", units=16, context=6)
    with pytest.raises(RecipeError, match="a window has no size"):
        read_grid({**grid, "architecture": {"cell": "window", "context": 2, "size": 64}})


def test_each_class_is_made_of_its_own_architecture() -> None:
    vocabulary = rs.Vocabulary.of("abc")
    with pytest.raises(UsageError, match=r"a WindowLM is made of a window, such as .* not of Architecture"):
        rs.WindowLM(rs.Architecture("lstm"), vocabulary)
    with pytest.raises(UsageError, match="a RecurrentLM is made of one of the cells lstm, gru, gru-paper, rnn, not of"):
        rs.RecurrentLM(SIX, vocabulary)


def test_an_architecture_travels_as_plain_data() -> None:
    assert SIX.to_json() == {"cell": "window", "layers": 1, "units": 9, "context": 6}
    assert rs.Architecture("gru", 2, 9).to_json() == {"cell": "gru", "layers": 2, "units": 9}
    for architecture in (SIX, rs.Architecture("gru", 2, 9)):
        recipe = rs.Recipe(architecture=architecture)
        assert rs.Recipe.from_json(recipe.to_json()) == recipe
    assert str(SIX) == "6-NN 9"


@pytest.mark.parametrize("context", [1, 6])
def test_parameters_are_counted(context: int) -> None:
    model = network(context)
    assert model.parameter_count() == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("context", [1, 2, 6, 60])
def test_it_is_a_language_model(context: int) -> None:
    check_language_model(network(context))


@pytest.mark.parametrize("context", [1, 6])
def test_a_value_depends_on_the_window_alone(context: int) -> None:
    """And has the same bits wherever the window stands."""
    model = network(context)
    ids = torch.randint(0, 7, (40, 1))
    hidden = model.advance(ids, model.begin(1))[0]["layer0/hidden"]
    others = torch.cat([torch.randint(0, 7, (13, 1)), ids[-context:]])
    assert torch.equal(model.advance(others, model.begin(1))[0]["layer0/hidden"][-1], hidden[-1])
    others[-context] = (others[-context] + 1) % 7
    assert not torch.equal(model.advance(others, model.begin(1))[0]["layer0/hidden"][-1], hidden[-1])


@pytest.mark.parametrize("wrong", [-1, 7])
def test_numbers_that_are_no_symbols(wrong: int) -> None:
    with pytest.raises(UsageError, match="6-NN 9 has symbols 0 to 6, and was given"):
        network()(torch.tensor([[0], [wrong], [3]]))


def test_missing_symbols_add_nothing() -> None:
    """The first symbol of a segment is read as a window of one symbol would."""
    long, short = network(6), network(1)
    with torch.no_grad():
        short.weight.copy_(long.weight[:1])
        short.bias.copy_(long.bias)
    ids = torch.arange(7)[None]
    a, b = (model.advance(ids, model.begin(7))[0]["layer0/hidden"] for model in (long, short))
    assert torch.equal(a, b)


def test_training_begins_from_the_recipe_and_learns(corpus: rs.Corpus, tmp_path: Path) -> None:
    model = first_model(recipe_of(initial_range=0.08), corpus.vocabulary)
    assert isinstance(model, rs.WindowLM)
    assert max(float(p.detach().abs().max()) for p in model.parameters()) <= 0.08
    recipe = rs.Recipe(architecture=rs.Architecture("window", units=32, context=8), epochs=10, batch=4, length=50, warmup=2)
    run = rs.train(recipe, corpus, tmp_path / "run")
    loaded = rs.load(run.path)
    assert isinstance(loaded, rs.WindowLM)
    assert run.recipe == recipe
    assert rs.evaluate(rs.load(run.path, untrained=True), corpus.split("test")).nats > 3.5
    assert rs.evaluate(loaded, corpus.split("test")).nats < 1.0
    half = run.write_half(tmp_path / "half").model()
    assert rs.evaluate(half, corpus.split("test")).nats < 1.0


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("stop", [1, 45, 46, 60])
def test_a_stopped_training_ends_with_the_same_bits(
    precision: Any, stop: int, corpus: rs.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = recipe_of(precision=precision, dropout=0.1)
    whole = rs.train(recipe, corpus, tmp_path / "whole")
    monkeypatch.setattr(trainer, "_CHECKPOINT_SECONDS", -1.0)  # after every update
    update = _Training.update

    def stopping(self: _Training) -> bool:
        if self.position.update == stop:
            raise KeyboardInterrupt
        return update(self)

    with monkeypatch.context() as patch:
        patch.setattr(_Training, "update", stopping)
        with pytest.raises(KeyboardInterrupt):
            rs.train(recipe, corpus, tmp_path / "stopped")
    model = first_model(recipe, corpus.vocabulary)
    state, _ = load_checkpoint(tmp_path / "stopped" / "checkpoint" / "last.safetensors", model, optimiser_for(recipe, model))
    assert state["window"].dtype == torch.int64
    resumed = rs.train(recipe, corpus, tmp_path / "stopped", resume=True)
    first, second = ((run.path / "model.safetensors").read_bytes() for run in (whole, resumed))
    assert first == second


def test_the_window_reaches_back_over_columns(corpus: rs.Corpus, tmp_path: Path) -> None:
    """The state of a training is the end of the column before."""
    seen: list[np.ndarray[Any, Any]] = []

    class Noting(_Training):
        def update(self) -> bool:
            due = super().update()
            seen.append(self.state["window"].numpy().copy())
            return due

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "_Training", Noting)
        rs.train(recipe_of(), corpus, tmp_path / "run")
    streams = Streams.of(corpus.split("train"), 4, 50)
    for column in (0, 1, 10):
        assert np.array_equal(seen[column], streams.column(column)[0][-6:].T)


def test_sampling_sees_the_prompt_and_what_it_wrote() -> None:
    model = network(3)
    text = rs.sample(model, "abc", length=30, temperature=0)
    assert isinstance(text, str)
    ids = torch.from_numpy(model.vocabulary.encode("abc" + text).astype(np.int64))[:, None]
    likeliest = model.advance(ids, model.begin(1))[0]["logits"].argmax(-1)[2:-1, 0]
    assert model.vocabulary.decode(likeliest.tolist()) == text
    assert rs.sample(model, "ab", length=20, seed=1) == rs.sample(model, "ab", length=20, seed=1)


def test_it_is_recorded_scored_and_read_again_with_the_same_bits(corpus: rs.Corpus, tmp_path: Path) -> None:
    run = rs.train(recipe_of(), corpus, tmp_path / "run")
    text = corpus.split("all").head(4000)
    whole = rs.record(rs.load(run.path), text, tmp_path / "whole", ["layer0/*", "log_prob", "top3"])
    kept = rs.record(rs.load(run.path), text, tmp_path / "kept", ["log_prob"])
    for name in ("layer0/hidden", "top3/ids"):
        assert np.array_equal(whole[name][700:1900], kept[name][700:1900])
    table = rs.score(whole, [h for h in rs.hypotheses() if h.name in ("newline", "double_quotes")])
    assert set(table["signal"]) == {"layer0/hidden"}
    assert len(table) == 2 * 9
