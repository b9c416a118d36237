"""From a trace to findings: untrained networks, ablations, cards, and what is said where there is no network."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rnnscope as rs
from rnnscope.analysis import significance
from rnnscope.analysis.hypotheses.base import label
from rnnscope.analysis.shares import interpretable
from rnnscope.exceptions import UsageError
from rnnscope.findings import cards as cards_
from rnnscope.findings import examine
from rnnscope.findings.cards import AFTER, BEFORE, cards
from rnnscope.findings.causal import COLUMNS, causal, excerpt, needed
from rnnscope.findings.connections import connections
from rnnscope.views.report import in_order
from tests.unit.test_analysis import write

TESTED = ["comment", "column", "in_word", "word_class", "newline"]


@pytest.fixture(scope="module")
def found(trace: rs.Trace) -> pd.DataFrame:
    return examine(trace, rs.hypotheses(TESTED), ablated=True)


def test_everything_is_in_one_table(found: pd.DataFrame, trace: rs.Trace) -> None:
    assert set(found["hypothesis"]) == set(TESTED)
    assert set(significance.COLUMNS) <= set(found)
    assert found[["p_value", "p_last_symbol", "p_untrained", "untrained", "probe", "rotated"]].notna().all().all()
    assert (found["q_value"] >= found[["p_value", "p_last_symbol", "p_untrained"]].max(axis=1) - 1e-12).all()
    assert (found["low"] <= found["score"]).all()
    assert (found["score"] <= found["high"]).all()
    newline = found.set_index("hypothesis").loc["newline"]
    assert newline["last_symbol"] == 1.0
    assert not newline["significant"]
    assert len(found.attrs["scores"]) == len(TESTED) * 48


def test_ablations_are_of_significant_units(found: pd.DataFrame) -> None:
    assert found.loc[~found["significant"], list(COLUMNS)].isna().all().all()


def test_a_loss_is_what_ablating_by_hand_gives(model: rs.RecurrentLM, trace: rs.Trace) -> None:
    row = pd.DataFrame([{"hypothesis": "column", "signal": "layer1/cell", "unit": 3}])
    effect = causal(model, trace.corpus, row, rs.hypotheses("column")).iloc[0]
    text = excerpt(trace.corpus)
    quiet = rs.ablate(model, {"layer1/cell": [3]}, to="mean")
    losses = []
    for one in (model, quiet):
        values = np.empty(len(text))
        for block in one.read(text, ["log_prob"]):
            values[block.start : block.stop] = -block.arrays["log_prob"]
        losses.append(values)
    ends = np.array([c == "\n" for c in text.to_str()])
    critical = np.append(ends[1:], False)
    critical[text.bounds[1:] - 1] = False
    rise = losses[1] - losses[0]
    assert effect["loss_critical"] == pytest.approx(rise[critical].mean(), rel=1e-6)
    assert effect["loss_elsewhere"] == pytest.approx(np.nanmean(rise[~critical]), rel=1e-6)
    assert effect["critical"] == critical.sum()
    assert 1 / 12 <= effect["p_causal"] <= 1


def test_an_excerpt_is_of_the_half_that_is_reported_on(corpus: rs.Corpus) -> None:
    text = excerpt(corpus)
    assert text.origins.min() >= len(corpus) // 2
    for (start, stop), origin in zip(text.spans(), text.origins, strict=True):
        assert text.to_str(start, stop) == corpus.to_str(int(origin), int(origin) + stop - start)


def test_without_a_network_there_are_scores_and_a_clear_word(corpus: rs.Corpus, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(len(corpus), 8))
    values[:, 2] += 6 * label(rs.hypotheses("comment"), corpus)["comment"]
    trace = write(tmp_path / "t", corpus, layer0__cell=values)
    tested = rs.hypotheses("comment")
    best = examine(trace, tested, "cell")
    assert best["finding"].tolist() == [True]
    assert np.isnan(best["p_untrained"][0])
    with pytest.raises(UsageError, match="has no recurrent network at hand"):
        examine(trace, tested, "cell", ablated=True)
    noise = [
        write(tmp_path / str(k), corpus, layer0__cell=np.random.default_rng(k).normal(size=(len(corpus), 8))) for k in range(1, 5)
    ]
    against = examine(trace, tested, "cell", untrained=noise)
    assert against["finding"].tolist() == [True]
    assert against["p_untrained"][0] < 1e-2
    assert examine(noise[0], tested, "cell", untrained=noise[1:])["significant"].tolist() == [False]
    other = write(tmp_path / "other", rs.Corpus.from_text("another text " * 99), layer0__cell=np.zeros((1287, 8)))
    narrow = write(tmp_path / "narrow", corpus, layer0__cell=values[:, :4])
    wrong: list[tuple[Any, str]] = [
        ([other], "is of another text"),
        ([noise[0], noise[0]], "was given already, and no control"),
        ([trace], "is of the network that was recorded, and no control"),
        ([narrow], "has 4 units in layer0/cell, .* has 8 units in layer0/cell"),
        (noise[0], "expected a list of traces or models"),
        ([3], "expected a list of traces or models"),
    ]
    for given, said in wrong:
        with pytest.raises(UsageError, match=said):
            examine(trace, tested, "cell", untrained=given)


def test_a_card_shows_what_there_is(corpus: rs.Corpus, tmp_path: Path) -> None:
    tested = rs.hypotheses(["comment", "column"])
    labels = label(tested, corpus)
    values = np.random.default_rng(0).normal(size=(len(corpus), 4)) * 0.1
    values[:, 1] += labels["comment"]
    values[:, 2] -= labels["column"]
    keep = np.full((len(corpus), 4), 0.9)
    trace = write(tmp_path / "t", corpus, layer0__cell=values, layer0__forget=keep)
    best = rs.best_units(rs.score(trace, tested, "cell"))
    made = {card.hypothesis: card for card in cards(trace, best, tested)}
    comment, column = made["comment"], made["column"]
    for card in made.values():
        for shares in card.histogram.shares.values():
            assert sum(shares) == pytest.approx(1)
        assert len(card.strongest) == len(card.wrong) == cards_.EXCERPTS
        for excerpt_ in (*card.strongest, *card.wrong):
            assert corpus.to_str(excerpt_.position, excerpt_.position + 1) == excerpt_.symbol
            assert corpus.to_str(excerpt_.position - len(excerpt_.before), excerpt_.position) == excerpt_.before
            assert excerpt_.position >= len(corpus) // 2
    assert all(labels["comment"][e.position] for e in comment.strongest)
    assert comment.event is not None
    assert comment.event.mean[BEFORE - 1] < 0.3 < 0.7 < comment.event.mean[BEFORE]
    assert len(comment.event.mean) == BEFORE + AFTER + 1
    assert column.event is not None
    assert column.event.mean[BEFORE - 1] < column.event.mean[BEFORE]  # upside down: it rises where the line ends
    assert comment.memory is None  # the equation of the given gate says nothing of keeping


def test_a_card_of_a_claim_that_does_not_apply_where_it_looks(corpus: rs.Corpus, tmp_path: Path) -> None:
    trace = write(tmp_path / "t", corpus, layer0__cell=np.random.default_rng(0).normal(size=(len(corpus), 4)))
    for kind in ("graded", "categorical", "binary"):
        never = rs.hypothesis("never", function=lambda text: np.full(len(text), np.nan), kind=kind)
        row = pd.DataFrame([{"hypothesis": "never", "kind": kind, "signal": "layer0/cell", "unit": 2, "polarity": 1}])
        [card] = cards(trace, row, [never])
        assert (card.histogram.shares, card.strongest, card.wrong, card.event) == ({}, [], [], None)


def test_memory_is_how_long_a_state_lasts(trace: rs.Trace) -> None:
    row = pd.DataFrame([{"hypothesis": "comment", "kind": "binary", "signal": "layer0/cell", "unit": 2, "polarity": 1}])
    [card] = cards(trace, row, rs.hypotheses("comment"))
    forget = trace["layer0/forget"][len(trace) // 2 :, 2].astype(float)
    assert card.memory == pytest.approx(-1 / np.log(np.median(forget)), rel=1e-5)


def test_connections_are_the_largest_weights(model: rs.RecurrentLM) -> None:
    known = connections(model, "layer1/cell", 3)
    layer = model.stack[1]
    row = layer.weight_ih[layer.units + 3].detach().numpy()  # the forget gate's
    strongest = int(np.abs(row).argmax())
    name, weight = known["in"]["forget"][0]
    assert name == f"layer0 {strongest}"
    assert weight == pytest.approx(float(row[strongest]))
    name, weight = known["out"]["next symbol"][0]
    column = model.readout.weight[:, 3].detach().numpy()
    assert weight == pytest.approx(float(column[np.abs(column).argmax()]))
    assert set(connections(model, "layer0/cell", 0)["out"]) == {"this layer", "next layer"}
    assert connections(model, "layer0/cell", 0)["in"]["input"][0][0].startswith("“")


def test_shares_by_hand() -> None:
    table = pd.DataFrame(
        {
            "hypothesis": ["a", "a", "b", "b", "easy", "easy", "column", "column"],
            "kind": ["binary"] * 6 + ["graded"] * 2,
            "signal": "layer0/cell",
            "unit": [0, 1] * 4,
            "auroc_selection": [0.9, 0.6, 0.7, 0.8, 1.0, 1.0, np.nan, np.nan],
            "auroc": [0.85, 0.99, 0.99, 0.75, 1.0, 1.0, np.nan, np.nan],
        }
    )
    found = interpretable({"trained": table}, ["a", "b"], [0.7, 0.8, 0.9])
    assert found["share"].tolist() == [1.0, 0.5, 0.0]  # unit 0 tells a with 0.85, unit 1 b with 0.75
    assert set(found["units"]) == {2}


def test_a_run_that_was_moved_serves_as_the_one_that_was_recorded(run: rs.Run, corpus: rs.Corpus, tmp_path: Path) -> None:
    shutil.copytree(run.path, tmp_path / "run")
    rs.record(rs.load(tmp_path / "run"), corpus.head(4000), tmp_path / "t", ["layer*/cell"])
    (tmp_path / "run").rename(tmp_path / "moved")
    trace, tested = rs.open_trace(tmp_path / "t"), rs.hypotheses("column")
    assert np.isnan(examine(trace, tested)["p_untrained"][0])
    moved = examine(trace, tested, run=rs.Run.open(tmp_path / "moved"), ablated=True)
    assert 0 < moved["p_untrained"][0] <= 1


def test_what_makes_no_sense_is_refused(trace: rs.Trace) -> None:
    [column] = rs.hypotheses("column")
    with pytest.raises(UsageError, match="two hypotheses are called 'column'"):
        rs.score(trace, [column, column])
    with pytest.raises(UsageError, match="threads is a whole number of at least 1, not -1"):
        rs.score(trace, [column], threads=-1)
    with pytest.raises(UsageError, match=r"seed is a whole number of at least 0, not 1\.5"):
        rs.score(trace, [column], seed=1.5)  # type: ignore[arg-type]
    assert np.isnan(rs.best_units(rs.score(trace, [column], chance=False))["q_value"][0])


def test_what_an_ablation_says() -> None:
    """The loss where it should rise, elsewhere, and the share of other units without which it rises as much."""
    cases = {
        "yes": [(0.83, 0.006, 0.05), (0.1, -0.2, 0.05)],
        "unclear": [(0.035, 0.022, 0.10), (0.9, 0.0, 1 / 12)],
        "no": [(-0.002, 0.017, 0.65), (-0.01, -0.02, 0.05), (0.01, 0.02, 0.05)],
        "": [(np.nan, 0.01, np.nan)],
    }
    rows = [(word, *case) for word, some in cases.items() for case in some]
    table = pd.DataFrame(rows, columns=["expected", "loss_critical", "loss_elsewhere", "p_causal"])
    assert needed(table).tolist() == table["expected"].tolist()
    assert needed(table[["expected"]]).tolist() == [""] * len(table)


def test_a_page_begins_with_the_findings_that_the_network_needs() -> None:
    table = pd.DataFrame(
        [("idle", True, -0.002, 0.65), ("weak", False, 0.9, 0.05), ("used", True, 0.8, 0.05), ("untold", True, np.nan, np.nan)],
        columns=["hypothesis", "finding", "loss_critical", "p_causal"],
    ).assign(loss_elsewhere=0.01)
    assert in_order(table)["hypothesis"].tolist() == ["used", "untold", "idle", "weak"]
    assert in_order(table[["hypothesis", "finding"]])["hypothesis"].tolist() == ["idle", "used", "untold", "weak"]
