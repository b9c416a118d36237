"""Scores from counts, against scikit-learn, SciPy and loops by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import false_discovery_control, pearsonr, spearmanr
from sklearn.metrics import f1_score, jaccard_score, mutual_info_score, roc_auc_score

import rnnscope as rs
from rnnscope.analysis import measures
from rnnscope.analysis.bins import Bins
from rnnscope.analysis.chance import benjamini_hochberg
from rnnscope.analysis.hypotheses.base import label
from tests.unit.test_analysis import write


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, text: str) -> tuple[Any, Any, Any]:
    """Units that know something of some labels, with outliers, saturation and whole numbers; on 100,000 symbols."""
    corpus = rs.Corpus.from_text(text * 8, language="python")
    tested = rs.hypotheses(["comment", "in_word", "number", "condition", "column", "word_position", "indentation", "word_class"])
    labels = label(tested, corpus)
    generator = np.random.default_rng(0)
    known = [np.nan_to_num(labels[h.name]) for h in tested]
    values = np.stack([k * generator.uniform(0.2, 2) + generator.normal(size=len(corpus)) for k in known for _ in range(2)], axis=1)
    values[:, 1] = np.exp(2 * values[:, 1])
    values[:, 3] = 1 / (1 + np.exp(-20 * values[:, 3]))
    values[:, 5] = np.rint(values[:, 5])
    values[:, 7] *= -1
    trace = write(tmp_path_factory.mktemp("golden") / "t", corpus, layer0__cell=values)
    return rs.score(trace, tested, "cell", controls=False), labels, trace["layer0/cell"][:]


def test_every_score(scored: tuple[Any, Any, Any]) -> None:
    table, labels, values = scored
    half = len(values) // 2
    for row in table.itertuples():
        truth, value = labels[row.hypothesis][half:], row.polarity * values[half:, row.unit]
        there = ~np.isnan(truth)
        truth, value = truth[there], value[there]
        if row.kind == "categorical":
            continue
        assert row.correlation == pytest.approx(spearmanr(value, truth).statistic, abs=2e-3), row
        if row.kind != "binary":
            continue
        assert row.auroc == pytest.approx(roc_auc_score(truth, value), abs=1e-3), row
        assert row.point_biserial == pytest.approx(pearsonr(value, truth).statistic, abs=1e-4), row
        raw = values[half:, row.unit][there]
        said = raw >= np.float32(row.threshold) if row.side > 0 else raw < np.float32(row.threshold)
        assert row.f1 == pytest.approx(f1_score(truth, said), abs=1e-9), row
        assert row.iou == pytest.approx(jaccard_score(truth, said), abs=1e-9), row


def test_the_threshold_is_the_best_of_the_first_half(scored: tuple[Any, Any, Any]) -> None:
    table, labels, values = scored
    half = len(values) // 2
    row = table[(table["hypothesis"] == "comment")].iloc[0]
    truth, value = labels["comment"][:half] > 0, values[:half, int(row["unit"])]
    best = max(
        f1_score(truth, said)
        for edge in np.quantile(value, np.linspace(0.001, 0.999, 400))
        for said in (value >= edge, value < edge)
    )
    said = value >= np.float32(row["threshold"]) if row["side"] > 0 else value < np.float32(row["threshold"])
    assert f1_score(truth, said) == pytest.approx(best, abs=3e-3)


def test_dwell_by_hand(scored: tuple[Any, Any, Any]) -> None:
    table, _, values = scored
    half = len(values) // 2
    for row in table[table["kind"] == "binary"].groupby("hypothesis").head(3).itertuples():
        raw = values[half:, row.unit]
        said = raw >= np.float32(row.threshold) if row.side > 0 else raw < np.float32(row.threshold)
        begun = (said & ~np.concatenate([[False], said[:-1]])).sum()
        assert row.dwell == pytest.approx(said.sum() / begun, rel=1e-9)


def test_information_without_what_chance_finds() -> None:
    generator = np.random.default_rng(1)
    x, y = generator.integers(0, 40, 4000), generator.integers(0, 5, 4000)
    joint = np.zeros((40, 5))
    np.add.at(joint, (x, y), 1)
    plain = mutual_info_score(x, y) / np.log(2)
    assert plain > 0.02
    assert measures.information(joint) < 0.006  # independent; Miller and Madow's correction takes off nearly all
    known = np.zeros((40, 5))
    np.add.at(known, (x, x % 5), 1)
    assert measures.information(known) == pytest.approx(np.log2(5), abs=0.01)
    assert measures.entropy(np.array([1.0, 1, 2])) == pytest.approx(1.5)


def test_benjamini_and_hochberg_by_hand() -> None:
    np.testing.assert_allclose(benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.5])), [0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert len(benjamini_hochberg(np.array([]))) == 0
    for seed in range(20):
        p = np.random.default_rng(seed).random(30) ** 3
        np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p))


@pytest.mark.parametrize("shape", ["normal", "heavy", "saturated", "whole"])
def test_bins_keep_auroc_to_a_thousandth(shape: str) -> None:
    generator = np.random.default_rng(2)
    truth = generator.random(200_000) < 0.02
    value = generator.normal(size=200_000) + 1.3 * truth
    value = {"normal": value, "heavy": np.sinh(3 * value), "saturated": np.tanh(6 * value), "whole": np.rint(3 * value)}[shape]
    value = value.astype(np.float32)[:, None]
    bins = Bins.of(value[:: len(value) // 16_384])
    codes = bins.codes(value)[0]
    high, all_ = (
        np.bincount(codes, weights=w, minlength=256)[None].astype(np.float64) for w in (truth.astype(float), np.ones(len(truth)))
    )
    assert measures.auroc(high, all_)[0] == pytest.approx(roc_auc_score(truth, value[:, 0]), abs=1e-3)


def test_a_value_that_is_no_number_is_named(tmp_path: Path, corpus: rs.Corpus) -> None:
    values = np.zeros((len(corpus), 3))
    values[:, 1] = np.nan
    with pytest.raises(rs.RnnscopeError, match="unit 1 of layer0/cell has a value that is no finite number"):
        rs.score(write(tmp_path / "t", corpus, layer0__cell=values), rs.hypotheses("comment"), "cell")


def test_a_value_that_is_no_number_is_named_wherever_it_is(tmp_path: Path, corpus: rs.Corpus) -> None:
    text = rs.Corpus.from_text(corpus.to_str() * 8, language="python")
    values = np.zeros((len(text), 3))
    values[30_300, 2] = np.inf
    with pytest.raises(rs.RnnscopeError, match=r"unit 2 of layer0/cell (is inf at position 30,300|has a value)"):
        rs.score(write(tmp_path / "t", text, layer0__cell=values), rs.hypotheses("comment"), "cell")


def test_a_unit_that_is_rarely_on_is_told_from_a_constant(tmp_path: Path, corpus: rs.Corpus) -> None:
    """Its ones may all be missing from the sample that bins are made of."""
    text = rs.Corpus.from_text(corpus.to_str() * 8, language="python")
    rare = np.zeros(len(text))
    rare[np.random.default_rng(0).choice(len(text), 60, replace=False)] = 1
    claim = rs.hypothesis("rare", function=lambda passage: rare)
    values = np.stack([rare, -rare, np.random.default_rng(1).normal(size=len(text))], axis=1)
    table = rs.score(write(tmp_path / "t", text, layer0__cell=values), [claim], "cell").set_index("unit")
    assert table.loc[[0, 1], "auroc"].tolist() == [1.0, 1.0]
    assert table.loc[[0, 1], "f1"].tolist() == [1.0, 1.0]


def test_bins_fit_what_is_in_the_middle_of_a_text(tmp_path: Path, corpus: rs.Corpus) -> None:
    text = rs.Corpus.from_text(corpus.to_str() * 8, language="python")
    truth = label(rs.hypotheses("comment"), text)["comment"]
    generator = np.random.default_rng(0)
    value = generator.normal(size=len(text)) + truth + np.linspace(0, 20, len(text))
    value[40_000:60_000] = 50 + 0.1 * generator.normal(size=20_000) + 0.1 * truth[40_000:60_000]
    trace = write(tmp_path / "t", text, layer0__cell=value[:, None])
    half = len(text) // 2
    [found] = rs.score(trace, rs.hypotheses("comment"), "cell")["auroc"]
    assert found == pytest.approx(roc_auc_score(truth[half:], trace["layer0/cell"][half:, 0]), abs=2e-3)
