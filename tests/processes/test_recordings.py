"""SIGKILL at any moment of a recording: it goes on where it stopped, and the trace has the bits of one that was never stopped."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import rnnscope as rs

KILLS = int(os.environ.get("RNNSCOPE_KILLS", "8")) // 2

CHILD = """
import sys
import rnnscope as rs
from rnnscope.recording import reading

run, text, folder, streams = sys.argv[1:]
reading.SECONDS = 0.02
model = rs.load(run)
corpus = rs.Corpus.from_file(text, vocabulary=model.vocabulary)
rs.record(model, corpus, folder, ["layer*/*", "log_prob"], half="layer0/*", streams=int(streams))
"""


@pytest.mark.slow
@pytest.mark.parametrize("streams", [1, 6])
def test_a_killed_recording_goes_on(streams: int, run: rs.Run, text: str, tmp_path: Path) -> None:
    source = tmp_path / "text.py"
    source.write_text(text * 8)
    chance, kills = random.Random(streams), 0
    words = [sys.executable, "-c", CHILD, str(run.path), str(source)]
    subprocess.run([*words, str(tmp_path / "whole"), str(streams)], check=True)
    noted = tmp_path / ".rnnscope-unfinished-t" / "recording.json"
    while kills < KILLS and not (tmp_path / "t" / "zarr.json").exists():
        before = noted.read_bytes() if noted.exists() else b""
        with subprocess.Popen([*words, str(tmp_path / "t"), str(streams)]) as child:
            while child.poll() is None and not (noted.exists() and noted.read_bytes() != before):
                time.sleep(0.001)  # until it has got on by one note at least
            time.sleep(chance.random() * 0.1)
            child.kill()
            kills += child.wait() == -signal.SIGKILL
    assert kills == KILLS, f"the recording was over after {kills} kills; make it longer"
    subprocess.run([*words, str(tmp_path / "t"), str(streams)], check=True)
    whole, killed = rs.open_trace(tmp_path / "whole"), rs.open_trace(tmp_path / "t")
    for s in whole.kept:
        if streams == 1:
            np.testing.assert_array_equal(killed[s.name][:], whole[s.name][:])
        else:  # where a turn was broken off the states agree elsewhere, to the same tolerance
            np.testing.assert_allclose(killed[s.name][:], whole[s.name][:], rtol=2e-3, atol=2e-3)
    np.testing.assert_array_equal(killed["entropy"][700:800], whole["entropy"][700:800])
    assert killed.rounding == pytest.approx(whole.rounding, rel=0.05)
    assert not list(tmp_path.glob(".rnnscope*"))
