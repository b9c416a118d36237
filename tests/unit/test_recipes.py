"""What a recipe asks for is what is done: widths, first weights, rates, bounds, dropout, the end."""

import math
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch

import rnnscope as rs
from rnnscope.exceptions import OccupiedError, RecipeError, TrainingError, UnknownNameError
from rnnscope.files import locked
from rnnscope.models.threads import computing
from rnnscope.native import recurrent as native
from rnnscope.training import find_recipe, optimisation, trainer
from rnnscope.training.dropout import Dropout
from rnnscope.training.initialisation import first_model
from rnnscope.training.optimisation import bound_gradients, descend, learning_rate, optimiser_for
from rnnscope.training.trainer import _Training, divided

# PAPER section 2: rows are sizes 64 to 512, columns 1 to 3 layers.
WIDTHS = {
    (87, "lstm"): [(64, 45, 37), (128, 84, 68), (256, 159, 126), (512, 308, 241)],
    (87, "rnn"): [(141, 96, 78), (273, 174, 139), (531, 325, 257), (1045, 623, 487)],
    (87, "gru-paper"): [(77, 53, 44), (151, 98, 79), (300, 185, 146), (596, 357, 280)],
    (101, "lstm"): [(64, 46, 38), (128, 85, 69), (256, 161, 128), (512, 310, 243)],
    (101, "rnn"): [(142, 98, 81), (274, 178, 143), (534, 329, 260), (1048, 628, 492)],
    (101, "gru-paper"): [(77, 54, 45), (152, 100, 81), (300, 187, 149), (596, 359, 282)],
}


@pytest.mark.parametrize(("symbols", "cell"), list(WIDTHS))
def test_widths_are_those_of_the_paper(symbols: int, cell: str) -> None:
    found = [
        tuple(rs.Architecture.matched(cell, layers, size, symbols).units for layers in (1, 2, 3)) for size in (64, 128, 256, 512)
    ]
    assert found == WIDTHS[symbols, cell]


@pytest.mark.parametrize("cell", ["lstm", "gru", "gru-paper", "rnn"])
@pytest.mark.parametrize("layers", [1, 3])
def test_parameters_are_counted_as_torch_counts_them(cell: str, layers: int, corpus: rs.Corpus) -> None:
    model = rs.RecurrentLM(rs.Architecture(cell, layers, 7), corpus.vocabulary)
    assert model.parameter_count() == sum(p.numel() for p in model.parameters())


def test_the_papers_rate_falls_after_every_epoch_from_the_tenth_on() -> None:
    recipe = rs.recipe("karpathy2015")
    rates = [learning_rate(recipe, 260 * epoch, 13_000, epoch) for epoch in range(50)]
    assert rates[:10] == [2e-3] * 10
    assert rates[10:13] == pytest.approx([2e-3 * 0.95, 2e-3 * 0.95**2, 2e-3 * 0.95**3], rel=1e-12)
    assert rates[-1] == pytest.approx(2e-3 * 0.95**40, rel=1e-12)


def test_the_papers_first_weights(corpus: rs.Corpus) -> None:
    recipe = rs.recipe("karpathy2015")
    model = first_model(recipe, corpus.vocabulary)
    values = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert values.abs().max() <= 0.08
    assert values.std() == pytest.approx(0.16 / math.sqrt(12), rel=0.02)
    assert values.mean().abs() < 1e-3


@pytest.mark.parametrize(("cell", "block", "sign"), [("lstm", 1, 1), ("gru", 1, 1), ("gru-paper", 1, -1)])
def test_the_forget_bias_is_added_where_the_state_is_kept(cell: str, block: int, sign: int, corpus: rs.Corpus) -> None:
    plain = rs.recipe("karpathy2015", architecture=rs.Architecture(cell, 2, 6))
    raised = rs.recipe("karpathy2015", architecture=plain.architecture, forget_bias=1.5)
    low, high = (first_model(each, corpus.vocabulary) for each in (plain, raised))
    assert isinstance(low, rs.RecurrentLM)
    assert isinstance(high, rs.RecurrentLM)
    for a, b in zip(low.stack, high.stack, strict=True):
        moved = (b.bias_ih - a.bias_ih).detach().view(-1, 6)
        torch.testing.assert_close(moved[block], torch.full((6,), 1.5 * sign), rtol=0, atol=1e-6)
        moved[block] = 0
        assert not moved.any()
        assert torch.equal(a.weight_hh, b.weight_hh)


def test_gradients_are_clamped_element_by_element() -> None:
    parameter = torch.nn.Parameter(torch.zeros(3))
    parameter.grad = torch.tensor([-9.0, 2.0, 7.0])
    norm = bound_gradients(rs.recipe("karpathy2015"), [parameter])
    assert parameter.grad.tolist() == [-5.0, 2.0, 5.0]
    assert float(norm) == pytest.approx(math.sqrt(81 + 4 + 49))
    parameter.grad = torch.tensor([3.0, 0.0, 4.0])
    bound_gradients(rs.Recipe(gradient_norm=1.0), [parameter])
    assert parameter.grad.tolist() == pytest.approx([0.6, 0.0, 0.8], abs=1e-6)


def test_rmsprop_by_hand() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    start = float(layer.weight.detach())
    optimiser = optimiser_for(rs.recipe("karpathy2015"), layer)
    optimiser.param_groups[0]["lr"] = 2e-3
    square, expected = 0.0, start
    for gradient in (0.5, -1.0, 0.25):
        layer.weight.grad = torch.full((1, 1), gradient)
        descend(rs.recipe("karpathy2015"), optimiser, list(layer.parameters()))
        square = 0.95 * square + 0.05 * gradient**2
        expected -= 2e-3 * gradient / (math.sqrt(square) + 1e-8)
    assert float(layer.weight.detach()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "recipe",
    [
        rs.Recipe(),
        rs.Recipe(gradient_clamp=0.5, gradient_norm=0.0),
        rs.Recipe(gradient_clamp=0.5, gradient_norm=0.3),
        rs.recipe("karpathy2015"),
        rs.Recipe(optimiser="rmsprop", gradient_norm=0.7),
    ],
)
def test_one_pass_over_the_weights_does_what_torchs_optimisers_do(recipe: rs.Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    one_pass = Mock(wraps=native.descend)
    monkeypatch.setattr(native, "descend", one_pass)
    monkeypatch.setattr(optimisation, "_ALONE", 2**13)  # so that threads share it

    def moved() -> list[torch.Tensor]:
        torch.manual_seed(1)
        layer = torch.nn.Linear(70, 1000)  # more than are summed at once, and more than a vector's multiple
        optimiser = optimiser_for(recipe, layer)
        optimiser.param_groups[0]["lr"] = 1e-2
        norms = []
        for _ in range(4):
            for weights in layer.parameters():
                weights.grad = torch.randn_like(weights)
            norms.append(descend(recipe, optimiser, list(layer.parameters())))
        kept = [value for weights in layer.parameters() for _, value in sorted(optimiser.state[weights].items())]
        return [*norms, *(weights.detach() for weights in layer.parameters()), *kept]

    with computing(3, by_kernel=True):
        found = moved()
    assert one_pass.call_count == 4 * (3 + 1)
    monkeypatch.setattr(native, "PATH", None)
    for ours, theirs in zip(found, moved(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=1e-7)


def test_dropout_depends_on_seed_and_update_alone_and_keeps_the_mean() -> None:
    cpu = torch.device("cpu")
    x = torch.ones(50, 8, 40)
    drop = Dropout(0.25, 7, 8, slice(0, 8), cpu)
    drop.begin(3)
    first = drop(x)
    drop(x)
    drop.begin(3)
    assert torch.equal(drop(x), first)
    drop.begin(4)
    assert not torch.equal(drop(x), first)
    assert sorted(set(first.flatten().tolist())) == pytest.approx([0.0, 1 / 0.75])
    assert float(first.mean()) == pytest.approx(1.0, abs=0.02)
    half = Dropout(0.25, 7, 8, slice(4, 8), cpu)  # another process's share of the same streams
    half.begin(3)
    assert torch.equal(half(x[:, 4:]), first[:, 4:])


def test_dropout_stands_between_layers_and_before_the_softmax_not_at_the_input(corpus: rs.Corpus) -> None:
    model = rs.RecurrentLM(rs.Architecture("lstm", 3, 5), corpus.vocabulary)
    seen: list[torch.Tensor] = []

    def between(x: torch.Tensor) -> torch.Tensor:
        seen.append(x)
        return torch.zeros_like(x)

    logits, state = model(torch.zeros(4, 2, dtype=torch.int64), between=between)
    assert [tuple(x.shape) for x in seen] == [(4, 2, 5)] * 3
    assert torch.equal(seen[0][-1], state["layer0/hidden"])  # what layer 0 carries along is not dropped
    assert torch.allclose(logits, model.readout.bias.expand_as(logits))


@pytest.mark.parametrize("cell", ["lstm", "gru-paper", "rnn"])
def test_every_part_of_the_papers_protocol_resumes_bit_for_bit(
    cell: str, corpus: rs.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = rs.recipe(
        "karpathy2015", architecture=rs.Architecture(cell, 2, 8), epochs=12, batch=4, length=50, dropout=0.3, decay_after=2
    )
    monkeypatch.setattr(trainer, "_CHECKPOINT_SECONDS", -1.0)
    whole = rs.train(recipe, corpus, tmp_path / "whole")
    update, turns = _Training.update, [0]

    def stopping(self: _Training) -> bool:
        turns[0] += 1
        if turns[0] % 37 == 0:
            raise KeyboardInterrupt
        return update(self)

    monkeypatch.setattr(_Training, "update", stopping)
    stops = 0
    while True:
        try:
            stopped = rs.train(recipe, corpus, tmp_path / "stopped", resume=True)
            break
        except KeyboardInterrupt:
            stops += 1
    assert stops >= 5
    assert (stopped.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()


def test_patience_ends_a_training_and_the_best_weights_stay(corpus: rs.Corpus, tmp_path: Path) -> None:
    recipe = rs.Recipe(
        architecture=rs.Architecture("lstm", 1, 48), epochs=200, patience=3, batch=4, length=50, schedule="exponential", decay=1.0
    )
    run = rs.train(recipe, corpus, tmp_path / "run")
    losses = [entry["validation_nats"] for entry in run.history]
    best = losses.index(min(losses))
    assert len(losses) == best + 4 < 200
    assert rs.evaluate(rs.load(run.path), corpus.split("validation")).nats == pytest.approx(losses[best], abs=1e-6)
    assert rs.train(recipe, corpus, tmp_path / "run", resume=True).history == run.history


def test_streams_cut_a_text_unless_it_is_cut_so_already(corpus: rs.Corpus) -> None:
    recipe = rs.recipe("karpathy2015", batch=5, length=20)
    assert divided(corpus, recipe).rule == rs.StreamSplit(0.8, 0.1, 5, 20)
    assert divided(corpus, rs.Recipe()) is corpus
    own = corpus.ruled(rs.StreamSplit(0.9, 0.05, 4, 10))
    assert divided(own, recipe) is own


def test_a_run_knows_the_split_that_its_recipe_made(corpus: rs.Corpus, tmp_path: Path) -> None:
    recipe = rs.recipe("karpathy2015", architecture=rs.Architecture("rnn", 1, 4), epochs=1, batch=5, length=20)
    run = rs.train(recipe, corpus, tmp_path / "run")
    assert run.split == rs.StreamSplit(0.8, 0.1, 5, 20)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dropout": 1.0}, "dropout is a number of at least 0 and below 1, not 1.0"),
        ({"decay": 0}, "decay is a number above 0 and at most 1, not 0"),
        ({"optimiser": "sgd"}, "optimiser is one of adam, rmsprop, not 'sgd'"),
        ({"schedule": "linear"}, "schedule is one of"),
        ({"split": "random"}, "split is one of"),
        ({"forget_bias": 1.0}, "chrono .* and forget_bias .* choose one"),
        ({"forget_bias": float("nan"), "chrono": 0}, "forget_bias is a number that is finite"),
        ({"gradient_clamp": -1}, "gradient_clamp is a number of at least 0"),
        ({"initial_range": "wide"}, "initial_range is a number"),
        ({"patience": -1}, "patience is a whole number"),
    ],
)
def test_fields_that_make_no_sense(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        rs.Recipe(**change)


def test_recipes_by_name_and_from_files(tmp_path: Path, run: rs.Run) -> None:
    assert set(rs.recipes()) == {"default", "karpathy2015"}
    with pytest.raises(UnknownNameError, match="did you mean karpathy2015"):
        rs.recipe("karpathy")
    with pytest.raises(RecipeError, match="a recipe has: architecture, split"):
        rs.recipe("default", layers=3)
    path = tmp_path / "mine.toml"
    path.write_text('recipe = "karpathy2015"\nepochs = 3\n[architecture]\nlayers = 2\n')
    assert find_recipe(path) == rs.recipe("karpathy2015", epochs=3, architecture=rs.Architecture("lstm", 2, 128))
    assert find_recipe(run.path / "recipe.toml") == run.recipe
    with pytest.raises(RecipeError, match=r"there is no file .*nothing\.toml; expected a recipe in TOML, or the name of one"):
        find_recipe(tmp_path / "nothing.toml")
    path.write_text("epochs = = 3")
    with pytest.raises(RecipeError, match="is not TOML"):
        find_recipe(path)


def test_two_trainings_do_not_share_a_folder(corpus: rs.Corpus, recipe: rs.Recipe, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with locked(folder, "a training"), pytest.raises(OccupiedError, match=r"a training goes on in .*run already"):
        rs.train(recipe, corpus, folder)
    rs.train(recipe, corpus, folder)  # the lock went with its holder


def test_a_lack_of_memory_is_one_line(
    corpus: rs.Corpus, recipe: rs.Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = _Training.update

    def starving(self: _Training) -> bool:
        if self.position.epoch == 1:
            torch.empty(2**46)
        return update(self)

    with monkeypatch.context() as patch:
        patch.setattr(_Training, "update", starving)
        with pytest.raises(TrainingError, match=r"the memory of this machine doesn't suffice; the last good checkpoint is .*last"):
            rs.train(recipe, corpus, tmp_path / "run")
    rs.train(recipe, corpus, tmp_path / "run", resume=True)


def test_evaluation_by_hand(model: rs.RecurrentLM, corpus: rs.Corpus) -> None:
    part = corpus.ruled(rs.StreamSplit(0.6, 0.2, 4, 100)).split("test")
    found = rs.evaluate(model, part)
    assert found.symbols == len(part)  # every segment has a known successor
    total = []
    for start, stop in part.spans():
        ids = torch.from_numpy(part.ids[start:stop].astype(np.int64))[:, None]
        logits, _ = model(ids)
        after = torch.from_numpy(part.next_ids()[start:stop])
        total.append(torch.nn.functional.cross_entropy(logits[:, 0], after, reduction="none").detach())
    surprise = torch.cat(total).double()
    assert found.nats == pytest.approx(float(surprise.mean()), abs=1e-6)
    assert found.bits == pytest.approx(found.nats / math.log(2))
    # A bootstrap of the mean comes to the standard error; 100 samples know it to about 7 %.
    assert found.deviation == pytest.approx(float(surprise.std()) / math.sqrt(len(surprise)), rel=0.3)
    assert rs.evaluate(model, part) == found


def test_weights_that_lie_otherwise_in_memory_are_updated_alike() -> None:
    torch.manual_seed(0)
    start, recipe = torch.randn(3, 5), rs.recipe("karpathy2015")
    found = []
    for weights in (torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.T.contiguous().T)):
        layer = torch.nn.Module()
        layer.register_parameter("weight", weights)
        optimiser = optimiser_for(recipe, layer)
        optimiser.param_groups[0]["lr"] = 1e-2
        for _ in range(3):
            weights.grad = (weights.detach() * 2).clamp(-1)
            descend(recipe, optimiser, [weights])
        found.append(weights.detach())
    torch.testing.assert_close(found[1], found[0])
