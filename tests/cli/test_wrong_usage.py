"""What was given wrongly is said in one line, before anything is computed."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rnnscope as rs
from rnnscope.cli import main
from rnnscope.cli.main import rnnscope as group
from tests.cli.running import command, fails, rows


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["study", "no-such-text"], 1, "there is no file no-such-text and no corpus of that name"),
        (["study", "{tmp}"], 1, "is a folder; expected one text file"),
        (["study", "{tmp}/empty"], 1, "empty is empty"),
        (["study", "{tmp}/one"], 1, "has 1 symbol; training needs at least 1,000"),
        (["study", "{tmp}/ten"], 1, "has 10 symbols; training needs at least 1,000"),
        (["study", "{tmp}/same"], 1, "repeats a single symbol"),
        (["study", "{tmp}/latin"], 1, "latin is not UTF-8: byte 0xe9 at offset 1003; read it as bytes"),
        (["study", "{tmp}/good", "--out", "{tmp}"], 1, "holds something else"),
        (["train", "{tmp}/good", "--out", "{tmp}/good"], 1, "good is a file; expected a folder"),
        (["train", "{tmp}/good", "--out", "{tmp}/run", "--epochs", "0"], 2, "0 is not in the range x>=1"),
        (["train", "{tmp}/good"], 2, "Missing option '--out'"),
        (["train", "{tmp}/good", "--out", "x", "--cell", "lstn"], 2, "'lstn' is not one of"),
        (["sample", "{tmp}"], 1, "is not a run"),
        (["cells", "{tmp}"], 1, "is not a trace"),
        (["frobnicate"], 2, "No such command 'frobnicate'"),
        (["cells"], 2, "Missing argument 'TRACE'"),
    ],
)
def test_bad_input_is_one_clear_line(
    arguments: list[str],
    status: int,
    message: str,
    text: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in {
        "empty": b"", "one": b"a", "ten": b"abcdefghij", "same": b"a" * 3000,
            "latin": b"a" * 1000 + b"caf\xe9 noir", "good": text.encode(),
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    left, error = fails(capsys, *[a.replace("{tmp}", str(tmp_path)) for a in arguments])
    assert left == status
    assert message in error
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_an_unreadable_file(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    path.write_text("x" * 2000)

    def refuse(self: Path) -> bytes:  # root reads every file, so its mode would not do
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert "can't be read: Permission denied" in fails(capsys, "study", path)[1]


def test_a_text_that_changed_is_not_recorded_in_silence(text: str, tmp_path: Path) -> None:
    path = tmp_path / "small.txt"
    path.write_text(text)
    assert command("train", path, "--out", tmp_path / "run", "--units", 4, "--epochs", 1).returncode == 0
    path.write_text(text[:-1] + "#")
    assert "has changed since" in command("record", tmp_path / "run", "--out", tmp_path / "t").stderr


def test_a_field_is_given_once(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "small.txt").write_text(text)
    words = ("train", tmp_path / "small.txt", "--out", tmp_path / "run", "--updates", 1)
    for more, message in (
        (["--units", 4, "--set", "architecture={units=5}"], "units is given twice, as 4 and as 5"),
        (["--dropout", 0.1, "--set", "dropout=0.2"], "dropout is given twice"),
        (["--set", "patience=5\nbatch=2"], "sets several fields"),
        (["--set", "patience"], "has no '='"),
    ):
        status, error = fails(capsys, *words, *more)
        assert status == 2
        assert message in error
    status, error = fails(capsys, *words, "--set", "architecture=3")
    assert (status, "the architecture is a table" in error) == (1, True)
    assert not (tmp_path / "run").exists()
    with pytest.raises(SystemExit):
        main([*map(str, words), "--set", "architecture={layers=2}", "--cell", "rnn", "--units", "4", "--recipe", "karpathy2015",
              "--set", "patience=3", "--batch", "4"])  # fmt: skip
    made = rs.Run.open(tmp_path / "run").recipe
    assert (made.architecture, made.patience, made.optimiser) == (rs.Architecture("rnn", 2, 4), 3, "rmsprop")
    capsys.readouterr()
    rows_found = rows(capsys, "evaluate", tmp_path / "run", "--split", "validation")
    assert [list(row) for row in rows_found] == [["nats", "bits", "deviation", "symbols"]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare", "ngram:2"], "has to be counted in a text; name it with --text"),
        (["compare", "ngram:many", "--text", "python-stdlib"], "expected a run's folder, or ngram:N"),
        (["compare", "ngram:2", "ngram:02", "--text", "python-stdlib"], "two models are called 2-gram"),
        (["compare", "ngram:2", "--text", "python-stdlib", "--table", "gains"], "gains are of one model over another; give two"),
        (["compare", "ngram:2", "--text", "python-stdlib", "--table", "tree"], "a tree joins models; give two at least"),
        (["contexts", "ngram:2"], "has to be counted in a text; name it with --text"),
        (["attribution", "nowhere"], "nowhere is not a run"),
        (["writes", "nowhere", "--signal", "layer0/cell", "--unit", "1"], "nowhere is not a trace"),
        (["compare", "ngram:2", "--table", "map", "--table", "gains", "--json"], "--json prints one table, not 2"),
        (["errors", "nowhere"], "nowhere is not a run"),
        (["errors", "ngram:2", "--text", "python-stdlib", "--table", "gained"], "of one model over another; give two, not 1"),
        (["errors", "a", "b", "--table", "gained", "--table", "errors", "--csv"], "--csv prints one table, not 2"),
    ],
)
def test_models_that_cannot_be_compared(arguments: list[str], said: str) -> None:
    done = command(*arguments)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


FIGURED = [
    ["compare", "nowhere"],
    ["errors", "nowhere"],
    ["contexts", "nowhere"],
    ["dynamics", "nowhere"],
    ["saturation", "nowhere"],
    ["attribution", "nowhere"],
    ["writes", "nowhere", "--signal", "layer0/cell", "--unit", "1"],
]


@pytest.mark.parametrize("words", FIGURED, ids=lambda words: words[0])
def test_a_folder_for_figures_is_looked_at_before_anything_else(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "gone" / "away")
    for place, said in (
        ("file", f"{tmp_path}/file is no folder; expected one for figures"),
        ("file/below/it", f"{tmp_path}/file is no folder"),
        ("dangling", f"{tmp_path}/dangling is no folder"),
        ("/proc/figures", "nothing can be written to /proc (No such file or directory)"),
    ):
        status, error = fails(capsys, *words, "--figures", tmp_path / place)
        assert (status, said in error) == (1, True), error
    assert "nowhere is not a" in fails(capsys, *words, "--figures", tmp_path / "made" / "with" / "its parents")[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "file"]
    assert {words[0] for words in FIGURED} == {
        name for name, each in group.commands.items() if any("--figures" in option.opts for option in each.params)
    }


def test_a_home_that_cannot_be_written_is_no_matter_of_the_figures(text: str, tmp_path: Path) -> None:
    (tmp_path / "small").write_text(text)
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MPLCONFIGDIR"))}
    words = [sys.executable, "-m", "rnnscope", "compare", "ngram:1", "ngram:2", "--text", "small", "--figures", "made"]
    home = {"HOME": "/proc/nobody"}
    done = subprocess.run(words, env=bare | home, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert sorted(done.stderr.splitlines()) == sorted(f"made/{path.name}" for path in (tmp_path / "made").iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("compare a b --table models --pair ()", "--pair changes nothing here; it is for --table distances and --figures"),
        ("compare a b --table gains --by argmax", "--by changes nothing here; it is for --table overlap and --figures"),
        ("errors a b --excerpts 2 --json", "--excerpts changes nothing here; it is for --table errors without --json and --csv"),
        ("errors a b --excerpts 2 --table gained", "--excerpts changes nothing here"),
        ("dynamics a --signal cell", "--signal changes nothing here; it is for --table units and appearances"),
        ("dynamics a --hypothesis column --table kl", "--hypothesis changes nothing here; it is for --table units and appearances"),
        ("dynamics a --reference ngram:2 --table units", "--reference changes nothing here; it is for --table kl, nearest and"),
        ("record a --out t --tolerance 0.1", "--tolerance changes nothing here; it is for --streams: add that, or leave --tol"),
        ("cells t --all --untrained u", "--untrained changes nothing here; it is for the best units, without --all"),
        ("planted --judge r.csv --against b --seed 1", "--seed changes nothing here; it is for networks that are made here"),
        ("planted --out b --csv", "--out writes a benchmark and prints no table; leave --csv out"),
        ("compare ngram:1 --text t --unknown skip", "--unknown changes nothing here; it is for networks"),
        ("train warpeace --language c --out r", "warpeace is prose, not in c; leave that out"),
        ("train linux --language python --out r", "linux is written in c, not in python; leave that out"),
        ("sample r --temperature 0 --seed 3", "--seed changes nothing here; it is for a --temperature above 0"),
        ("attribution r --unit 3", "--unit changes nothing here; it is for the --signal of a layer"),
        ("ngram t --language c", "No such option '--language'"),
    ],
)
def test_an_option_that_changes_nothing_is_wrong_usage(
    words: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, error = fails(capsys, *words.split())
    assert (status, said in error) == (2, True), error
    assert list(tmp_path.iterdir()) == []


def test_what_to_do_with_symbols_that_a_network_does_not_know(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("small.py").write_text(text)
    Path("odd.py").write_text(text.replace("add two", "€dd two"))
    kept = ["--units", 8, "--updates", 3, "--batch", 4, "--snapshots", 1]
    assert command("train", "small.py", "--out", "run", *kept, cwd=tmp_path).returncode == 0
    for words in (
        ["evaluate", "run", "odd.py"],
        ["attribution", "run", "odd.py", "--back", 3],
        ["compare", "ngram:2", "run", "--text", "odd.py"],
        ["errors", "run", "--text", "odd.py"],
        ["contexts", "run", "--text", "odd.py", "--lengths", "1,2", "--places", 9, "--way", "cut"],
        ["dynamics", "run", "--text", "odd.py", "--length", 99, "--reference", "ngram:1"],
    ):
        status, error = fails(capsys, *words)
        assert (status, "symbol '€' at position" in error, "skip or replace" in error) == (1, True, True), error
        for what in ("skip", "replace"):
            assert len(rows(capsys, *words, "--unknown", what)) > 0
    assert command("train", "odd.py", "--out", "other", *kept, cwd=tmp_path).returncode == 0
    for words in (["compare", "run", "other", "ngram:1"], ["dynamics", "run", "--reference", "other"]):
        status, error = fails(capsys, *words, "--unknown", "skip")
        assert (status, "other knows other symbols than small.py has; expected networks that" in error) == (2, True), error
    reading = {name for name, each in group.commands.items() if any("--unknown" in option.opts for option in each.params)}
    assert reading == {"evaluate", "record", "attribution", "compare", "errors", "contexts", "dynamics"}


def test_a_text_without_the_pair_is_said_to_have_none(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plain").write_text(text)
    words = ["compare", "ngram:1", "--text", "plain", "--table", "distances", "--pair", "[]", "--figures", "made"]
    with pytest.raises(SystemExit) as left:
        main([*words, "--csv"])
    printed = capsys.readouterr()
    assert not left.value.code
    assert len(printed.out.splitlines()) > 1
    assert "no pair" not in printed.err
    with pytest.raises(SystemExit) as left:
        main([*["<>" if word == "[]" else word for word in words], "--csv"])
    printed = capsys.readouterr()
    assert not left.value.code
    assert printed.out == "model,pair,distance,count,probability,low,high\n"
    assert printed.err.splitlines()[-1] == "no pair of <> is opened and closed again in what was read"
