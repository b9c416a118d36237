"""Labels as small numbers: what stands where, and that nothing of them depends on how they are read."""

import numpy as np
import pytest

import rnnscope as rs
from rnnscope.analysis import labels as labels_
from rnnscope.analysis.hypotheses.base import label
from rnnscope.analysis.labels import CATEGORIES, LEVELS, UNKNOWN, Labels, middle


@pytest.fixture(scope="module")
def known(corpus: rs.Corpus) -> Labels:
    return Labels(rs.hypotheses(["comment", "column", "word_position", "word_class", "previous_symbol", "line_end"]), corpus)


def test_levels_say_what_labels_say(known: Labels, corpus: rs.Corpus) -> None:
    levels = known.levels(0, len(corpus))
    truth = label(known.hypotheses, corpus)
    for claim in known.claims:
        level, value = levels[claim.row], truth[claim.name]
        there = ~np.isnan(value)
        np.testing.assert_array_equal(level != UNKNOWN, there)
        if claim.kind == "binary":
            np.testing.assert_array_equal(level[there], value[there])
        elif claim.kind == "graded":
            order = np.argsort(value[there], kind="stable")
            assert (np.diff(level[there][order].astype(int)) >= 0).all()
            assert level[there].max() == LEVELS - 1
            for one in np.unique(value[there]):
                assert len(np.unique(level[there][value[there] == one])) == 1
        else:
            names = known.categories[claim.name]
            assert len(names) <= CATEGORIES
            named = names[level[there]]
            np.testing.assert_array_equal(named[named >= 0], value[there][named >= 0])
            counts = np.bincount(level[there])
            assert counts[0] == counts[: len(names) - 1].max()


def test_columns_hold_what_the_layout_says(known: Labels, corpus: rs.Corpus) -> None:
    levels = known.levels(100, 700)
    weights, one_hot = known.layout.weights(levels), known.layout.one_hot(levels)
    assert (weights[:, 0] == 1).all()
    for claim in known.claims:
        level = levels[claim.row]
        np.testing.assert_array_equal(weights[:, claim.mask], level != UNKNOWN)
        if claim.kind == "categorical":
            np.testing.assert_array_equal(one_hot[:, claim.classes].argmax(1)[level != UNKNOWN], level[level != UNKNOWN])
        else:
            np.testing.assert_array_equal(weights[:, claim.column], np.where(level == UNKNOWN, 0, level))
        if claim.kind != "binary":
            np.testing.assert_array_equal(one_hot[:, claim.classes].sum(1), level != UNKNOWN)
    masks = {claim.name: claim.mask for claim in known.claims}
    assert masks["comment"] == masks["column"] == 0  # they apply everywhere
    assert len({masks[name] for name in ("word_position", "previous_symbol", "line_end")}) == 3


def test_a_piece_that_travels_says_the_same(known: Labels) -> None:
    piece = known.stretch(50, 400)
    np.testing.assert_array_equal(piece.levels(60, 333), known.levels(60, 333))


def test_places_outside_the_text_are_unknown(known: Labels, corpus: rs.Corpus) -> None:
    found = known.at(np.array([-3, 0, 17, len(corpus) - 1, len(corpus)]))
    np.testing.assert_array_equal(found[:, 1:4], np.concatenate([known.levels(k, k + 1) for k in (0, 17, len(corpus) - 1)], axis=1))
    assert (found[:, [0, 4]] == UNKNOWN).all()


def test_chunks_leave_no_trace(corpus: rs.Corpus, known: Labels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels_, "_CHUNK", 97)
    again = Labels(known.hypotheses, corpus)
    np.testing.assert_array_equal(again.levels(0, len(corpus)), known.levels(0, len(corpus)))
    for claim in known.claims:
        for part in (0, 1):
            np.testing.assert_array_equal(again.frequencies(claim, part), known.frequencies(claim, part))
    [comment] = [claim for claim in known.claims if claim.name == "comment"]
    assert again.dwell(comment, 1) == known.dwell(comment, 1) == pytest.approx(17, abs=2)


def test_what_needs_a_model_is_left_out_without_one(corpus: rs.Corpus, trace: rs.Trace) -> None:
    assert "needs the model's entropy" in Labels(rs.hypotheses("entropy"), corpus).left_out["entropy"]
    assert [c.name for c in Labels(rs.hypotheses("entropy"), trace.corpus, trace).claims] == ["entropy"]


def test_the_halves_of_a_long_text_meet_where_pieces_do() -> None:
    assert middle(1_001) == 500
    assert middle(1_000_001) % labels_.PIECE == 0
    assert abs(middle(1_000_001) - 500_000) < labels_.PIECE
