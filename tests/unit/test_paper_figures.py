"""The paper's figures, made of a small network and a small text."""

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

import rnnscope as rs
from rnnscope.cli.paper import _FIGURES, paper
from rnnscope.exceptions import FormatError
from rnnscope.files import csv_of
from rnnscope.paper import figures
from rnnscope.paper import resting as resting_
from rnnscope.paper.material import Material
from rnnscope.views.drawn import write


@pytest.fixture
def material(run: rs.Run, model: rs.RecurrentLM, corpus: rs.Corpus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    for name in ("lstm-2-64", "lstm-1-64", "gru-1-64", "n-NN-3", "of-somebody"):
        shutil.copytree(run.path, tmp_path / "weights" / f"small-{name}")
    monkeypatch.setattr(Material, "whole", corpus)
    monkeypatch.setattr(Material, "network", model)
    monkeypatch.setattr(resting_, "BACK", 60)
    monkeypatch.setattr(resting_, "PLACES", 8)
    return Material("small", tmp_path / "weights")


def test_networks_are_known_by_their_entries(material: Material) -> None:
    assert [one.name for one in material.kept] == ["GRU-1 64", "LSTM-1 64", "LSTM-2 64", "3-NN"]
    assert material.best.kind == "LSTM"


BEST = {"best-lstm-saturation", "best-lstm-timescales"}  # the fixture's networks are alike: the best isn't the deepest


def titles_are_in_the_picture(figure: Figure) -> None:
    figure.draw_without_rendering()
    for axes in figure.axes:
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
            if text.get_text():
                box = text.get_window_extent()
                assert figure.bbox.padded(1).contains(*box.min), text
                assert figure.bbox.padded(1).contains(*box.max), text


def test_every_figure_has_its_tables(material: Material, tmp_path: Path) -> None:
    expected = {
        "figure1": {"agreement", "map", "tree"},
        "figure2": {"cells", "text"},
        "figure3": {"lstm-saturation", "lstm-timescales", "gru-saturation", "gru-timescales", *BEST},
        "figure4": {"models", "overlap", "gains"},
        "resting": {"lookback", "writes", "text"},
        "figure6": {"lstm", "smallest-lstm", "20-gram", "gained"} if material.best.layers == 2 else {"lstm", "20-gram"},
    }
    for name, tables in expected.items():
        drawn = figures.FIGURES[name](material)
        assert set(drawn.tables) == tables
        for picture in drawn.figures.values():
            titles_are_in_the_picture(picture)
        written = write(drawn, tmp_path / name, "small")
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
    shown: Any = cells.itertuples()
    for k, row in enumerate(shown):
        part = text[text["cell"] == k]
        at = part["position"].to_numpy()
        assert "".join(part["symbol"]) == material.test.to_str(int(at[0]), int(at[-1]) + 1)
        values = trace[row.signal][int(at[0]) : int(at[-1]) + 1, row.unit]
        assert part["value"].to_numpy() == pytest.approx(np.tanh(values), abs=1e-5)
        assert part["holds"].isna().all() == (row.measure == "correlation" or not row.claim)


def test_what_rests_is_of_the_unit_that_scores_find(material: Material, model: rs.RecurrentLM, tmp_path: Path) -> None:
    found = figures.FIGURES["resting"](material).tables
    trace = rs.record(model, material.test, tmp_path / "t", ["layer*/*"])
    best = rs.score(trace, ["text"], "cell", chance=False, controls=False).iloc[0]
    unit, half = f"{best['signal']}[{best['unit']}]", len(material.test) // 2
    assert found["lookback"]["target"].unique().tolist() == [
        "log p of the next symbol", unit, f"{unit} inside comments and strings"
    ]  # fmt: skip
    assert found["lookback"].groupby("target")["share"].sum().to_numpy() == pytest.approx(1)
    made = found["writes"]
    assert set(made["unit"]) == {unit}
    assert made["inside"].unique().tolist() == ["comments", "strings"]
    assert made[["opening", "soon", "since", "before"]].sum(axis=1).to_numpy() == pytest.approx(made["state"].to_numpy())
    assert made["told"].between(0, 1).all()
    one = found["text"]
    assert one["position"].min() >= half - 50
    held = float(trace[best["signal"]][one["position"].iloc[0], int(best["unit"])])
    assert one["part"].sum() == pytest.approx(held, abs=1e-5)
    assert "".join(one["symbol"][::-1]) == material.test.to_str(int(one["position"].iloc[-1]) + 1, int(one["position"].iloc[0]) + 1)
    again = figures.FIGURES["resting"](material).tables
    assert all(again[name].equals(found[name]) for name in found)


def test_csv_of_symbols_that_end_lines() -> None:
    table = pd.DataFrame({"symbol": ["\r", "\n", ",", '"', "é"], "gain": [0.123456789, 1, 2, 3, 4]})
    read = pd.read_csv(io.StringIO(csv_of(table), newline=""))
    assert read["symbol"].tolist() == table["symbol"].tolist()
    assert read["gain"].tolist() == table["gain"].tolist()
    assert csv_of(table[1:3], digits=2).splitlines()[0] == "symbol,gain"
    assert '"\r","0.12"' in csv_of(table, digits=2)


def test_a_network_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="holds no LSTM of warpeace; expected the folder of a run such as warpeace-lstm-2-256"):
        figures.make(tmp_path, "warpeace", ["figure4"])


def test_every_figure_has_its_command(tmp_path: Path) -> None:
    assert set(_FIGURES) == set(figures.FIGURES)
    assert set(paper.commands) == {"table1", "table2", "dynamics", "errors", "all", *_FIGURES}
    for name in ("figure6", "errors", "all"):
        done = CliRunner().invoke(paper, [name, "--corpus", "linux", "--results", str(tmp_path)])
        assert "holds no LSTM of linux" in str(done.exception)
