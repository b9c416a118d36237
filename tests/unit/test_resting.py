"""How far back networks look on average, and who wrote what a unit holds: against the tables of single places."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rnnscope as rs
from rnnscope.analysis.openings import by_age, openings, spans_of
from rnnscope.exceptions import UsageError
from rnnscope.views import canvas
from rnnscope.views import resting as draw


def test_shares_by_distance_are_the_means_of_single_places(model: rs.RecurrentLM, corpus: rs.Corpus) -> None:
    places = [3, 400, 401, 900]
    for target, unit in (("log_prob", None), ("layer1/cell", 3)):
        found = rs.lookback(model, corpus, places, target, unit, back=60)
        assert found["first"].tolist() == [1, 2, 3, 6, 11, 21, 51]
        assert found["last"].tolist() == [1, 2, 5, 10, 20, 50, 60]
        single = [rs.attribution(model, corpus, place, target, unit, back=60)["share"].abs() for place in places]
        for row, (first, last) in enumerate(zip(found["first"], found["last"], strict=True)):
            shares = [share[first - 1 : last].sum() / share.sum() for share in single]
            error = 1.96 * np.std(shares, ddof=1) / 2
            assert found["share"][row] == pytest.approx(np.mean(shares))
            assert found["low"][row] == pytest.approx(np.mean(shares) - error)
        assert found["share"].sum() == pytest.approx(1)
        assert (found["places"] == 4).all()


def test_what_makes_no_shares_is_refused(model: rs.RecurrentLM, corpus: rs.Corpus) -> None:
    for bins in ([], [2, 5], [1, 1, 3]):
        with pytest.raises(UsageError, match="bins of distance rise from 1, the last"):
            rs.lookback(model, corpus, [100, 200], back=50, bins=bins)
    with pytest.raises(UsageError, match="1 of 1 places have symbols that log_prob rests on; expected at least 2"):
        rs.lookback(model, corpus, [100])
    with pytest.raises(UsageError, match="back is a whole number of at least 1"):
        rs.lookback(model, corpus, [100, 200], back=0)
    with pytest.raises(UsageError, match="position is a whole number"):
        rs.lookback(model, corpus, [100, -1])


def test_stretches_end_with_their_segments() -> None:
    holds = np.array([1, 1, 0, 1, np.nan, 1, 1, 1])
    assert spans_of(holds, np.array([0, 6, 8])).tolist() == [[0, 2], [3, 4], [5, 6], [6, 8]]
    assert spans_of(np.zeros(3), np.array([0, 3])).tolist() == []


def test_parts_are_those_of_single_places(trace: rs.Trace) -> None:
    spans = spans_of(np.array([c not in " \n" for c in trace.corpus.to_str()]), trace.corpus.bounds)
    table = openings(trace, "layer1/cell", 2, spans, width=2, soon=1, ages=(0, 2, 4), most=7, seed=1)
    assert np.histogram(table["age"], [0, 2, 4, 99])[0].tolist() == [7, 7, 7]
    starts = set(spans[:, 0].tolist())
    rows: Any = table.itertuples()
    for row in rows:
        assert row.opened in starts
        assert row.age == row.position - row.opened - 1
        single = rs.writes(trace, "layer1/cell", 2, row.position).set_index("position")
        part = single["part"]
        assert row.state == pytest.approx(float(trace["layer1/cell"][row.position, 2]), rel=1e-5)
        assert row.opening == pytest.approx(part[[row.opened, row.opened + 1]].sum(), abs=1e-6)
        assert row.soon == pytest.approx(part.get(row.opened + 2, 0.0) if row.age else 0, abs=1e-6)
        assert row.before == pytest.approx(part[part.index < row.opened].sum(), rel=1e-5)
        assert row.opening + row.soon + row.since + row.before == pytest.approx(row.state, rel=1e-6)
        assert row.kept == pytest.approx(single["kept"][row.opened + 1])
    means = by_age(table, (0, 2, 4))
    assert means["first"].tolist() == [0, 2, 4]
    assert means["last"].tolist() == [1, 3, table["age"].max()]
    assert means["places"].tolist() == [7, 7, 7]
    assert means["since"].tolist() == pytest.approx([table["since"][k : k + 7].mean() for k in (0, 7, 14)])
    assert (means[["opening", "soon", "since", "before"]].sum(axis=1)).tolist() == pytest.approx(means["state"].tolist())
    again = openings(trace, "layer1/cell", 2, spans, width=2, soon=1, ages=(0, 2, 4), most=7, seed=1)
    assert again.equals(table)


def test_a_claim_says_what_is_opened(trace: rs.Trace) -> None:
    table = rs.openings(trace, "layer0/cell", 0, "string", most=5)
    assert len(table)
    assert {trace.corpus.to_str(place, place + 1) for place in table["opened"]} <= {'"', "'"}
    with pytest.raises(UsageError, match="column is a graded claim, inside of which nothing is"):
        rs.openings(trace, "layer0/cell", 0, "column")
    for spans in ([[5, 5]], [[-1, 3]], [[5_990, 6_001]]):
        with pytest.raises(UsageError, match="stretches run from a start to before a later stop"):
            rs.openings(trace, "layer0/cell", 0, np.array(spans))
    wrong: list[dict[str, Any]] = [{"width": 0}, {"most": 0}, {"soon": -1}, {"seed": -1}, {"ages": [3, 3]}, {"ages": []}]
    for given in wrong:
        with pytest.raises(UsageError, match=r"whole number|bins of ages rise"):
            rs.openings(trace, "layer0/cell", 0, "string", **given)


def test_a_segment_that_begins_inside_is_left_out(model: rs.RecurrentLM, corpus: rs.Corpus, tmp_path: Path) -> None:
    text = corpus.to_str(0, 400)
    inside = text.index("add two")
    cut = corpus.pieces(np.array([[0, inside], [inside, 400]]))
    trace = rs.record(model, cut, tmp_path / "t", ["layer0/*"])
    opened = rs.openings(trace, "layer0/cell", 0, "comment")["opened"]
    assert inside not in opened.tolist()
    assert len(opened)


def test_pictures_of_what_rests(model: rs.RecurrentLM, corpus: rs.Corpus, trace: rs.Trace) -> None:
    far = rs.lookback(model, corpus, [100, 200], back=60).assign(target="log p")
    made = by_age(rs.openings(trace, "layer0/cell", 0, "string", most=5)).assign(inside="strings")
    for figure in (draw.lookback(far), draw.openings(made, "layer0/cell[0]")):
        assert canvas.to_svg(figure).startswith("<svg")
