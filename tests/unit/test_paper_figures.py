"""The paper's figures, made of a small network and a small text."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import rnnscope as rs
from rnnscope.cli.paper import _FIGURES, paper
from rnnscope.exceptions import FormatError
from rnnscope.files import csv_of
from rnnscope.paper import figures
from rnnscope.paper.figures import Material


@pytest.fixture
def material(model: rs.RecurrentLM, corpus: rs.Corpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    (tmp_path / "weights" / "small-lstm").mkdir(parents=True)
    monkeypatch.setattr("rnnscope.training.Run.open", lambda path: None)
    monkeypatch.setattr(Material, "whole", corpus)
    monkeypatch.setattr(Material, "network", model)
    return Material("small", tmp_path / "weights")


def test_every_figure_has_its_tables(material: Material, tmp_path: Path) -> None:
    expected = {
        "figure1": {"agreement", "map", "tree"},
        "figure2": {"cells", "text"},
        "figure3": {"saturation", "timescales"},
        "figure4": {"models", "overlap", "gains"},
        "figure6": {"lstm", "20-gram"},
    }
    for name, tables in expected.items():
        drawn = figures.FIGURES[name](material)
        assert set(drawn.tables) == tables
        written = figures.write(drawn, tmp_path / name, "small")
        assert {path.suffix for path in written} == {".csv", ".svg"}
        for path in written:
            assert path.stat().st_size
            if path.suffix == ".csv":
                assert len(pd.read_csv(path)) == len(drawn.tables[path.stem.removeprefix("small-")])
            else:
                assert path.read_text().startswith("<svg")
    errors = pd.read_csv(tmp_path / "figure6" / "small-lstm.csv")
    assert errors["share"].sum() == pytest.approx(1, abs=1e-4)


def test_the_cells_of_figure_2_are_those_that_scores_find(material: Material, model: rs.RecurrentLM, tmp_path: Path) -> None:
    found = figures.FIGURES["figure2"](material).tables
    cells, text = found["cells"], found["text"]
    trace = rs.record(model, material.test, tmp_path / "t", ["layer*/cell", "log_prob"])
    scores = rs.score(trace, ["text", "curly_depth"], "cell", chance=False, controls=False)
    for name in ("text", "curly_depth"):
        best = scores[scores["hypothesis"] == name].iloc[0]
        row = cells[cells["claim"] == name].iloc[0]
        assert (row["signal"], row["unit"]) == (best["signal"], best["unit"])
        assert row["score"] == pytest.approx(abs(best["auroc" if name == "text" else "correlation"]))
    assert cells["claim"].iloc[-1] == ""
    assert cells["score"].iloc[-1] < cells[cells["measure"] == "auroc"]["score"].iloc[:-1].max()
    rows: list[dict[str, Any]] = cells.to_dict("records")  # type: ignore[assignment]
    for k, shown in enumerate(rows):
        part = text[text["cell"] == k]
        at = part["position"].to_numpy()
        assert "".join(part["symbol"]) == material.test.to_str(int(at[0]), int(at[-1]) + 1)
        values = trace[shown["signal"]][int(at[0]) : int(at[-1]) + 1, shown["unit"]]
        assert part["value"].to_numpy() == pytest.approx(np.tanh(values), abs=1e-5)
        assert part["holds"].isna().all() == (shown["measure"] == "correlation" or not shown["claim"])


def test_csv_of_symbols_that_end_lines() -> None:
    table = pd.DataFrame({"symbol": ["\r", "\n", ",", '"', "é"], "gain": [0.123456789, 1, 2, 3, 4]})
    read = pd.read_csv(io.StringIO(csv_of(table), newline=""))
    assert read["symbol"].tolist() == table["symbol"].tolist()
    assert read["gain"].tolist() == table["gain"].tolist()
    assert csv_of(table[1:3], digits=2).splitlines()[0] == "symbol,gain"
    assert '"\r","0.12"' in csv_of(table, digits=2)


def test_a_network_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="warpeace-lstm is missing; expected a run"):
        figures.make(tmp_path, "warpeace", ["figure4"])


def test_every_figure_has_its_command(tmp_path: Path) -> None:
    assert set(_FIGURES) == set(figures.FIGURES)
    assert set(paper.commands) == {"table1", "table2", "errors", "all", *_FIGURES}
    for name in ("figure6", "errors", "all"):
        done = CliRunner().invoke(paper, [name, "--corpus", "linux", "--results", str(tmp_path)])
        assert "linux-lstm is missing" in str(done.exception)
