"""How commands leave: stopped, on a full disk, with nobody to read their output."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

import rnnscope as rs
from rnnscope import files
from rnnscope.exceptions import TrainingError
from tests.cli.running import command, fails


def test_a_full_disk_is_one_line_and_loses_nothing(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "small.txt"
    path.write_text(text)

    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("rnnscope.files._flush", full)
    status, error = fails(capsys, "train", path, "--out", tmp_path / "run", "--units", 4, "--epochs", 1)
    assert status == 1
    assert f"no space is left for {tmp_path / 'run' / 'recipe.toml'}; nothing was kept yet" in error
    assert [p.name for p in (tmp_path / "run").iterdir()] == []


def test_a_disk_that_fills_up_in_the_middle_leaves_the_last_checkpoint(
    corpus: rs.Corpus, recipe: rs.Recipe, run: rs.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flush, writes = files._flush, [0]

    def filling(path: Path) -> None:
        writes[0] += 1
        if writes[0] > 6:  # recipe, vocabulary, first checkpoint; weights, history, checkpoint of the first epoch
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        flush(path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "_flush", filling)
        with pytest.raises(TrainingError, match=r"no space is left .*; the last good checkpoint is .*last\.safetensors"):
            rs.train(recipe, corpus, tmp_path / "run")
    resumed = rs.train(recipe, corpus, tmp_path / "run", resume=True)
    assert (resumed.path / "model.safetensors").read_bytes() == (run.path / "model.safetensors").read_bytes()


def test_debug_shows_a_traceback() -> None:
    done = command("cells", "/nowhere", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("rnnscope: ")


def _interruptible(command: list[str]) -> subprocess.Popen[str]:
    # A shell starts what runs in its background with Control-C ignored, and a child inherits that.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed)


def test_control_c_stops_and_can_be_resumed(text: str, tmp_path: Path) -> None:
    path = tmp_path / "small.txt"
    path.write_text(text * 20)
    arguments = [sys.executable, "-m", "rnnscope", "train", str(path), "--out", str(tmp_path / "run"), "--units", "32"]
    process = _interruptible([*arguments, "--epochs", "100000"])
    history = tmp_path / "run" / "history.jsonl"
    while not history.exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=20)  # less than two seconds; not asserted, since machines are shared
    assert process.returncode == 130
    assert error.strip() == "rnnscope: stopped; what is done is kept: run the same command with --resume to go on"
    kept = [json.loads(line) for line in history.read_text().splitlines()]
    process = _interruptible([*arguments, "--epochs", "100000", "--resume"])
    while len(history.read_text().splitlines()) <= len(kept):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    lines = [json.loads(line) for line in history.read_text().splitlines()]
    assert lines[: len(kept) - 1] == kept[:-1]  # the last one may have come after the checkpoint, and be made again
    assert [entry["epoch"] for entry in lines] == list(range(1, len(lines) + 1))


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "the disk")])
def test_what_is_said_of_a_command_that_was_stopped_is_true(
    stop: BaseException, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(status: int) -> None:
        raise SystemExit(status)

    def stopped(*_: object, **__: object) -> None:
        raise stop

    (tmp_path / "study").write_text(text)  # a text, not the command
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(files, "_placed", {})
    words = ["compare", "ngram:1", "ngram:2", "--text", "study", "--figures", "made"]
    with monkeypatch.context() as patch:
        patch.setattr("rnnscope.comparison.comparison.read_all", stopped)
        status, error = fails(capsys, *words)
    assert status == (130 if isinstance(stop, KeyboardInterrupt) else 1)
    assert error.endswith("; nothing was changed")
    assert not (tmp_path / "made").exists()
    with monkeypatch.context() as patch:
        patch.setattr("rnnscope.views.canvas.to_svg", stopped)
        status, error = fails(capsys, *words)
    written = sorted((tmp_path / "made").iterdir())
    assert len(written) > 3
    assert all(path.suffix == ".csv" for path in written)
    said = f"made/tree.csv and {len(written) - 1} more had been written and are kept: run the same command again for the rest"
    assert error.endswith(said)
    monkeypatch.setattr("rnnscope.ngrams.ladder.ladder", stopped)
    shutil.rmtree(tmp_path / "made")  # what is gone isn't kept
    _, error = fails(capsys, "ngram", "study", "--orders", "1", "--index", "counts")
    assert error.endswith("counts had been written and is kept: run the same command again for the rest")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["hypotheses"], ["hypotheses", "--json"], ["compare", "--help"], ["ngram", "text", "--csv"]]
)
def test_output_that_nobody_reads_ends_a_command_as_it_ends_other_tools(arguments: list[str], text: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text(text)
    reading, writing = os.pipe()
    os.close(reading)  # before anything is printed, so that it never depends on who is quicker
    with os.fdopen(writing, "wb") as nobody:
        words = [sys.executable, "-m", "rnnscope", *arguments]
        done = subprocess.run(words, stdout=nobody, stderr=subprocess.PIPE, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, b"")


def test_a_pipe_that_breaks_elsewhere_is_an_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    monkeypatch.setattr("rnnscope.cli.look.print_table", breaks)
    with Path(os.devnull).open("w") as out, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        status, error = fails(capsys, "hypotheses")
    assert (status, "a pipe to another process broke" in error) == (1, True)
