"""Counting in one pass: the same whatever the order, the pieces, the threads, or where values come from."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rnnscope as rs
from rnnscope.analysis import counting
from rnnscope.analysis.bins import Bins
from rnnscope.analysis.cluster import stretches
from rnnscope.analysis.counting import count, empty_shards
from rnnscope.analysis.labels import Labels
from rnnscope.analysis.sources import FromModel, FromTrace
from rnnscope.signal import Signal

SIGNALS = [Signal("layer0/cell", 5, "given", state=True), Signal("layer1/cell", 7, "given", state=True)]


class Given:
    """Values in stretches of any length, segments interleaved."""

    name = "given"
    signals = SIGNALS

    def __init__(self, corpus: rs.Corpus, values: dict[str, np.ndarray], lengths: Sequence[int]) -> None:
        self.corpus, self._values, self._lengths = corpus, values, lengths

    def stretches(self, names: Sequence[str], start: int, stop: int) -> Iterator[tuple[int, dict[str, Any]]]:
        places = [[max(a, start), min(b, stop)] for a, b in self.corpus.spans() if a < stop and b > start]
        k = 0
        while places:
            place = places[k % len(places)]
            last = min(place[0] + self._lengths[k % len(self._lengths)], place[1])
            yield place[0], {name: self._values[name][place[0] : last] for name in names}
            place[0] = last
            places = [p for p in places if p[0] < p[1]]
            k += 1

    def sample(self, names: Sequence[str]) -> dict[str, Any]:
        return {name: self._values[name] for name in names}


@pytest.fixture(scope="module")
def pieces(text: str) -> rs.Corpus:
    whole = rs.Corpus.from_text(text[:9_000], language="python")
    return whole.pieces(np.array([[0, 1_000], [1_000, 1_001], [1_001, 4_700], [5_000, 9_000]]))


@pytest.fixture(scope="module")
def values(pieces: rs.Corpus) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {s.name: generator.normal(size=(len(pieces), s.size)).cumsum(0).astype(np.float32) for s in SIGNALS}


@pytest.fixture(scope="module")
def labels(pieces: rs.Corpus) -> Labels:
    return Labels(rs.hypotheses(["comment", "column", "word_position", "word_class"]), pieces)


def counted(source: Given, labels: Labels, ranges: Sequence[tuple[int, int]], threads: int = 1) -> list[Any]:
    bins = Bins.of(np.concatenate([source.sample([s.name])[s.name] for s in SIGNALS], axis=1))
    whole = empty_shards(bins, labels.layout, len(labels), labels.middle)
    for start, stop in ranges:
        part = empty_shards(bins, labels.layout, len(labels), labels.middle)
        count(source, SIGNALS, labels, bins, start, stop, part, threads=threads)
        for mine, theirs in zip(whole, part, strict=True):
            mine.merge(theirs)
    arrays = []
    for shard in whole:
        for tally in shard.tallies:
            arrays += [tally.counts, tally.classes, tally.rises, tally.falls, tally.sums, tally.squares, tally.held]
        arrays += [sample.codes for sample in shard.samples]
    return arrays


@pytest.mark.parametrize("lengths", [[1], [256, 3], [10_000], [7, 1_000]])
def test_order_and_length_of_stretches_change_no_count(
    pieces: rs.Corpus, values: dict[str, np.ndarray], labels: Labels, lengths: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = counted(Given(pieces, values, [100_000]), labels, [(0, len(pieces))])
    monkeypatch.setattr(counting, "PIECE", 500)
    for found, one in zip(counted(Given(pieces, values, lengths), labels, [(0, len(pieces))]), expected, strict=True):
        if one.dtype == np.int64 and one.shape[1] != 257:  # sums of products are rounded batch by batch
            np.testing.assert_allclose(found, one, atol=2**6)
        else:
            np.testing.assert_array_equal(found, one)


def test_ranges_and_threads_change_no_bit(pieces: rs.Corpus, values: dict[str, np.ndarray], labels: Labels) -> None:
    source = Given(pieces, values, [1_000])
    cut = [(3_000, 4_000), (0, 1_500), (4_000, labels.middle), (labels.middle, len(pieces)), (1_500, 3_000)]
    one = counted(source, labels, [(0, labels.middle), (labels.middle, len(pieces))])
    for found, expected in zip(counted(source, labels, cut), one, strict=True):
        if expected.shape[1] == 257 or expected.dtype != np.int64:
            np.testing.assert_array_equal(found, expected)
    for found, expected in zip(counted(source, labels, [(0, labels.middle), (labels.middle, len(pieces))], 2), one, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_counts_by_hand(pieces: rs.Corpus, values: dict[str, np.ndarray], labels: Labels) -> None:
    counts, classes, rises, *_ = counted(Given(pieces, values, [300]), labels, [(0, len(pieces))])
    bins = Bins.of(np.concatenate([values[s.name] for s in SIGNALS], axis=1))
    levels, half = labels.levels(0, labels.middle), labels.middle
    [comment] = [c for c in labels.claims if c.name == "comment"]
    codes = bins.codes(np.concatenate([values[s.name] for s in SIGNALS], axis=1)[:half])
    for u in (0, 4, 5, 11):
        np.testing.assert_array_equal(counts[u, :, 0], np.bincount(codes[u], minlength=256))
        np.testing.assert_array_equal(counts[u, :, comment.column], np.bincount(codes[u], levels[comment.row], 256))
        begins = np.isin(np.arange(half), pieces.bounds)
        above = codes[u] >= 128
        expected = (above & (begins | ~np.concatenate([[False], above[:-1]]))).sum()
        assert np.cumsum(rises[u])[128] == expected
    assert classes.sum() == sum((levels[c.row] != 255).sum() for c in labels.claims if c.kind != "binary") * 12


def test_a_text_is_cut_for_workers_once(labels: Labels) -> None:
    for workers in (1, 2, 5):
        found = stretches(labels, workers)
        assert found[0][0] == 0
        assert found[-1][1] == len(labels)
        assert all(a[1] == b[0] for a, b in pairwise(found))
        assert labels.middle in {a for a, _ in found}


def test_what_is_computed_is_scored_as_what_is_kept(model: rs.RecurrentLM, trace: rs.Trace, tmp_path: Path) -> None:
    lazy = rs.record(model, trace.corpus, tmp_path / "lazy")
    tested = rs.hypotheses(["comment", "column", "word_class", "entropy"])
    kept, computed = (rs.score(t, tested, ["cell", "forget"]) for t in (trace, lazy))
    live = rs.score(FromModel(model, trace.corpus), tested[:3], ["cell", "forget"])
    key = ["hypothesis", "signal", "unit"]
    for other in (computed, live):
        both = kept.merge(other, on=key, suffixes=("", "_other"))
        assert len(both) == len(other)
        for name in ("auroc", "correlation", "f1", "p_value"):
            np.testing.assert_allclose(both[name], both[name + "_other"], atol=2e-3, err_msg=name)
    assert FromTrace(trace).kept(["layer0/cell"])
    assert not FromTrace(lazy).kept(["layer0/cell"])


def test_a_table_of_units_is_the_same_twice(trace: rs.Trace) -> None:
    tested = rs.hypotheses(["comment", "column"])
    pd.testing.assert_frame_equal(rs.score(trace, tested, "cell"), rs.score(trace, tested, "cell", threads=1), check_exact=True)


def test_a_text_that_is_too_long_is_refused(labels: Labels) -> None:
    bins = Bins.of(np.zeros((10, 3)))
    with pytest.raises(rs.RnnscopeError, match="at most 67,0"):
        empty_shards(bins, labels.layout, counting.LONGEST + 1, 0)
