"""Sweeps with real workers: processes of this machine, and a Dask cluster one of whose workers is killed."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import rnnscope as rs
from rnnscope.exceptions import OccupiedError, RecipeError, RnnscopeError, UsageError
from rnnscope.sweeps import local
from rnnscope.sweeps.grid import read_grid


@pytest.fixture
def grid(text: str, tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "small.py"
    path.write_text(text)
    return {
        "text": str(path),
        "batch": 4,
        "length": 50,
        "warmup": 2,
        "epochs": 2,
        "architecture": {"units": [8, 12]},
        "seed": [0, 1],
    }


def models(folder: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in sorted(folder.glob("*/model.safetensors"))}


def plain(grid: dict[str, Any], folder: Path) -> dict[str, bytes]:
    """What training one after the other in this process gives."""
    for point in read_grid(grid):
        rs.train(point.recipe, point.corpus(), folder / point.name)
    return models(folder)


def test_a_grid_is_every_combination(grid: dict[str, Any], tmp_path: Path) -> None:
    points = read_grid(grid)
    assert [p.name for p in points] == ["units8_seed0", "units8_seed1", "units12_seed0", "units12_seed1"]
    assert [(p.recipe.architecture.units, p.recipe.seed) for p in points] == [(8, 0), (8, 1), (12, 0), (12, 1)]
    assert all(p.recipe.batch == 4 for p in points)
    path = tmp_path / "grid.toml"
    path.write_text(
        f'text = "{grid["text"]}"\nrecipe = "karpathy2015"\n[architecture]\ncell = ["lstm", "rnn"]\nlayers = 2\nsize = 64\n'
    )
    symbols = len(points[0].corpus().vocabulary)
    assert [p.recipe.architecture for p in read_grid(path)] == [
        rs.Architecture.matched(cell, 2, 64, symbols) for cell in ("lstm", "rnn")
    ]
    assert read_grid(path)[0].recipe.optimiser == "rmsprop"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"text": None}, RecipeError, "a sweep names its text"),
        ({"sede": [1, 2]}, RecipeError, "no field of a recipe is called 'sede'"),
        ({"seed": []}, RecipeError, "seed is an empty list"),
        ({"seed": [1, 1]}, RecipeError, "two runs of the sweep would be called"),
        ({"architecture": {"units": 8, "size": 8}}, RecipeError, "units or a size"),
        ({"text": "-"}, RecipeError, "can't read its text from standard input"),
        ({"text": 5}, RecipeError, "text is a word in quotes, or a list of them, not 5"),
        ({"text": [["a"]]}, RecipeError, "text is a word in quotes"),
        ({"symbols": "words"}, UsageError, "symbols are 'bytes' or 'characters', not 'words'"),
        ({"recipe": 5}, RecipeError, "recipe is a word in quotes"),
        ({"architecture": 3}, RecipeError, "the architecture is a table"),
        ({"architecture": {"cell": [["lstm"]]}}, RecipeError, "no cell is called"),
        ({"architecture": {"size": True}}, RecipeError, "the size is the width of a 1-layer LSTM"),
        ({"extra": {}}, RecipeError, "extra is a table; the only table of a grid is"),
        ({"epochs": [1, 0]}, RecipeError, "epochs is a whole number"),
        ({"text": "nowhere.txt"}, RnnscopeError, "there is no file nowhere.txt"),
    ],
)
def test_grids_that_make_no_sense(
    change: dict[str, Any], error: type[Exception], message: str, grid: dict[str, Any], tmp_path: Path
) -> None:
    given = {name: value for name, value in {**grid, **change}.items() if value is not None}
    with pytest.raises(error, match=message):
        rs.sweep(given, tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()


def test_workers_that_would_fight(grid: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"500 workers with 3 threads each would fight for \d+ cores"):
        rs.sweep({**grid, "threads": 3}, tmp_path / "sweep", workers=500)
    with pytest.raises(UsageError, match="not on both"):
        rs.sweep(grid, tmp_path / "other", workers=2, dask="tcp://127.0.0.1:1")


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(grid: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    start = local._start

    def starting(point: Any, folder: Path) -> Any:
        process = start(point, folder)
        if len(killed) < 2:  # the first one at once, the second in the middle
            killed.append(process.pid)
            threading.Timer(0.0 if len(killed) == 1 else 2.5, process.kill).start()
        return process

    monkeypatch.setattr(local, "_start", starting)
    seen: list[tuple[int, int]] = []
    table = rs.sweep(grid, tmp_path / "sweep", workers=2, progress=lambda done, total, note="": seen.append((done, total)))
    assert list(table["problem"]) == [""] * 4
    assert list(table["epochs"]) == [2] * 4
    assert list(table.columns)[:3] == ["run", "units", "seed"]
    assert models(tmp_path / "sweep") == plain(grid, tmp_path / "plain")
    assert seen[-1][0] == seen[-1][1]

    with pytest.raises(OccupiedError, match="holds a sweep already; go on with it"):
        rs.sweep(grid, tmp_path / "sweep")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "sweep").glob("*/model.safetensors")}
    again = rs.sweep({**grid, "seed": [0, 1, 2]}, tmp_path / "sweep", resume=True)
    assert len(again) == 6
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())  # what is finished isn't done again


@pytest.mark.slow
def test_what_is_damaged_or_another_run_is_named_and_the_rest_goes_on(grid: dict[str, Any], tmp_path: Path) -> None:
    grid = {**grid, "updates": 3, "architecture": {"units": 4}, "seed": [0, 1, 2, 3]}
    folder = tmp_path / "sweep"
    with pytest.raises(UsageError):
        rs.sweep(grid, folder, workers=0)
    rs.sweep(grid, folder)  # a call that made no sense claimed nothing
    checkpoint = folder / "seed0" / "checkpoint" / "last.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:50])
    (folder / "seed1" / "history.jsonl").write_text("{}")
    shutil.rmtree(folder / "seed2")
    problems = [str(problem) for problem in rs.sweep(grid, folder, resume=True)["problem"]]
    assert "last.safetensors is damaged" in problems[0]
    assert "history.jsonl is damaged" in problems[1]
    assert problems[2:] == ["", ""]
    problems = [str(problem) for problem in rs.sweep({**grid, "batch": 2}, folder, resume=True)["problem"]]
    assert "holds another run: its batch is 4, not 2" in problems[3]


def test_names_stay_inside_the_folder(grid: dict[str, Any], tmp_path: Path) -> None:
    for odd in ("../../evil.txt", "sweep.json.txt", ".hidden"):
        place = (tmp_path / "below" / "here" / odd).resolve()
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(Path(grid["text"]).read_text())
        for point in read_grid({**grid, "text": [str(place)]}):
            assert "/" not in point.name
            assert not point.name.startswith(".")
            assert point.name != "sweep.json"


@pytest.mark.slow
def test_one_bad_run_does_not_stop_the_others(grid: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "grid.toml"
    path.write_text(
        f'text = "{grid["text"]}"\nbatch = 4\nlength = 50\nepochs = 1\ngradient_norm = 1e30\nlearning_rate = [0.01, 1e38]\n'
        '[architecture]\ncell = "rnn"\nunits = 4\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "rnnscope", "sweep", str(path), "--out", str(tmp_path / "sweep"), "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert re.search(r"rnnscope: 1 of 2 runs is not finished; .*became (nan|inf) at update", done.stderr)
    rows = json.loads(done.stdout)
    assert rows[0]["problem"] == ""
    assert "train with a lower learning rate" in rows[1]["problem"]


@contextmanager
def dask_cluster(folder: Path, workers: int) -> Iterator[tuple[str, list[subprocess.Popen[str]]]]:
    """A scheduler and its workers, real processes on this machine."""
    started: list[subprocess.Popen[str]] = []
    where = folder / "scheduler.json"

    def run(*words: str) -> None:
        process = subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
        started.append(process)

    try:
        run("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
            "--scheduler-file", str(where))  # fmt: skip
        for k in range(workers):
            run("distributed.cli.dask_worker", "--scheduler-file", str(where), "--nthreads", "1", "--no-nanny", "--no-dashboard",
                "--host", "127.0.0.1", "--name", f"worker-{k}", "--local-directory", str(folder / f"w{k}"))  # fmt: skip
        deadline = time.monotonic() + 60
        while not where.exists():
            assert time.monotonic() < deadline, "the scheduler did not come up"
            time.sleep(0.05)
        yield json.loads(where.read_text())["address"], started[1:]
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_a_dask_cluster_that_loses_a_worker(grid: dict[str, Any], tmp_path: Path) -> None:
    grid = {**grid, "epochs": 8}
    folder = tmp_path / "sweep"
    with dask_cluster(tmp_path, 2) as (address, workers):

        def kill_one_in_the_middle() -> None:
            while not list(folder.glob("*/history.jsonl")):
                time.sleep(0.02)
            os.kill(workers[0].pid, signal.SIGKILL)

        threading.Thread(target=kill_one_in_the_middle, daemon=True).start()
        table = rs.sweep(grid, folder, dask=address)
        assert workers[0].wait() == -signal.SIGKILL
    assert list(table["problem"]) == [""] * 4
    assert list(table["epochs"]) == [8] * 4
    assert models(folder) == plain(grid, tmp_path / "plain")
    assert [[e["epoch"] for e in rs.Run(folder / name).history] for name in table["run"]] == [list(range(1, 9))] * 4


def test_no_scheduler_is_one_line(grid: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnscope.cluster._PATIENCE", "1s")
    with pytest.raises(RnnscopeError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        rs.sweep(grid, tmp_path / "sweep", dask="tcp://127.0.0.1:9")
