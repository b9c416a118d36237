"""What only a GPU can show; without one these are passed over."""

import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import rnnscope as rs
from rnnscope.models import arrivals, captured
from rnnscope.models.evaluation import mean_nats
from rnnscope.training.recipe import Precision

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")

CELLS = ["lstm", "gru", "gru-paper", "rnn"]
TEXT = "".join(f"{k} times {k} is {k * k}, and so on.\n" for k in range(600))


def small(cell: str, precision: Precision) -> rs.Recipe:
    shape = rs.Architecture("window", units=32, context=3) if cell == "window" else rs.Architecture(cell, 2, 32)
    return rs.Recipe(architecture=shape, epochs=2, batch=8, length=50, device="cuda", precision=precision)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("cell", [*CELLS, "window"])
def test_replayed_updates_are_those_of_kernels_launched_one_by_one(
    cell: str, precision: Precision, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = rs.Corpus.from_text(TEXT)
    recipe = small(cell, precision)
    replayed = rs.train(recipe, text, tmp_path / "replayed")
    monkeypatch.setattr(captured, "_WARM", 10**9)
    one_by_one = rs.train(recipe, text, tmp_path / "one by one")
    for a, b in zip(replayed.history, one_by_one.history, strict=True):
        assert a["train_nats"] == pytest.approx(b["train_nats"], rel=2e-3)
        assert a["validation_nats"] == pytest.approx(b["validation_nats"], rel=2e-3)


@pytest.mark.parametrize("cell", CELLS)
def test_a_gpu_learns_what_a_processor_learns(cell: str, tmp_path: Path) -> None:
    text = rs.Corpus.from_text(TEXT)
    recipe = small(cell, "float32")
    on_gpu = rs.train(recipe, text, tmp_path / "gpu")
    on_cpu = rs.train(replace(recipe, device="cpu"), text, tmp_path / "cpu")
    assert on_gpu.history[-1]["validation_nats"] == pytest.approx(on_cpu.history[-1]["validation_nats"], rel=0.02)


@pytest.mark.parametrize("cell", CELLS)
def test_what_a_gpu_records_is_what_the_equations_give(cell: str) -> None:
    torch.manual_seed(0)
    text = rs.Corpus.from_text(TEXT)
    model = rs.RecurrentLM(rs.Architecture(cell, 2, 64), text.vocabulary)
    names = [s.name for s in model.signals]
    expected = {name: np.concatenate([b.arrays[name] for b in model.read(text, names)]) for name in names}
    nats = mean_nats(model, text)
    model = model.to("cuda")
    assert max(model.verify(text.head(2_000)).values()) < 1e-4
    found = {name: np.concatenate([b.arrays[name] for b in model.read(text, names)]) for name in names}
    for name in names:
        np.testing.assert_allclose(found[name], expected[name], atol=2e-4, rtol=2e-4)
    assert mean_nats(model, text) == pytest.approx(nats, rel=1e-5)


def test_values_of_a_gpu_stay_what_they_are_while_it_reads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    text = rs.Corpus.from_text(TEXT)
    model = rs.RecurrentLM(rs.Architecture("lstm", 2, 64), text.vocabulary).to("cuda")
    names = [s.name for s in model.signals]
    at_once, kept = [], []
    for block in model.read(text, names):
        at_once.append({name: value.copy() for name, value in block.arrays.items()})
        kept.append(block.arrays)
    monkeypatch.setattr(arrivals, "_MOST", 10_000)  # the rest goes into other memory
    elsewhere = [block.arrays for block in model.read(text, names)]
    for a, b, c in zip(at_once, kept, elsewhere, strict=True):
        for name in names:
            np.testing.assert_array_equal(b[name], a[name])
            np.testing.assert_array_equal(c[name], a[name])
    del kept, elsewhere, block, b, c
    gc.collect()
    assert not arrivals._held


def test_a_network_that_was_moved_or_changed_is_read_anew() -> None:
    text = rs.Corpus.from_text(TEXT)
    model = rs.RecurrentLM(rs.Architecture("lstm", 1, 32), text.vocabulary).to("cuda")
    before = mean_nats(model, text)
    with torch.no_grad():
        model.readout.weight.mul_(3)
    changed = mean_nats(model, text)
    assert changed != pytest.approx(before, rel=1e-6)
    assert mean_nats(model.cpu(), text) == pytest.approx(changed, rel=1e-5)
    assert mean_nats(model.to("cuda"), text) == pytest.approx(changed, rel=1e-5)


def test_a_sweep_trains_side_by_side_on_a_gpu(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    grid = {
        "text": str(path), "device": "cuda", "epochs": 2, "batch": 8, "length": 50,
        "architecture": {"cell": ["lstm", "gru-paper", "rnn"], "units": [16, 32]},
    }  # fmt: skip
    table = rs.sweep(grid, tmp_path / "sweep", workers=6)
    assert list(table["problem"]) == [""] * 6
    assert (table["validation_nats"] < 3).all()
    again = rs.sweep(grid, tmp_path / "sweep", workers=6, resume=True)
    assert list(again["validation_nats"]) == list(table["validation_nats"])
