"""Interventions as language models: recorded, evaluated, sampled from; what makes no sense is said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rnnscope as rs
from rnnscope.exceptions import UnknownNameError, UsageError
from tests.golden.test_interventions import read


@pytest.fixture
def model(corpus: rs.Corpus) -> rs.RecurrentLM:
    torch.manual_seed(0)
    return rs.RecurrentLM(rs.Architecture("lstm", 2, 8), corpus.vocabulary)


@pytest.fixture
def part(corpus: rs.Corpus) -> rs.Corpus:
    """Several segments of different lengths, so that some leave the batch early."""
    return rs.Corpus("three", corpus.vocabulary, corpus.ids[:900], bounds=np.array([0, 300, 310, 900]))


@pytest.mark.parametrize("to", ["zero", "mean", "resample", 0.5])
def test_the_size_of_a_block_changes_nothing(model: rs.RecurrentLM, part: rs.Corpus, to: Any) -> None:
    held = rs.ablate(model, {"layer0/cell": [1, 2], "layer1/forget": 0}, to=to)
    whole = read(held, part)
    for block in (1, 7, 1000):
        for name, value in read(held, part, block).items():
            np.testing.assert_array_equal(value, whole[name])


def test_segments_side_by_side_are_read_as_each_alone(model: rs.RecurrentLM, part: rs.Corpus) -> None:
    where = np.arange(len(part)) % 5 < 2
    whole = read(rs.ablate(model, {"layer0/cell": [1]}, to=1.0, where=where), part)
    for start, stop in part.spans():
        alone = rs.Corpus("one", part.vocabulary, part.ids[start:stop])
        found = read(rs.ablate(model, {"layer0/cell": [1]}, to=1.0, where=where[start:stop]), alone)
        np.testing.assert_allclose(found["layer1/hidden"], whole["layer1/hidden"][start:stop], rtol=0, atol=1e-6)


def test_a_model_patched_with_its_own_trace_is_the_same(model: rs.RecurrentLM, part: rs.Corpus, tmp_path: Path) -> None:
    trace = rs.record(model, part, tmp_path / "trace")
    again = read(rs.patch(model, {"layer*/cell": None}, trace), part)
    np.testing.assert_allclose(again["log_probs"], read(model, part)["log_probs"], rtol=0, atol=1e-5)


def test_it_is_recorded_and_evaluated_as_any_model(model: rs.RecurrentLM, part: rs.Corpus, tmp_path: Path) -> None:
    held = rs.ablate(model, {"layer1/cell": [3]}, to="mean")
    trace = rs.record(held, part, tmp_path / "trace")
    assert np.ptp(trace["layer1/cell"][:][:, 3]) == 0
    assert trace.model["name"] == f"{model.name}, layer1/cell 3 to mean"
    assert trace.model["fingerprint"] == held.fingerprint != model.fingerprint
    assert rs.evaluate(held, part).nats != rs.evaluate(model, part).nats


def test_the_model_below_stays_as_it_is(model: rs.RecurrentLM, part: rs.Corpus) -> None:
    before, known = read(model, part), model.fingerprint
    read(rs.ablate(model, {"layer0/hidden": None}), part)
    assert model.fingerprint == known
    for name, value in read(model, part).items():
        np.testing.assert_array_equal(value, before[name])


def test_a_text_is_written_under_it(model: rs.RecurrentLM, part: rs.Corpus) -> None:
    plain = rs.sample(model, length=80, seed=1)
    silent = rs.ablate(model, {"layer1/hidden": None})
    written = rs.sample(silent, length=80, seed=1)
    assert plain != written == rs.sample(silent, length=80, seed=1)
    # Nothing reaches the softmax but its bias: every symbol is drawn from the same distribution, whatever came before.
    bias = torch.softmax(model.readout.bias.double(), 0).detach().cumsum(0).numpy()
    draws = np.random.default_rng(1).random(80)
    assert written == model.vocabulary.decode(np.searchsorted(bias, draws * bias[-1], side="right"))
    assert rs.sample(rs.ablate(model, {"layer1/cell": 0}, to="mean", over=part), length=20)
    with pytest.raises(UsageError, match="being written has no mean"):
        rs.sample(rs.ablate(model, {"layer1/cell": 0}, to="mean"), length=2)


@pytest.mark.parametrize(("masked", "patched"), [(True, False), (False, True), (True, True)])
def test_a_text_is_written_under_it_as_it_is_read(part: rs.Corpus, masked: bool, patched: bool) -> None:
    """What is likeliest on reading is what is written; beyond the mask and the recording nothing is set."""
    torch.manual_seed(1)
    model = rs.RecurrentLM(rs.Architecture("lstm", 2, 8), part.vocabulary)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(6)
    mask, recorded = np.arange(50) % 3 == 0, np.random.default_rng(2).normal(size=(40, 8)).astype(np.float32) * 3

    def held(where: Any, values: Any) -> rs.Recurrent:
        if patched:
            return rs.patch(model, {"layer0/cell": None}, {"layer0/cell": values}, where=where)
        return rs.ablate(model, {"layer0/cell": None}, 2.0, where=where)

    written = str(rs.sample(held(mask if masked else None, recorded), "def ", length=60, temperature=0))
    assert written != rs.sample(model, "def ", length=60, temperature=0)
    text = rs.Corpus.from_text("def " + written, vocabulary=model.vocabulary)
    reach = 40 if patched else 50
    where, values = np.zeros(len(text), np.bool_), np.zeros((len(text), 8), np.float32)
    where[:reach], values[:40] = mask[:reach] if masked else True, recorded
    likeliest = np.concatenate([block.arrays["top1/ids"] for block in held(where, values).read(text, ["top1/ids"])])[:, 0]
    assert model.vocabulary.decode(likeliest[3:-1]) == written


def test_fingerprints_tell_interventions_apart(model: rs.RecurrentLM, part: rs.Corpus) -> None:
    mask = np.arange(len(part)) < 5
    held = [
        rs.ablate(model, {"layer1/cell": 0}),
        rs.ablate(model, {"layer1/cell": 1}),
        rs.ablate(model, {"layer0/cell": 0}),
        rs.ablate(model, {"layer1/cell": 0}, to=0.5),
        rs.ablate(model, {"layer1/cell": 0}, to="mean"),
        rs.ablate(model, {"layer1/cell": 0}, to="mean", over=part),
        rs.ablate(model, {"layer1/cell": 0}, to="resample"),
        rs.ablate(model, {"layer1/cell": 0}, to="resample", seed=1),
        rs.ablate(model, {"layer1/cell": 0}, where=mask),
        rs.ablate(model, {"layer1/cell": 0}, where=~mask),
        rs.patch(model, {"layer1/cell": 0}, {"layer1/cell": np.ones((len(part), 8), np.float32)}),
    ]
    assert len({each.fingerprint for each in held}) == len(held)
    assert rs.ablate(model, {"layer1/cell": 0}).fingerprint == held[0].fingerprint


@pytest.mark.parametrize(
    ("units", "to", "error", "words"),
    [
        ({"layer7/cell": 0}, "zero", UnknownNameError, "no signal is called 'layer7/cell'"),
        ({"log_probs": 0}, "zero", UnknownNameError, "no signal is called 'log_probs'"),
        ({"layer1/cell": 8}, "zero", UsageError, "layer1/cell has no unit 8; it has 8, counted from 0"),
        ({"layer1/cell": [-1]}, "zero", UsageError, "no unit -1"),
        ({"layer1/cell": "a"}, "zero", UsageError, "the units of layer1/cell are 'a'"),
        ({"layer1/cell": []}, "zero", UsageError, r"the units of layer1/cell are \[\]"),
        ({"layer1/cell": slice(9, 12)}, "zero", UsageError, "no unit of layer1/cell"),
        ({}, "zero", UsageError, "no unit is named"),
        ("layer1/cell", "zero", UsageError, "expected a dict"),
        ({"layer1/cell": 0}, "median", UsageError, "not 'median'"),
        ({"layer1/cell": 0}, float("nan"), UsageError, "not nan"),
    ],
)
def test_what_makes_no_sense_is_said(model: rs.RecurrentLM, units: Any, to: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        rs.ablate(model, units, to)


def test_places_and_sources_that_do_not_fit_are_named(model: rs.RecurrentLM, part: rs.Corpus) -> None:
    unit: Any = {"layer1/cell": 7}
    with pytest.raises(UsageError, match=r"where has 5 places, .* has 900 symbols"):
        rs.evaluate(rs.ablate(model, unit, where=np.ones(5, bool)), part)
    with pytest.raises(UsageError, match="expected a bool for each symbol"):
        rs.ablate(model, unit, where=[1, 2, 3])
    with pytest.raises(UsageError, match=r"has shape \(900, 4\); expected \(time, unit\) with unit 7"):
        rs.patch(model, unit, {"layer1/cell": np.zeros((900, 4))})
    with pytest.raises(UsageError, match=r"the source has 5 symbols, .* has 900"):
        rs.evaluate(rs.patch(model, unit, {"layer1/cell": np.zeros((5, 8), np.float32)}), part)
