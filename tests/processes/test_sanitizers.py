"""The kernel under AddressSanitizer and UndefinedBehaviorSanitizer: it touches what it was given, and nothing else."""

import shutil
import subprocess
from pathlib import Path

import pytest

from rnnscope.native import recurrent as native

HERE = Path(__file__).parent / "sanitized"
SOURCES = Path(native.__file__).parent / "cpp"


@pytest.mark.slow
@pytest.mark.skipif(native.PATH is None or not shutil.which("g++"), reason="the kernel is for x86-64 and GCC")
def test_walks_stay_within_their_memory(tmp_path: Path) -> None:
    """Small tiles have the same edges as large ones and compile in a tenth of the time."""
    quiet = ["-Wno-maybe-uninitialized", "-Wno-psabi"]
    options = ["-O1", "-g1", "-std=c++17", "-DSMALL_TILES", "-DEMULATED_TILES", *quiet, "-I", str(SOURCES)]
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    program = tmp_path / "walks"
    subprocess.run(["g++", *options, *sanitize, str(HERE / "walks.cpp"), "-o", str(program)], check=True)
    done = subprocess.run([str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    times = {native.Path.AVX2: 1, native.Path.AVX512: 2}  # in float32; processors with bfloat16 walk four paths, two in both
    best = native.best_path()
    assert best is not None
    assert done.stdout == f"{56 * times.get(best, 6)} walks\n"
