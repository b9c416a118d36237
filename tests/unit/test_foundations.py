"""Signals, files, plug-ins, exceptions, and the public names."""

import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import rnnscope as rs
from rnnscope import exceptions, files, registry
from rnnscope.exceptions import FormatError, OccupiedError, UnknownNameError
from rnnscope.signal import Signal, select

SIGNALS = [Signal("layer0/input", 4, "i"), Signal("layer0/cell", 4, "c"), Signal("layer1/cell", 4, "c"), Signal("log_prob", 0, "p")]


def test_select_keeps_the_models_order() -> None:
    assert [s.name for s in select(SIGNALS, ["log_prob", "layer*/cell"])] == ["layer0/cell", "layer1/cell", "log_prob"]
    assert [s.name for s in select(SIGNALS, "cell")] == ["layer0/cell", "layer1/cell"]
    with pytest.raises(UnknownNameError, match="no signal is called 'layer0/cel'; did you mean layer0/cell"):
        select(SIGNALS, "layer0/cel")


def test_a_signal_knows_its_place() -> None:
    assert (SIGNALS[2].layer, SIGNALS[2].kind) == (1, "cell")
    assert (SIGNALS[3].layer, SIGNALS[3].kind) == (None, "log_prob")
    assert Signal.from_json(SIGNALS[0].to_json()) == SIGNALS[0]


def test_replacing_leaves_the_old_file_when_it_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "old")

    def fail() -> None:
        with files.replacing(path) as new:
            new.write_text("new")
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    files.write_text(path, "new")
    assert path.read_text() == "new"


def test_only_what_the_dead_left_is_cleared(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    kept = [f".rnnscope-partial-{os.getpid()}-abc", ".rnnscope-partial-mine", ".partial-thesis"]
    for name in [*kept, f".rnnscope-partial-{gone.pid}-abc"]:
        (tmp_path / name).mkdir()
    files.clear_partial(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(kept)


@pytest.mark.parametrize("name", ["old", "new", "."])
def test_replacing_a_folder_of_any_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "place" / "old").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "place")
    for content in ("first", "second"):
        with files.replacing(Path("old" if name == "." else name)) as new:
            new.mkdir()
            (new / "file").write_text(content)
    assert (tmp_path / "place" / ("old" if name == "." else name) / "file").read_text() == "second"


def test_claim_refuses_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(OccupiedError, match=r"holds something else \(cat\.jpg\); expected an empty folder or a study"):
        files.claim(tmp_path / "photos", "study.json", "a study")
    with pytest.raises(OccupiedError, match="is a file"):
        files.claim(tmp_path / "photos" / "cat.jpg", "study.json", "a study")
    files.claim(tmp_path / "new" / "deep", "study.json", "a study")
    assert (tmp_path / "new" / "deep").is_dir()


def test_two_packages_with_one_name_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [EntryPoint("x", "json:loads", "g"), EntryPoint("x", "json:dumps", "g")]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    with pytest.raises(FormatError, match="two packages register 'x'"):
        registry.plugins("g")
    monkeypatch.setattr(registry, "entry_points", lambda group: [EntryPoint("x", "no_such_module:y", "g")])
    with pytest.raises(FormatError, match="can't be loaded"):
        registry.plugins("g")


def test_every_error_is_drawn_in_the_tree() -> None:
    assert exceptions.__doc__ is not None
    for name, kind in vars(exceptions).items():
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert name in exceptions.__doc__


@pytest.mark.parametrize("name", [n for n in rs.__all__ if n != "__version__"])
def test_public_names_exist_and_are_explained(name: str) -> None:
    assert getattr(rs, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rs.nothing


def test_traces_and_analysis_run_without_torch(trace: rs.Trace) -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import rnnscope as rs\n"
        f"trace = rs.open_trace({str(trace.path)!r})\n"
        "table = rs.score(trace, rs.hypotheses('newline'), 'cell')\n"
        "print(len(rs.best_units(table)), len(rs.saturation(trace)) > 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["1", "True"], done.stderr
