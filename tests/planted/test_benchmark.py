"""What is planted is found, by the whole benchmark, by files, and on the command line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr
from click.testing import CliRunner

import rnnscope as rs
from rnnscope.analysis.sources import FromModel
from rnnscope.cli.main import rnnscope as group
from rnnscope.exceptions import FormatError, InputError
from rnnscope.models.threads import computing
from rnnscope.planted import Task, judge, own
from rnnscope.planted.folder import read_truths
from rnnscope.planted.judging import COLUMNS
from rnnscope.planted.networks import HYPOTHESES
from rnnscope.planted.tasks import Truth, tasks

SMALL = ("--cells", "lstm", "--units", "24", "--symbols", "4000")


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("seed", range(3))
def test_every_planted_unit_ranks_first(cell: str, seed: int) -> None:
    task = next(tasks([cell], 1, 64, 30_000, seed))
    with computing():
        scored = rs.score(FromModel(task.made.model, task.read), task.hypotheses, chance=False, controls=False)
    scored["score"] = scored["auroc"].fillna(scored["correlation"])
    table = judge(scored.assign(network=task.name), [task.truth])
    assert (table["rank"] == 1).all(), table
    assert (table["score"] > 0.99).all(), table
    assert len(table) == len(task.truth.planted)
    said = scored.groupby(["hypothesis", "unit"])["polarity"].first()
    assert all(said[p.hypothesis, p.unit] == p.polarity for p in task.truth.planted)


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_planted_unit_is_a_finding_for_every_hypothesis(cell: str) -> None:
    task = next(tasks([cell], 1, 64, 30_000, 1))
    ranking = own(task)
    found = ranking[ranking["finding"]]
    planted = {(p.hypothesis, p.unit) for p in task.truth.planted}
    claimed = set(zip(found["hypothesis"], found["unit"], strict=True))
    assert {unit for _, unit in claimed - planted} <= set(task.truth.helpers)  # the first level of the GRU's counter is a latch
    assert set(found["hypothesis"]) == set(HYPOTHESES)


def correlation(task: Task) -> pd.DataFrame:
    """Somebody else's method: plain Pearson correlation."""
    rows = []
    for signal, values in task.values.items():
        for name, label in task.labels.items():
            for unit, value in enumerate(values.T):
                rows.append((name, signal, unit, abs(np.corrcoef(value, label)[0, 1])))
    return pd.DataFrame(rows, columns=["hypothesis", "signal", "unit", "score"])


def test_another_method_is_measured() -> None:
    table = rs.planted_benchmark(correlation, cells=["gru"], units=32, symbols=4000)
    assert list(table.columns) == list(COLUMNS)
    assert list(dict.fromkeys(table["task"])) == ["planted", "random", "shuffled"]
    planted, nothing = table[table["task"] == "planted"], table[table["task"] != "planted"]
    assert planted["found"].all()
    assert len(nothing) == 2 * len(HYPOTHESES)
    assert nothing["rank"].isna().all()
    assert not nothing["found"].any()  # it claims nothing


def test_files_are_judged_like_the_method_itself(tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    done = CliRunner().invoke(group, ["planted", *SMALL, "--out", str(folder)])
    assert done.exit_code == 0, done.output
    assert "3 networks" in done.output
    rows = []
    for truth in read_truths(folder):  # with xarray, pandas and scipy alone
        trace = xr.open_zarr(folder / truth.network / "trace")
        labels = pd.read_parquet(folder / truth.network / "labels.parquet")
        values = trace["layer0.cell"].to_numpy()
        assert values.shape == (len(labels), truth.units)
        for name in labels:
            for unit, value in enumerate(values.T):
                score = abs(float(scipy.stats.spearmanr(value, labels[name])[0]))
                rows.append((name, truth.network, "layer0/cell", unit, score))
    pd.DataFrame(rows, columns=["hypothesis", "network", "signal", "unit", "score"]).to_csv(tmp_path / "ranking.csv", index=False)
    done = CliRunner().invoke(group, ["planted", "--judge", str(tmp_path / "ranking.csv"), "--against", str(folder), "--json"])
    table = pd.DataFrame(json.loads(done.output))
    assert list(table.columns) == list(COLUMNS)
    assert table.loc[table["task"] == "planted", "found"].all()
    shuffled = table[table["task"] == "shuffled"]
    assert (shuffled["score"] < 0.3).all(), shuffled


def test_ranks_and_false_findings_by_hand() -> None:
    [planted] = [t.truth for t in tasks(["lstm"], 1, 24, 1000, 0) if t.truth.task == "planted"]
    random = Truth("noise", "lstm", 0, "random", 24, ("layer0/cell", "layer0/hidden"))
    first, second = [p.unit for p in planted.planted if p.hypothesis == "indentation"]
    [rival] = [p.unit for p in planted.planted if p.hypothesis == "double_quotes" and p.polarity == 1]
    scored = [(first, 0.5), (second, 0.9), (rival, 0.7), (planted.helpers[0], 1.0)]
    rows = [("indentation", planted.network, "layer0/cell", unit, score, False) for unit, score in scored]
    rows += [("column", "noise", "layer0/cell", 3, 0.2, False), ("column", "noise", "layer0/hidden", 5, 0.1, True)]
    ranking = pd.DataFrame(rows, columns=["hypothesis", "network", "signal", "unit", "score", "finding"])
    table = judge(ranking, [planted, random])

    def ranks(hypothesis: str) -> dict[int, object]:
        rows = table[(table["network"] == planted.network) & (table["hypothesis"] == hypothesis)]
        return {unit: None if pd.isna(rank) else rank for unit, rank in zip(rows["unit"], rows["rank"], strict=True)}

    assert ranks("indentation") == {first: 2, second: 1}
    assert set(ranks("double_quotes").values()) == {None}
    noise = table[(table["network"] == "noise") & (table["hypothesis"] == "column")]
    assert noise[["unit", "score", "found"]].to_numpy().tolist() == [[3, 0.2, True]]
    assert int(table["found"].sum()) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": None}, "has no column score"),
        ({"network": "other"}, "network 'other', which isn't there"),
        ({"hypothesis": "colum"}, "hypothesis 'colum', which isn't there"),
        ({"signal": "cell"}, "signal 'cell' of noise, which isn't there; expected one of layer0/cell, layer0/hidden"),
        ({"unit": 24}, "whole numbers from 0"),
        ({"unit": 1.5}, "whole numbers from 0"),
        ({"unit": "x"}, "whole numbers from 0"),
        ({"score": "high"}, "score 'high', which is no number"),
    ],
)
def test_a_ranking_that_makes_no_sense_is_refused(change: dict[str, object], message: str) -> None:
    row = {"hypothesis": "column", "network": "noise", "signal": "layer0/cell", "unit": 1, "score": 0.5} | change
    ranking = pd.DataFrame([{name: value for name, value in row.items() if value is not None}])
    with pytest.raises(InputError, match=message):
        judge(ranking, [Truth("noise", "lstm", 0, "random", 24, ("layer0/cell", "layer0/hidden"))])


def test_folders_and_options_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is missing; expected a benchmark"):
        read_truths(tmp_path)
    (tmp_path / "planted.json").write_text('{"format": 2}')
    with pytest.raises(FormatError, match="has the format 2; expected 1"):
        read_truths(tmp_path)
    (tmp_path / "planted.json").write_text('{"format": 1, "networks": [{"cell": 1}]}')
    with pytest.raises(FormatError, match="is damaged"):
        read_truths(tmp_path)
    for given in (["--judge", "x.csv"], ["--against", "x"], ["--judge", "x.csv", "--against", "x", "--out", "y"]):
        done = CliRunner().invoke(group, ["planted", *given])
        assert "give" in str(done.exception)
