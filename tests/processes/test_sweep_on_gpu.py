"""How a sweep shares a GPU, with a processor in its place: what only a GPU can show stands in unit/test_gpu.py."""

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

import rnnscope as rs
from rnnscope.sweeps import gpu
from rnnscope.sweeps.grid import read_grid

GRID = {
    "batch": 4, "length": 50, "epochs": 1, "device": "cpu", "gradient_norm": 1e30, "warmup": 0, "learning_rate": [0.01, 1e38],
    "architecture": {"cell": ["lstm", "rnn"], "units": [6, 8]},
}  # fmt: skip


@pytest.fixture
def no_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "Stream", lambda **_: None)
    monkeypatch.setattr(torch.cuda, "stream", lambda _: nullcontext())


@pytest.mark.usefixtures("no_streams")
def test_every_run_is_trained_or_says_why_not(text: str, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(text)
    points = read_grid({"text": str(path), **GRID})
    found = {
        point.name: problem for point, problem in gpu.train_on_gpu(points, tmp_path / "runs", workers=3, glance=lambda _: None)
    }
    assert set(found) == {point.name for point in points}
    for name, problem in found.items():
        assert ("train with a lower learning rate" in problem) == ("1e+38" in name), problem
        assert rs.Run.open(tmp_path / "runs" / name).finished == ("1e+38" not in name)


@pytest.mark.usefixtures("no_streams")
def test_who_stops_looking_stops_the_runs_and_they_can_go_on(text: str, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(text)
    points = read_grid({"text": str(path), **GRID, "learning_rate": 0.01, "epochs": 400})

    def enough(_: int) -> None:
        if any((tmp_path / "runs" / point.name / "model.safetensors").exists() for point in points):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(gpu.train_on_gpu(points, tmp_path / "runs", workers=2, glance=enough))
    runs = [rs.Run(tmp_path / "runs" / point.name) for point in points]
    assert any(run.checkpoint.exists() for run in runs)
    assert not any(run.checkpoint.exists() and run.finished for run in runs)


def test_a_sweep_for_a_processor_is_left_to_processes(text: str, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(text)
    assert not gpu.all_on_gpu(read_grid({"text": str(path), **GRID}))
    assert not gpu.all_on_gpu([])
