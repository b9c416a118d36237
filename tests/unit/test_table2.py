"""Table 2: what was counted and trained beside what was published."""

import json
from pathlib import Path

import pytest

import rnnscope as rs
from rnnscope.cli import main
from rnnscope.exceptions import FormatError
from rnnscope.files import read_json
from rnnscope.paper.table2 import CONTEXTS, collect, count, published, table2
from tests.conftest import real

RESULTS = Path(__file__).parents[2] / "results" / "paper"


def test_published_numbers() -> None:
    assert published("warpeace", "n-gram", 20) == 1.195
    assert published("linux", "n-NN", 6) == 1.376
    assert published("linux", "n-gram", 9) == 0.933
    assert published("linux", "n-NN", 20) is None


def test_counted_entries(tmp_path: Path) -> None:
    real("warpeace_input.txt")
    written = count(tmp_path, ("warpeace",))
    assert len(written) == len(CONTEXTS)
    table = table2(tmp_path, ("warpeace",))
    beside = table[table["model"] == "n-gram"]
    assert beside["difference"].abs().max() < 0.001
    assert (beside["apart_nats"] < beside["test_nats"]).all()
    entry = read_json(written[0], "an entry")
    assert {"corpus", "model", "context", "test_nats", "test_deviation", "corpus_fingerprint", "machine", "commit"} <= entry.keys()


@pytest.mark.slow
def test_the_better_n_nn_stays(tmp_path: Path) -> None:
    real("warpeace_input.txt")
    corpus = rs.corpus("warpeace")
    for name, updates, context in (("shorter", 2, 2), ("longer", 6, 2), ("wide", 2, 30)):
        architecture = rs.Architecture("window", units=16, context=context)
        rs.train(rs.Recipe(architecture=architecture, updates=updates), corpus, tmp_path / "runs" / name)
    written = collect(tmp_path / "runs", tmp_path / "table2")
    assert [path.name for path in written] == ["warpeace-n-NN-2.json"]  # the paper has none of 30 symbols
    entry = read_json(written[0], "an entry")
    assert (entry["updates"], entry["units"], entry["context"]) == (6, 16, 2)
    found = rs.evaluate(rs.load(tmp_path / "runs" / "longer"), corpus.split("test"))
    assert entry["test_nats"] == found.nats
    assert collect(tmp_path / "runs", tmp_path / "table2") == []
    with pytest.raises(FormatError, match="holds no run"):
        collect(tmp_path / "table2", tmp_path / "other")


def test_what_is_in_the_repository(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["paper", "table2", "--results", str(RESULTS), "--json"])
    assert not left.value.code
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 2 * (10 + 6)
    ours = {(row["corpus"], row["model"], row["context"]): row["difference"] for row in rows}
    assert all(abs(ours["warpeace", "n-gram", context]) < 0.001 for context in CONTEXTS)


def test_a_damaged_entry(tmp_path: Path) -> None:
    entry = tmp_path / "warpeace-n-gram-3.json"
    for damaged in ('{"test_nats": "low"}', '{"test_nats": NaN}', '{"test_nats": true}'):
        entry.write_text(damaged)
        with pytest.raises(FormatError, match="no number test_nats"):
            table2(tmp_path, ("warpeace",))
    entry.write_text('{"test_nats": 1.5, "test_deviation": 0.1, "corpus": "warpeace", "model": "n-gram", "context": 4}')
    with pytest.raises(FormatError, match=r"is an entry of .*4.*, not of .*3"):
        table2(tmp_path, ("warpeace",))
