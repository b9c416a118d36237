"""Two processes that train one network, started by torch's own launcher."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import rnnscope as rs

# Writes the loss of every update. With a number, stops before that update, as a cut power line would.
CHILD = """
import json, os, sys
from pathlib import Path
import rnnscope as rs
from rnnscope.training import trainer

text, folder, stop, kind = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
architecture = {"lstm": rs.Architecture("lstm", 2, 16), "window": rs.Architecture("window", units=16, context=4)}[kind]
trainer._CHECKPOINT_SECONDS = -1.0 if stop else 1e9
losses, look, update = [], trainer._Training.look, trainer._Training.update

def noting(self):
    nats, symbols, _ = self.unseen.tolist()
    if symbols:
        losses.append(nats / symbols)
    look(self)

def stopping(self):
    if self.position.update == stop:
        os._exit(0)
    return update(self)

trainer._Training.look = noting
if stop:
    trainer._Training.update = stopping
recipe = rs.Recipe(
    architecture=architecture, batch=5, length=20, updates=50, precision="float32", dropout=0.2, warmup=2
)
rs.train(recipe, rs.Corpus.from_file(text), folder, resume=True)
if os.environ.get("RANK", "0") == "0":
    Path(folder + ".json").write_text(json.dumps(losses))
os._exit(0)  # as the command does: gloo's threads sometimes abort a process that leaves by itself
"""


def launch(processes: int, *arguments: object, cut: bool = False) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    done = subprocess.run(
        [*(launcher if processes > 1 else [sys.executable]), *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=120, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert cut or done.returncode == 0, done.stderr
    return done


@pytest.fixture
def child(text: str, tmp_path: Path) -> Any:
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "text.txt").write_text(text)

    def train(processes: int, name: str, stop: int = 0, kind: str = "lstm") -> list[float]:
        launch(processes, tmp_path / "child.py", tmp_path / "text.txt", tmp_path / name, stop, kind, cut=bool(stop))
        path = tmp_path / f"{name}.json"
        return list(json.loads(path.read_text())) if path.exists() else []

    return train


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lstm", "window"])
def test_two_processes_learn_what_one_learns(kind: str, child: Any, tmp_path: Path) -> None:
    child = partial(child, kind=kind)
    alone, together = child(1, "alone"), child(2, "together")
    assert len(alone) == len(together) == 50
    assert max(abs(a - b) for a, b in zip(alone, together, strict=True)) < 1e-5
    assert alone[-1] < alone[0] - 0.2  # there was something to differ in

    assert child(2, "stopped", stop=23) == []
    after = child(2, "stopped")
    assert len(after) == 50 - 23
    assert after == together[23:]
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("stopped", "together")]
    assert models[0] == models[1]


@pytest.mark.slow
def test_the_command_speaks_once_and_fails_in_one_line(text: str, tmp_path: Path) -> None:
    source, folder = tmp_path / "small.txt", tmp_path / "run"
    source.write_text(text)
    words = ("-m", "rnnscope", "train", source, "--out", folder, "--units", 8, "--updates", 5)
    done = launch(2, *words)
    assert done.stdout.count("nats per symbol") == 1
    assert len(rs.Run.open(folder).history) == 1
    with pytest.raises(AssertionError, match="holds a run already; resume it") as failed:
        launch(2, *words)
    assert str(failed.value).count("rnnscope: ") == 1
