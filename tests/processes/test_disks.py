"""Disks that are really full or read-only: small file systems in memory."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import rnnscope as rs


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """A file system in memory, and what changes its options."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", str(place)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("file systems can only be mounted by root, in a container only with CAP_SYS_ADMIN")

    def change(options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)

    yield place, change
    subprocess.run(["umount", str(place)], check=True)


def train(text: Path, folder: Path, *more: str) -> tuple[int, str]:
    """In a process with a checkpoint after every update."""
    code = "from rnnscope.training import trainer; trainer._CHECKPOINT_SECONDS = -1.0; from rnnscope.cli import main; main()"
    words = ["train", str(text), "--out", str(folder), "--units", "64", "--epochs", "2", "--batch", "4", "--length", "100", *more]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.slow
def test_a_full_disk_and_a_read_only_one(text: str, tmp_path: Path, disk: tuple[Path, Callable[[str], None]]) -> None:
    place, change = disk
    source = tmp_path / "text.txt"
    source.write_text(text)
    assert train(source, tmp_path / "whole") == (0, "")

    folder = place / "run"
    filler = place / "filler"
    filler.write_bytes(bytes(600_000))  # there is room for one checkpoint, not for the next beside it
    status, error = train(source, folder)
    assert status == 1
    assert error.count("\n") == 1
    checkpoint = folder / "checkpoint" / "last.safetensors"
    assert error.startswith(f"rnnscope: no space is left for {checkpoint}; the last good checkpoint is {checkpoint}; free some")
    assert not list(folder.rglob(".rnnscope-partial*"))

    change("ro,size=1200k")
    status, error = train(source, folder, "--resume")
    assert status == 1
    assert f"can't be written (Read-only file system); the last good checkpoint is {checkpoint}" in error
    change("rw,size=20m")
    assert train(source, folder, "--resume") == (0, "")
    models = [(where / "model.safetensors").read_bytes() for where in (folder, tmp_path / "whole")]
    assert models[0] == models[1]
    assert len(rs.Run(folder).history) == 2
