"""SIGKILL, again and again: a training loses nothing, and ends with the bits of one that was never stopped.

Set RNNSCOPE_KILLS to kill more often than the short version does (for example 40).
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rnnscope as rs

KILLS = int(os.environ.get("RNNSCOPE_KILLS", "8"))

# Trains with a checkpoint after every update. If told a stage and a number, it kills itself at that stage of that write:
# `half` while the new file is half written, `written` before it is moved into place, `moved` just after.
CHILD = """
import os, signal, sys
from pathlib import Path
import rnnscope as rs
from rnnscope import files
from rnnscope.training import trainer

text, folder, stage, at = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
trainer._CHECKPOINT_SECONDS = -1.0
count = 0

def die_at(this):
    global count
    if this == stage:
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

def write_bytes(path, data):
    with files.replacing(path) as new:
        with new.open("wb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            die_at("half")
            file.write(data[len(data) // 2 :])
        die_at("written")
    die_at("moved")

files.write_bytes = write_bytes
import rnnscope.training.tensors
rnnscope.training.tensors.write_bytes = write_bytes

recipe = rs.recipe(
    "karpathy2015", architecture=rs.Architecture("lstm", 2, 16), epochs=4, batch=4, length=25, dropout=0.2, decay_after=1,
    snapshots=1,
)
rs.train(recipe, rs.Corpus.from_file(text), folder, resume=True)
"""


def start(text: Path, folder: Path, stage: str = "", at: int = 0) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", CHILD, str(text), str(folder), stage, str(at)], stderr=subprocess.PIPE)


@pytest.mark.slow
def test_a_killed_training_ends_with_the_same_bits(text: str, tmp_path: Path) -> None:
    source = tmp_path / "text.txt"
    source.write_text(text)
    child = start(source, tmp_path / "whole")
    _, complaint = child.communicate()
    assert child.returncode == 0, complaint.decode()

    chance, kills, in_a_write = random.Random(1), 0, 0
    folder = tmp_path / "killed"
    while kills < KILLS:
        if kills % 2:  # inside a write: an early one, so that the next child still has some to do
            child = start(source, folder, chance.choice(["half", "written", "moved"]), chance.randint(1, 4))
            in_a_write += 1
        else:  # at any moment, from the first checkpoint of this child on
            child = start(source, folder)
            checkpoint = folder / "checkpoint" / "last.safetensors"
            before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
            while child.poll() is None and not (checkpoint.exists() and checkpoint.stat().st_mtime_ns != before):
                time.sleep(0.001)
            time.sleep(chance.random() * 0.05)
            child.kill()
        _, complaint = child.communicate()
        if child.returncode == 0:
            break
        assert child.returncode == -signal.SIGKILL, complaint.decode()
        kills += 1
    assert kills == KILLS, f"the training was over after {kills} kills; make it longer"
    child = start(source, folder)
    _, complaint = child.communicate()
    assert child.returncode == 0, complaint.decode()

    whole, killed = rs.Run(tmp_path / "whole"), rs.Run(folder)
    assert (killed.path / "model.safetensors").read_bytes() == (whole.path / "model.safetensors").read_bytes()
    assert [e["validation_nats"] for e in killed.history] == [e["validation_nats"] for e in whole.history]
    assert [e["train_nats"] for e in killed.history] == [e["train_nats"] for e in whole.history]
    kept, left = ({each.update: each.path.read_bytes() for each in run.snapshots} for run in (whole, killed))
    assert left == kept != {}
    assert not list(folder.rglob(".rnnscope-partial*"))
    assert in_a_write == KILLS // 2
