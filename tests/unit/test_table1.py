"""Table 1: where a run belongs, what is kept, what stands beside the paper."""

import json
from pathlib import Path

import pytest

import rnnscope as rs
from rnnscope.cli import main
from rnnscope.exceptions import FormatError
from rnnscope.files import read_json
from rnnscope.paper.table1 import CELLS, SIZES, collect, follows_protocol, place_of, published, table1
from rnnscope.sweeps.grid import read_grid
from tests.conftest import real

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of one entry of the table, the second better, both far from trained; and one that belongs nowhere."""
    real("warpeace_input.txt")
    folder = tmp_path_factory.mktemp("runs")
    corpus = rs.corpus("warpeace")
    for name, units, updates in (("short", 64, 2), ("longer", 64, 6), ("other", 65, 1)):
        recipe = rs.recipe("karpathy2015", architecture=rs.Architecture("lstm", 1, units), epochs=1, updates=updates)
        rs.train(recipe, corpus, folder / name)
    return folder


def test_published_numbers() -> None:
    assert published("warpeace", "lstm", 1, 64) == 1.449
    assert published("warpeace", "gru", 2, 64) == 1.373
    assert published("linux", "rnn", 3, 256) == 1.116
    assert published("linux", "rnn", 1, 512) is None
    assert published("linux", "gru", 3, 512) == 0.829


@pytest.fixture
def any_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that were trained for a few updates only count, too."""
    monkeypatch.setattr("rnnscope.paper.table1.follows_protocol", lambda run: True)


def test_only_runs_of_the_papers_protocol_count(runs: Path, tmp_path: Path) -> None:
    assert collect(runs, tmp_path / "table1") == []  # one epoch each
    kept = rs.Run(Path(__file__).parents[2] / "results" / "paper" / "weights" / "warpeace-lstm-2-256")
    assert follows_protocol(kept)
    assert not follows_protocol(rs.Run(runs / "longer"))


@pytest.mark.usefixtures("any_protocol")
@pytest.mark.slow
def test_the_better_run_of_an_entry_stays(runs: Path, tmp_path: Path) -> None:
    assert place_of(rs.Run(runs / "longer")) == ("warpeace", "lstm", 1, 64)
    assert place_of(rs.Run(runs / "other")) is None
    written = collect(runs / "longer", tmp_path / "table1")
    assert [path.name for path in written] == ["warpeace-lstm-1-64.json"]
    assert collect(runs, tmp_path / "table1") == []  # what is there is better, and the third belongs nowhere
    row = read_json(written[0], "a result")
    assert {
        "corpus", "cell", "layers", "size", "units", "parameters", "test_nats", "test_deviation", "validation_nats", "recipe",
        "corpus_fingerprint", "updates", "seconds", "machine", "commit",
    } <= row.keys()  # fmt: skip
    found = rs.evaluate(rs.load(runs / "longer"), rs.corpus("warpeace").split("test"))
    assert (row["test_nats"], row["test_deviation"], found.symbols) == (found.nats, found.deviation, 330_000)
    assert row["updates"] == 6

    table = table1(tmp_path / "table1", ("warpeace",))
    assert len(table) == len(CELLS) * len(SIZES) * 3
    beside = table[table["difference"].notna()]
    assert list(beside["size"]) == [64]
    assert beside["difference"].iloc[0] == pytest.approx(found.nats - 1.449)


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_the_command_prints_what_is_missing_too(form: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    results = Path(__file__).parents[2] / "results" / "paper"
    with pytest.raises(SystemExit) as left:
        main(["paper", "table1", "--results", str(results), "--corpus", "warpeace", *form])
    assert not left.value.code
    printed = capsys.readouterr().out
    assert "1.449" in printed
    if form == ["--json"]:
        rows = json.loads(printed)
        assert len(rows) == 36
        assert all(row["difference"] is None for row in rows if row["paper"] is None or row["test_nats"] is None)


@pytest.mark.usefixtures("any_protocol")
@pytest.mark.slow
def test_the_best_weights_are_kept_in_half_precision(runs: Path, tmp_path: Path) -> None:
    entry, kept = collect(runs / "longer", tmp_path / "table1", weights=tmp_path / "weights")
    assert kept.name == entry.stem == "warpeace-lstm-1-64"
    assert collect(runs, tmp_path / "table1", weights=tmp_path / "weights") == []
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (kept, runs / "longer")]
    assert sizes[0] < 0.6 * sizes[1]
    part = rs.corpus("warpeace").split("test").head(20_000)
    half, full = rs.evaluate(rs.load(kept), part), rs.evaluate(rs.load(runs / "longer"), part)
    assert half.nats == pytest.approx(full.nats, abs=1e-3)


def test_a_folder_without_runs(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="holds no run; expected the folder of a sweep or of a run"):
        collect(tmp_path, tmp_path / "table1")


def test_the_recipes_are_the_papers_grid() -> None:
    real("warpeace_input.txt"), real("linux_input.v4.1-rc6.txt")
    points = read_grid(RECIPES / "table1.toml")
    assert len(points) == 2 * 4 * 3 * 3
    assert points[0].name == "warpeace_size64_lstm_layers1"
    assert {p.recipe.architecture.units for p in points if p.text == "linux" and p.varied["architecture.size"] == 512} == {
        512, 310, 243, 1048, 628, 492, 596, 359, 282
    }  # fmt: skip
    assert len(read_grid(RECIPES / "table1-small.toml")) == 12


@pytest.mark.parametrize("content", ["[]", "{}", "{", '{"test_nats": "low"}'])
def test_a_damaged_entry_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "warpeace-lstm-1-64.json").write_text(content)
    with pytest.raises(FormatError, match=r"warpeace-lstm-1-64\.json is damaged"):
        table1(tmp_path)
