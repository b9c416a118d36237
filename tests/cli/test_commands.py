"""The command line as a user has it: what each command does, on a real text, from end to end."""

import json
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

import rnnscope as rs
from rnnscope.analysis import significance
from rnnscope.cli import main
from rnnscope.cli.main import rnnscope as group
from rnnscope.findings import causal
from rnnscope.native import recurrent
from tests.cli.running import command, fails, rows

COMMANDS = [
    "study",
    "train",
    "sweep",
    "sample",
    "evaluate",
    "record",
    "cells",
    "saturation",
    "attribution",
    "writes",
    "compare",
    "errors",
    "contexts",
    "dynamics",
    "ngram",
    "corpora",
    "hypotheses",
    "doctor",
    "paper",
    "planted",
]


def test_help_answers_without_torch_and_with_an_example() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; sys.modules['pandas'] = None\n"
        "from click.testing import CliRunner\n"
        "from rnnscope.cli.main import rnnscope\n"
        f"for name in [None, *{COMMANDS!r}]:\n"
        "    done = CliRunner().invoke(rnnscope, ([name] if name else []) + ['--help'])\n"
        "    assert done.exit_code == 0, (name, done.output)\n"
        "    assert 'Example:' in done.output, name\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(group.commands) == sorted(COMMANDS)


def test_version() -> None:
    assert command("--version").stdout.strip() == f"rnnscope, version {rs.__version__}"


def test_train_record_score_sample(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "small.py").write_text(text)
    folder = tmp_path / "run"
    done = command("train", tmp_path / "small.py", "--out", folder, "--units", 12, "--layers", 2, "--epochs", 2, "--batch", 4)
    assert done.returncode == 0, done.stderr
    assert "nats per symbol on the validation part" in done.stdout
    assert done.stderr == ""  # silent: no terminal

    once, again, other = (
        command("sample", folder, "--prompt", "def ", "--length", 50, "--seed", seed).stdout for seed in (1, 1, 2)
    )
    assert once == again != other
    assert once.startswith("def ")
    assert len(once) == 4 + 50 + 1

    (tmp_path / "d").write_text("d")
    assert command("record", folder, tmp_path / "d", "--out", tmp_path / "d1").stdout.startswith(
        f"{tmp_path / 'd1'}: 1 signal at 1 symbol, "
    )
    for out, more in (("trained", []), ("untrained", ["--untrained"])):
        done = command("record", folder, "--out", tmp_path / out, "--split", "all", *more)
        assert done.returncode == 0, done.stderr
    best = rows(capsys, "cells", tmp_path / "trained", "--hypothesis", "newline", "--untrained", tmp_path / "untrained")
    assert [set(row) for row in best] == [set(significance.COLUMNS)]
    assert best[0]["untrained"] is not None
    assert best[0]["p_untrained"] is None  # of one untrained network nobody knows how much they differ
    every = rows(capsys, "cells", tmp_path / "trained", "--all", "--signal", "layer1/cell")
    assert {row["signal"] for row in every} == {"layer1/cell"}
    assert len(every) % 12 == 0

    tested = ["--hypothesis", "column", "--pattern", "dot=[.]", "--signal", "cell"]
    found = {str(row["hypothesis"]): row for row in rows(capsys, "cells", tmp_path / "trained", *tested, "--causal")}
    assert set(found) == {"column", "dot"}
    assert set(found["dot"]) == {*significance.COLUMNS, *causal.COLUMNS}
    assert all(row["p_untrained"] is not None for row in found.values())  # five, from the run itself
    told = command("cells", tmp_path / "trained", *tested)
    assert told.stdout.split()[:4] == ["hypothesis", "signal", "unit", "measure"], told.stderr
    gates = rows(capsys, "saturation", tmp_path / "trained")
    assert len(gates) == 2 * 3 * 12
    csv = command("saturation", tmp_path / "trained", "--csv").stdout.splitlines()
    assert csv[0] == "signal,layer,gate,unit,left,right"
    assert len(csv) == 73
    told = command("saturation", tmp_path / "trained")
    assert told.stdout.split()[:6] == ["signal", "units", "left", "right", "often_left", "often_right"], told.stderr
    assert [line.split()[:2] for line in told.stdout.splitlines()[1:]] == [
        [f"layer{layer}/{gate}", "12"] for layer in (0, 1) for gate in ("input", "forget", "output")
    ]
    assert len(command("saturation", tmp_path / "trained", "--all").stdout.splitlines()) == 73
    status, error = fails(capsys, "saturation", tmp_path / "trained", "--units", "--all")
    assert (status, "--all changes nothing here" in error) == (2, True)

    with pytest.raises(SystemExit):
        main(["record", str(folder), "--out", str(tmp_path / "test")])
    assert len(rs.open_trace(tmp_path / "test")) == len(text) - int(0.85 * len(text)) - int(0.05 * len(text))

    (tmp_path / "odd.txt").write_text("abc def € ghi")
    status, error = fails(capsys, "record", folder, tmp_path / "odd.txt", "--out", tmp_path / "odd")
    assert (status, "symbol '€' at position 8" in error) == (1, True)
    for unknown, symbols in (("skip", 12), ("replace", 13)):
        done = command("record", folder, tmp_path / "odd.txt", "--out", tmp_path / unknown, "--unknown", unknown)
        assert f"at {symbols} symbols" in done.stdout, done.stderr

    status, error = fails(capsys, "sample", folder, "--prompt", "naïve")
    assert (status, "symbol 'ï' at position 2 of the prompt" in error, "skip" in error) == (1, True, False)


def test_a_window_is_a_run_like_any_other(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "small.py").write_text(text)
    folder, words = tmp_path / "run", ["train", tmp_path / "small.py", "--cell", "window", "--epochs", 2, "--batch", 4]
    status, error = fails(capsys, *words, "--out", folder)
    assert (status, "a window needs its context" in error, "--context" in error) == (1, True, True)
    status, error = fails(capsys, *words, "--out", folder, "--context", 2, "--layers", 2)
    assert (status, "a window has 1 layer, not 2" in error) == (1, True)
    assert not folder.exists()
    done = command(*words, "--out", folder, "--context", 5, "--units", 12)
    assert (done.returncode, done.stderr) == (0, "")
    assert rs.Run.open(folder).recipe.architecture == rs.Architecture("window", units=12, context=5)

    once, again = (command("sample", folder, "--prompt", "def ", "--length", 50).stdout for _ in range(2))
    assert once == again
    assert len(once) == 4 + 50 + 1
    [row] = rows(capsys, "evaluate", folder)
    assert list(row) == ["nats", "bits", "deviation", "symbols"]
    done = command("record", folder, "--out", tmp_path / "trace", "--split", "all")
    assert done.returncode == 0, done.stderr
    found = rows(capsys, "cells", tmp_path / "trace", "--hypothesis", "newline", "--all")
    assert {row["signal"] for row in found} == {"layer0/hidden"}
    assert len(found) == 12
    status, error = fails(capsys, "saturation", tmp_path / "trace")
    assert (status, "holds no gate" in error) == (1, True)

    grid = tmp_path / "grid.toml"
    grid.write_text(f"""text = "{tmp_path / "small.py"}"\nbatch = 4\nupdates = 3
        [architecture]\ncell = "window"\nunits = [4, 8]\ncontext = [1, 2]""")
    found = rows(capsys, "sweep", grid, "--out", tmp_path / "sweep")
    assert [(row["units"], row["context"], row["problem"]) for row in found] == [(4, 1, ""), (4, 2, ""), (8, 1, ""), (8, 2, "")]


def test_ngram(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "small.py"
    place.write_text(text)
    table = rows(capsys, "ngram", place, "--orders", "0-2,5,2")
    assert [list(row) for row in table] == [["context", "nats", "bits"]] * 4
    assert [row["context"] for row in table] == [0, 1, 2, 5]
    index = ["ngram", place, "--orders", "0-2,5", "--index", tmp_path / "index"]
    assert rows(capsys, *index) == table
    assert rows(capsys, *index) == table  # from the disk
    assert rows(capsys, *index[:2], "--orders", "5", "--split", "train")[0]["nats"] < table[3]["nats"]  # type: ignore[operator]
    fitted = rs.NGramLM.fit(rs.Corpus.from_text(text).split("train"), context=2)
    apart = rows(capsys, "ngram", place, "--orders", "2", "--apart")
    assert apart[0]["nats"] == pytest.approx(rs.evaluate(fitted, rs.Corpus.from_text(text).split("test")).nats, abs=1e-6)
    for orders in ("", "x", "3-1", "-2", "1,,2", "2000"):
        status, error = fails(capsys, "ngram", place, "--orders", orders)
        assert (status, "expected numbers of symbols" in error or "longest context" in error) == (2, True)
    status, error = fails(capsys, "ngram", place, "--orders", "9", "--index", tmp_path / "index")
    assert (status, "contexts of 5 symbols, not of 9" in error) == (1, True)
    status, error = fails(capsys, "ngram", place, "--index", tmp_path)
    assert (status, "holds something else" in error) == (1, True)
    status, error = fails(capsys, "ngram", place, "--index", place / "below")
    assert (status, "small.py" in error) == (1, True)
    (tmp_path / "empty").mkdir()
    assert len(rows(capsys, "ngram", place, "--index", tmp_path / "empty")) == 10


def test_ngram_answers_without_torch(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abracadabra " * 40)
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import rnnscope as rs\n"
        "model = rs.NGramLM.fit(rs.Corpus.from_file('a.txt'), 4)\n"
        "model.save('index'); rs.NGramLM.open('index').after('abra')\n"
        "from rnnscope.cli import main; main(['ngram', 'a.txt', '--orders', '1-3'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:3] == ["context", "nats", "bits"]


def test_corpora_and_hypotheses(capsys: pytest.CaptureFixture[str]) -> None:
    assert {"python-stdlib", "warpeace", "linux", "tinyshakespeare"} == {row["name"] for row in rows(capsys, "corpora")}
    assert {h.name for h in rs.hypotheses()} == {row["name"] for row in rows(capsys, "hypotheses")}


def test_compare_and_errors(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "small.py").write_text(text)
    folder = tmp_path / "tiny"
    done = command("train", tmp_path / "small.py", "--out", folder, "--units", 8, "--epochs", 1, "--batch", 4)
    assert done.returncode == 0, done.stderr
    models = rows(capsys, "compare", folder, "ngram:2", "ngram:0")
    assert [row["model"] for row in models] == ["tiny", "2-gram", "0-gram"]
    evaluated = rows(capsys, "evaluate", folder)
    assert models[0]["nats"] == pytest.approx(evaluated[0]["nats"], rel=1e-5)
    for asked, said in (
        (("compare", folder, "ngram:0"), "models; --table NAME gives another: overlap, agreement, gains, distances, map, tree"),
        (("errors", folder, "ngram:0"), "errors; --table NAME gives another: gained"),
    ):
        done = command(*asked, "--csv")
        assert done.stderr == f"this is the table {said}\n"
        assert pd.read_csv(StringIO(done.stdout))["model"].unique().tolist() == ["tiny", "0-gram"]
        assert command(*asked[:2], "--csv").stderr == ""  # where people see no other, either
    table = rows(capsys, "compare", folder, "ngram:2", "--table", "overlap")
    assert sum(int(str(row["symbols"])) for row in table) == models[0]["symbols"]
    gain = rows(capsys, "compare", "ngram:2", "ngram:0", "--text", tmp_path / "small.py", "--table", "gains")
    assert {"symbol", "count", "gain", "low", "high"} <= set(gain[0])
    distance = rows(capsys, "compare", folder, "ngram:2", "--table", "distances", "--pair", "()")
    assert {row["model"] for row in distance} == {"tiny", "2-gram"}
    commonest = rows(capsys, "compare", folder, "ngram:2", "--table", "distances")
    assert {row["pair"] for row in commonest} == {"()"}
    (tmp_path / "plain.txt").write_text("so it was not seen there again " * 40)
    told = command("compare", "ngram:2", "--text", tmp_path / "plain.txt", "--table", "distances")
    assert told.stderr == "no pair of brackets or quotes is opened and closed again in what was read\n"
    assert len(rows(capsys, "compare", folder, "ngram:2", "ngram:0", "--table", "map")) == 3
    told = command("compare", folder, "ngram:2")
    assert [line for line in told.stdout.splitlines() if line in ("models", "overlap", "agreement", "gains")] == [
        "models", "overlap", "agreement", "gains",
    ]  # fmt: skip
    (tmp_path / "one.txt").write_text("a")
    assert "one.txt has 1 symbol, too few for a" in fails(capsys, "ngram", tmp_path / "one.txt")[1]
    found = rows(capsys, "errors", folder, "ngram:2")
    for model in ("tiny", "2-gram"):
        part = [row for row in found if row["model"] == model]
        assert sum(float(str(row["share"])) for row in part) == pytest.approx(1)
    told = command("errors", folder, "ngram:2", "--excerpts", 1)
    assert "what 2-gram gets right and tiny doesn't" in told.stdout, told.stderr
    assert "[" in told.stdout
    gained = rows(capsys, "errors", folder, "ngram:2", "--table", "gained")
    sums = {model: sum(int(str(row["errors"])) for row in found if row["model"] == model) for model in ("tiny", "2-gram")}
    assert sum(int(str(row["gained"])) for row in gained) == sums["tiny"] - sums["2-gram"] > 0
    assert {(row["worse_model"], row["better_model"]) for row in gained} == {("tiny", "2-gram")}
    shutil.copytree(folder, tmp_path / "copy")
    told = command("errors", folder, tmp_path / "copy", "--table", "gained")
    assert "tiny and copy make equally many errors; 'worse' is tiny, 'better' copy" in told.stdout, told.stderr
    assert "gets right" not in told.stdout
    (other := tmp_path / "other" / "tiny").parent.mkdir()
    other.symlink_to(folder)
    assert "two models are called tiny; give each once" in fails(capsys, "compare", folder, other)[1]
    branches = rows(capsys, "compare", folder, "ngram:2", "ngram:0", "--table", "tree", "--figures", tmp_path / "pictures")
    assert [row["models"] for row in branches] == [2, 3]
    rows(capsys, "errors", "ngram:2", folder, "--figures", tmp_path / "pictures")
    written = pd.read_csv(tmp_path / "pictures" / "gained.csv")
    assert written["gained"].tolist() == [row["gained"] for row in gained]  # in whatever order they are named
    drawn = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert {
        "tree.svg",
        "tree.csv",
        "map.svg",
        "gains.svg",
        "overlap.svg",
        "distances.svg",
        "errors.svg",
        "errors-tiny.svg",
        "gained.svg",
    } <= drawn


def test_how_far_back_and_what_it_rests_on(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "small.py").write_text(text)
    folder, pictures = tmp_path / "tiny", tmp_path / "pictures"
    done = command("train", tmp_path / "small.py", "--out", folder, "--units", 8, "--epochs", 1, "--batch", 4)
    assert done.returncode == 0, done.stderr
    table = rows(capsys, "contexts", folder, "ngram:2", "--lengths", "1-3,9", "--places", 20, "--figures", pictures)
    assert {row["model"] for row in table} == {"tiny", "2-gram"}
    assert [row["context"] for row in table][:4] == [1, 2, 3, 9]
    assert all(row["rise"] == 0 for row in table if row["context"] == 9)
    assert len(table) == 2 * 3 * 4
    assert len(rows(capsys, "contexts", folder, "--lengths", "5,9", "--way", "cut", "--places", 9)) == 2
    assert "is no number and no range" in fails(capsys, "contexts", folder, "--lengths", "9-1")[1]
    assert "expected at least 2: give shorter contexts" in fails(capsys, "contexts", folder, "--lengths", "20000")[1]
    assert (
        "the length of a context is a whole number of at least 1, not 0" in fails(capsys, "contexts", folder, "--lengths", "0")[1]
    )

    shares = rows(capsys, "attribution", folder, "--at", 300, "--back", 50, "--figures", pictures)
    assert [row["position"] for row in shares] == list(range(300, 250, -1))
    of_unit = rows(capsys, "attribution", folder, tmp_path / "small.py", "--at", 300, "--signal", "layer0/cell", "--unit", 7)
    assert list(of_unit[0]) == ["position", "symbol", "share"]
    assert len(of_unit) == 200
    told = command("attribution", folder, "--back", 20)
    assert told.stdout.startswith("log p of "), told.stderr
    assert len(told.stdout.splitlines()) >= 13
    said = fails(capsys, "attribution", folder, "--signal", "layer0/cell", "--unit", 8)[1]
    assert "the unit of layer0/cell is a whole number from 0 to 7, not 8" in said
    assert "position is a whole number from 0" in fails(capsys, "attribution", folder, "--at", -1)[1]

    done = command("record", folder, "--out", tmp_path / "trace")
    assert done.returncode == 0, done.stderr
    asked = ("writes", tmp_path / "trace", "--signal", "layer0/cell", "--unit", 3)
    parts = rows(capsys, *asked, "--at", 120, "--back", 40, "--figures", pictures)
    assert len(parts) == 41
    state = rs.open_trace(tmp_path / "trace")["layer0/cell"][120, 3]
    assert sum(float(str(row["part"])) for row in parts) == pytest.approx(float(state), abs=1e-5)
    told = command(*asked, "--at", 120)
    assert f"layer0/cell[3] at position 120: {state:+.3f}" in told.stdout
    assert (
        "is no state that a gate keeps" in fails(capsys, "writes", tmp_path / "trace", "--signal", "layer0/hidden", "--unit", 3)[1]
    )
    rows(capsys, "saturation", tmp_path / "trace", "--figures", pictures)
    units = rows(capsys, "saturation", tmp_path / "trace", "--units", "--figures", pictures)
    assert pd.read_csv(pictures / "timescales.csv")["memory"].tolist() == pytest.approx([row["memory"] for row in units], rel=1e-4)
    made = ("attribution", "contexts", "saturation", "timescales", "writes")
    names = [f"{name}.{kind}" for name in made for kind in ("csv", "svg")]
    assert sorted(path.name for path in pictures.iterdir()) == names


def test_dynamics(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "small.py").write_text(text)
    folder, plain = tmp_path / "kept", tmp_path / "plain"
    for into, more in ((folder, ["--snapshots", 1]), (plain, [])):
        done = command("train", tmp_path / "small.py", "--out", into, "--units", 8, "--updates", 12, "--batch", 4, *more)
        assert done.returncode == 0, done.stderr
    near = rows(capsys, "dynamics", folder, "--reference", "ngram:2", "--reference", plain, "--table", "kl", "--length", 600)
    assert [(row["update"], row["reference"]) for row in near[:4]] == [(0, "2-gram"), (0, "plain"), (1, "2-gram"), (1, "plain")]
    assert {row["update"] for row in near} == {0, 1, 2, 4, 8, 12}
    assert {row["reference"] for row in rows(capsys, "dynamics", folder)} == {f"{n}-gram" for n in range(1, 7)}
    assert len(rows(capsys, "dynamics", folder, "--table", "nearest")) == 6
    tested = ["--hypothesis", "in_word", "--hypothesis", "word_position", "--split", "all"]
    units = rows(capsys, "dynamics", folder, *tested, "--table", "units", "--figures", tmp_path / "figures")
    assert len(units) == 2 * 6
    names = ["appearances.csv", "units.csv", "units.svg"]
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == names
    assert pd.read_csv(tmp_path / "figures" / "units.csv")["score"].tolist() == pytest.approx(
        [row["score"] for row in units], rel=1e-4
    )
    told = command("dynamics", folder, *tested, "--table", "appearances", "--table", "closest", "--figures", tmp_path / "figures")
    assert [line for line in told.stdout.splitlines() if line in ("appearances", "closest")] == ["appearances", "closest"]
    whole = [row["update"] for row in rows(capsys, "dynamics", folder, *tested, "--table", "appearances")]
    assert all(update is None or type(update) is int for update in whole)
    names += ["closest.csv", "difference.svg", "kl.csv", "kl.svg", "nearest.csv"]
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == sorted(names)
    for arguments, said in (
        ([plain], "keeps no weights on the way; train with snapshots (rs.Recipe(snapshots=4), on the command line --snapshots 4)"),
        ([folder, "--table", "kl", "--table", "units", "--csv"], "--csv prints one table, not 2"),
        ([folder, "--reference", "ngram:x"], "ngram:x is no model"),
        ([folder, "--table", "units", "--hypothesis", "in_wort"], "did you mean in_word"),
        ([folder, "--table", "units", "--hypothesis", "url", "--split", "all"], "no hypothesis can be tested on"),
        ([tmp_path], "is not a run"),
    ):
        status, error = fails(capsys, "dynamics", *arguments)
        assert status in (1, 2)
        assert said in error


def test_a_text_from_standard_input(text: str, tmp_path: Path) -> None:
    done = command("train", "-", "--out", tmp_path / "run", "--units", 4, "--epochs", 1, given=text.encode())
    assert done.returncode == 0, done.stderr
    error = command("record", tmp_path / "run", "--out", tmp_path / "t").stderr
    assert "was trained on a text that was not a file; name the text" in error


def test_doctor_says_what_networks_are_computed_with() -> None:
    found = {row["part"]: row["found"] for row in json.loads(command("doctor", "--json").stdout)}
    assert found["rnnscope"] == rs.__version__
    assert found["networks"] == recurrent.about()


def test_a_missing_kernel_is_said_once(tmp_path: Path) -> None:
    """An installation without a compiler works, and says in a line that it is slower."""
    (tmp_path / "text").write_text("ab, c\n" * 400, encoding="utf-8")
    code = (
        "from rnnscope.native import library\n"
        "library.library = lambda name: None\n"
        "from rnnscope.cli import main\n"
        "main(['train', 'text', '--out', 'run', '--units', '4', '--epochs', '1'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("rnnscope: networks are computed by torch")]
    assert len(said) == (sys.platform == "linux")
    assert "Warning" not in done.stderr
