"""Laws of saturation, timescales, gains, distances and of what is made of dynamics, each against a plain computation."""

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import rnnscope as rs
from rnnscope.analysis.timescales import CROSSES, DEAD, OFTEN, ONE_WAY, SIDES, STEEPER, timescales
from rnnscope.comparison import read_all
from rnnscope.comparison.distances import distances
from rnnscope.comparison.dynamics import closest, nearest
from rnnscope.comparison.gains import gains
from rnnscope.comparison.readings import Readings
from rnnscope.findings.emergence import appearances
from rnnscope.signal import Signal
from rnnscope.traces import TraceWriter
from tests.unit.test_comparison import Told

Values = NDArray[Any]
seeds = st.integers(0, 10_000)
lengths = st.lists(st.integers(1, 60), min_size=1, max_size=4)
few = settings(deadline=None, derandomize=True, max_examples=12)  # what writes traces
some = settings(few, max_examples=25)
many = settings(few, max_examples=50)


def parts(text: str, lengths: list[int]) -> rs.Corpus:
    """A text cut into segments that lie end to end."""
    bounds = np.cumsum([0, *lengths])
    return rs.Corpus.from_text(text).pieces(np.stack([bounds[:-1], bounds[1:]], axis=1))


def kept(folder: str, corpus: rs.Corpus, signals: list[Signal], values: list[Values]) -> rs.Trace:
    """A trace of given values."""
    writer = TraceWriter(Path(folder) / "t", corpus, signals)
    writer.write(0, {s.name: v.astype(np.float32) for s, v in zip(signals, values, strict=True)})
    writer.finish({"model": {"name": "given", "fingerprint": "0"}})
    return rs.open_trace(Path(folder) / "t")


# Gates


@few
@given(lengths, st.integers(1, 70), seeds)
def test_saturation_is_two_shares_however_the_text_is_cut(lengths: list[int], stretch: int, seed: int) -> None:
    generator, total = np.random.default_rng(seed), sum(lengths)
    levels = np.array([0, 0.05, 0.1, 0.3, 0.9, 0.95, 1], np.float32)
    gates = [generator.choice(levels, (total, units), p=generator.dirichlet(np.ones(7))) for units in (1, 3)]
    signals = [Signal(f"layer{k}/{name}", g.shape[1], "g", gate=True) for k, (name, g) in enumerate(zip("fi", gates, strict=True))]
    states = Signal("layer0/cell", 1, "c", state=True)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        trace = kept(folder, parts("ab" * total, lengths), [*signals, states], [*gates, gates[0]])
        patch.setattr("rnnscope.traces.trace.TIME_CHUNK", stretch)
        table = rs.saturation(trace)
    assert table["signal"].tolist() == ["layer0/f", *["layer1/i"] * 3]
    np.testing.assert_array_equal(table["left"], np.concatenate([(g < np.float32(0.1)).mean(0) for g in gates]))
    np.testing.assert_array_equal(table["right"], np.concatenate([(g > np.float32(0.9)).mean(0) for g in gates]))
    assert (table[["left", "right"]] >= 0).all(axis=None)
    assert (table["left"] + table["right"]).max() <= 1


@settings(few, max_examples=4)
@given(st.sampled_from(["lstm", "gru", "gru-paper"]), lengths, seeds)
def test_saturation_of_gates_that_are_computed_again(cell: str, lengths: list[int], seed: int) -> None:
    """They come in the order in which segments were read side by side."""
    corpus = parts("ab, c\n" * 40, lengths)
    model = rs.RecurrentLM(rs.Architecture(cell, 2, 4), corpus.vocabulary)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-3, 3, generator=generator)
    with TemporaryDirectory() as folder:
        trace = rs.record(model, corpus, Path(folder) / "t")
        for row in rs.saturation(trace).to_dict("records"):
            gate = trace[row["signal"]][:, row["unit"]]
            assert (row["left"], row["right"]) == ((gate < 0.1).mean(), (gate > 0.9).mean())


def memories(
    keeps: Values, states: Values | None = None, *, overwrites: bool = False, corpus: rs.Corpus | None = None
) -> pd.DataFrame:
    """Timescales of units whose states are kept by so much, (time, units)."""
    states = np.zeros_like(keeps) if states is None else states
    gate = Signal("layer0/gate", keeps.shape[1], "g; 1 overwrites" if overwrites else "g; 1 keeps", gate=True)
    with TemporaryDirectory() as folder:
        both = [gate, Signal("layer0/cell", keeps.shape[1], "c", state=True)]
        text = corpus or rs.Corpus.from_text("ab" * len(keeps)).head(len(keeps))
        return timescales(kept(folder, text, both, [1 - keeps if overwrites else keeps, states]))


@few
@given(st.lists(st.floats(0.25, 5e3), min_size=2, max_size=6), st.integers(1, 300), st.booleans())
def test_a_constant_gate_keeps_for_a_known_time_and_a_higher_one_for_longer(wanted: list[float], total: int, over: bool) -> None:
    keeps = np.exp(-1 / np.sort(wanted))
    table = memories(np.tile(keeps, (total, 1)), overwrites=over)
    for name in ("low", "memory", "high"):
        np.testing.assert_allclose(table[name], -1 / np.log(keeps), rtol=0.035)  # half a bin of 6 %
        assert table[name].is_monotonic_increasing
    assert table["kept"].tolist() == (keeps > 0.9).tolist()


@few
@given(st.integers(1, 200), seeds)
def test_memory_is_a_quantile_and_grows_with_every_value(total: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    less = np.exp(-1 / generator.uniform(0.3, 50, (total, 4)))
    more = less + (1 - less) * generator.uniform(0, 0.5, less.shape) * generator.integers(0, 2, less.shape)
    table = memories(np.concatenate([less, more], axis=1))
    one, two = table[:4].reset_index(drop=True), table[4:].reset_index(drop=True)
    for name, share in (("low", 0.1), ("memory", 0.5), ("high", 0.9)):
        expected = -1 / np.log(np.sort(less, axis=0)[math.ceil(share * total) - 1])
        np.testing.assert_allclose(one[name], expected, rtol=0.035)
        assert (two[name] >= one[name]).all()
    np.testing.assert_allclose(one["kept"], (less > 0.9).mean(0))


def kind(keeps: Values, state: Values, bounds: list[int]) -> str:
    """What a unit is, by the sentences in `timescales`, symbol by symbol."""
    if state.astype(float).std() < DEAD:
        return "dead"
    low, high = np.quantile(state, [0.01, 0.99])
    steps = [(float(state[i]), float(state[i + 1])) for i in range(len(state) - 1) if i + 1 not in bounds]
    sided = sum(min(v - low, high - v) <= SIDES * (high - low) for v in state.tolist())
    crossed = sum((a > (low + high) / 2) != (b > (low + high) / 2) for a, b in steps)
    if (keeps > 0.9).mean() < 0.9:
        return ""
    if sided >= 0.9 * len(state) and OFTEN <= crossed <= CROSSES * len(steps):
        return "latch"
    for sign in (1, -1):
        on, back = ([sign * way * (b - a) for a, b in steps if sign * way * (b - a) > 0] for way in (1, -1))
        if len(on) >= ONE_WAY * len(steps) and len(back) >= OFTEN and np.mean(back) >= STEEPER * np.mean(on or [0]):
            return "counter"
    return ""


def test_a_unit_is_of_one_kind_which_its_mirror_image_is_of_too() -> None:
    seen: set[str] = set()

    @settings(few, max_examples=20)
    @given(st.integers(1, 3), seeds)
    def law(segments: int, seed: int) -> None:
        generator = np.random.default_rng(seed)
        lengths = generator.integers(1, 500, segments).tolist()
        total = sum(lengths)
        period, noise = generator.integers(5, 60, 3), generator.choice([0, 0.01, 0.2], 3)
        at, size = np.arange(total), generator.choice([0.009, 0.011])
        shapes = np.stack([at // period[0] % 2, at % period[1] / period[1], -(at % period[2])], axis=1)
        states = np.column_stack([shapes + noise * generator.normal(size=(total, 3)), size * (at % 2 * 2 - 1)]).astype(np.float32)
        shut = generator.uniform(size=(total, 4)) > generator.choice([0.85, 0.95, 1], 4)
        keeps, corpus = np.where(shut, 0.5, 0.99), parts("ab" * total, lengths)
        table = memories(np.tile(keeps, 2), np.concatenate([states, -states], axis=1), corpus=corpus)
        expected = [kind(keeps[:, k], states[:, k], corpus.bounds.tolist()) for k in range(4)]
        assert table["kind"].tolist() == expected * 2
        np.testing.assert_allclose(table["deviation"], np.tile(states.std(0), 2), rtol=1e-4, atol=1e-7)
        seen.update(expected)

    law()
    assert seen == {"", "dead", "latch", "counter"}


def test_steps_over_the_edges_of_segments_are_none() -> None:
    """Units that go up and fall back once in each segment, before its edge, at it, or behind it; and ones that only seem to."""
    size, segments, at = 7, 60, np.arange(7 * 60)
    corpus = parts("ab" * len(at), [size] * segments)
    falls = {shift: -((at + shift) % size) for shift in (0, 1, -1)}  # by 0: at the edge alone
    sides = at // size % 2 + 0.0
    states = np.column_stack([falls[0], falls[1], falls[-1], sides]).astype(float)
    keeps = np.full((len(at), 4), 0.99)
    expected = ["", "counter", "counter", ""]  # a latch crosses, which at edges nothing does
    assert memories(keeps, states, corpus=corpus)["kind"].tolist() == expected
    for piece in (size, size + 1, 2 * size, 100):  # what is read at once
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("rnnscope.analysis.sources.PIECE", piece)
            assert memories(keeps, states, corpus=corpus)["kind"].tolist() == expected, piece
    assert memories(keeps, states)["kind"].tolist() == ["counter", "counter", "counter", ""]  # one segment
    slow = np.repeat(sides, 5)[:, None]
    edged, whole = parts("ab" * len(slow), [size * 5] * segments), None
    assert [memories(np.full_like(slow, 0.99), slow, corpus=c)["kind"][0] for c in (edged, whole)] == ["", "latch"]


# Comparisons


@st.composite
def read(draw: st.DrawFn, models: int = 2) -> Readings:
    """Models that say anything at all of a random text in segments."""
    sizes = draw(lengths)
    text = draw(st.text("abcd", min_size=sum(sizes) + 1, max_size=sum(sizes) + 1))
    corpus = parts(text, sizes)
    p = np.random.default_rng(draw(seeds)).uniform(0.01, 0.99, (models, len(corpus)))
    return read_all({str(k): Told(str(k), corpus, each) for k, each in enumerate(p)}, corpus)


@some
@given(read(), st.integers(1, 30), seeds)
def test_gains_turn_round_with_the_models(readings: Readings, block: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rnnscope.comparison.gains.BLOCK", block)
        there, back = (gains(readings, *pair, seed=seed).set_index("symbol").sort_index() for pair in (("0", "1"), ("1", "0")))
    assert there["count"].tolist() == back["count"].tolist()
    for name, other, sign in (("probability", "other", 1), ("gain", "gain", -1), ("low", "high", -1), ("high", "low", -1)):
        np.testing.assert_allclose(there[name], sign * back[other], atol=1e-12)


@some
@given(read(), st.integers(1, 30), seeds)
def test_gains_are_means_symbol_by_symbol(readings: Readings, block: int, seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rnnscope.comparison.gains.BLOCK", block)
        table = gains(readings, "0", "1", seed=seed)
    assert table["count"].sum() == len(readings)
    assert table["gain"].is_monotonic_decreasing
    for row in table.to_dict("records"):
        places = np.flatnonzero(readings.symbols == readings.corpus.vocabulary.encode(row["symbol"])[0])
        assert row["count"] == len(places)
        assert (row["probability"], row["other"]) == pytest.approx(tuple(readings.probability[:, places].mean(1)))
        mean = float((readings.probability[0] - readings.probability[1])[places].mean())
        assert row["gain"] == pytest.approx(mean)
        if len(set((places // block).tolist())) > 1:
            assert row["low"] - 1e-12 <= mean <= row["high"] + 1e-12
        else:
            assert math.isnan(row["low"])
            assert math.isnan(row["high"])


@some
@given(read(), seeds)
def test_the_order_of_places_does_not_matter_to_mean_gains(readings: Readings, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(readings))
    mixed = replace(readings, symbols=readings.symbols[order], log_prob=readings.log_prob[:, order])
    columns = ["symbol", "count", "probability", "other", "gain"]
    one, two = (gains(each, "0", "1")[columns].sort_values("symbol", ignore_index=True) for each in (readings, mixed))
    pd.testing.assert_frame_equal(one, two)


def matched(text: str, pair: str) -> list[tuple[int, int]]:
    """Where a pair opens and closes: brackets on a stack, double quotes of any form one after the other."""
    opening, closing = ('"“”', '"“”') if pair == '""' else (pair[0], pair[1])
    opened: list[int] = []
    spans = []
    for at, c in enumerate(text):
        if c in closing and opened:
            spans.append((opened.pop(), at))
        elif c in opening:
            opened.append(at)
    return spans


def single(text: str) -> list[tuple[int, int]]:
    """Single quotes: open after no letter and before something, close after something and before no letter; else apostrophes."""
    opened, spans = -1, []
    for at, c in enumerate(text):
        before, after = text[at - 1 : at] or " ", text[at + 1 : at + 2] or " "
        opens = c in "'‘" and not (before.isalnum() or before in "'’") and not after.isspace()
        if opens and opened < 0:
            opened = at
        elif not opens and c in "'’" and not before.isspace() and not after.isalnum() and opened >= 0:
            spans.append((opened, at))
            opened = -1
    return spans


def in_prose(text: str, pair: str) -> list[tuple[int, int]]:
    """The same in prose: nothing that was opened outlives its paragraph, which an empty line ends."""
    spans, start, stop, lines = [], 0, 0, text.split("\n")
    for k, line in enumerate(lines):
        stop = min(stop + len(line) + 1, len(text))
        if stop == len(text) or (k and not line.strip()):
            paragraph = text[start:stop]
            found = single(paragraph) if pair == "''" else matched(paragraph, pair)
            spans += [(a + start, b + start) for a, b in found]
            start = stop
    return spans


def check_distances(corpus: rs.Corpus, pair: str, width: int, expected: list[tuple[int, int]], seed: int) -> None:
    """Tables of two models against the pairs by hand."""
    p = np.random.default_rng(seed).uniform(0.01, 0.99, (2, len(corpus)))
    table = distances(read_all({str(k): Told(str(k), corpus, each) for k, each in enumerate(p)}, corpus), pair, width=width)
    bins: dict[int, list[int]] = {}
    for start, stop in expected:
        bins.setdefault((stop - start - 1) // width * width + 1, []).append(stop - 1)
    for k in range(2):
        rows = table[table["model"] == str(k)]
        assert rows["distance"].tolist() == sorted(bins)
        assert rows["count"].tolist() == [len(bins[d]) for d in sorted(bins)]
        np.testing.assert_allclose(rows["probability"].astype(float), [p[k, bins[d]].mean() for d in sorted(bins)], rtol=1e-5)
    assert table["probability"].between(0, 1).all()
    some = table[table["count"] > 1]
    assert (some[["low", "high"]].to_numpy() >= 0).all()
    assert (some["low"] <= some["probability"]).all()
    assert (some["probability"] <= some["high"]).all()
    assert (some["high"] <= 1).all()
    assert table.loc[table["count"] == 1, ["low", "high"]].isna().all(axis=None)


@st.composite
def prose(draw: st.DrawFn) -> tuple[list[str], str]:
    """Pieces of prose full of a pair, open and closed, and of ends of paragraphs."""
    pair = draw(st.sampled_from(["{}", "()", "[]", "<>", '""', "''"]))
    marks = {'""': ['"', "“", "”", ' "'], "''": [" '", "'", "‘", "’ ", "a'a"]}.get(pair, [pair[0], pair[0], pair[1]])
    ends = ["\n\n", "\n \t\n", "\r\n\r\n", "a\r\n", "b\n"]
    word = st.sampled_from([*marks, *marks, *ends, "a", " ", "."])
    return draw(st.lists(st.lists(word, min_size=1, max_size=25).map("".join), min_size=1, max_size=3)), pair


@many
@given(prose(), st.integers(1, 25), seeds)
@example((["(a\n\nb) (c)", "(d", "e)"], "()"), 1, 0)
@example((['"a\n \n"b" c', '"d', 'e"'], '""'), 1, 0)
@example((["'a\r\n\r\nb' 'c' d's", "'e 'f'"], "''"), 1, 0)
def test_every_pair_in_prose_is_counted_once(given_: tuple[list[str], str], width: int, seed: int) -> None:
    pieces, pair = given_
    corpus = parts("".join(pieces) + ".", [len(piece) for piece in pieces])  # what ends a piece has a successor
    starts = np.cumsum([0, *map(len, pieces)])
    expected = [(a + at, b + at) for piece, at in zip(pieces, starts.tolist(), strict=False) for a, b in in_prose(piece, pair)]
    check_distances(corpus, pair, width, expected, seed)


nested = st.recursive(
    st.sampled_from(["a", "'('", "')}'"]),
    lambda inner: (
        st.builds("({})".format, inner) | st.builds("[{}, {}]".format, inner, inner) | st.builds("{{{}: 1}}".format, inner)
    ),
    max_leaves=12,
)


@some
@given(st.lists(nested, min_size=1, max_size=4), st.sampled_from(["{}", "()", "[]"]), st.integers(1, 25), seeds)
def test_every_pair_in_a_program_is_counted_once(lines: list[str], pair: str, width: int, seed: int) -> None:
    program, bare = written(lines)
    check_distances(rs.Corpus.from_text(program, language="python"), pair, width, matched(bare, pair), seed)


def written(lines: list[str]) -> tuple[str, str]:
    """A program, and the same without the brackets in its strings, which don't count."""
    program = "".join(f"x = {line}\n" for line in lines)
    return program, program.replace("'('", "'_'").replace("')}'", "'__'")


@many
@given(
    st.lists(nested, min_size=2, max_size=4), st.sampled_from(["{}", "()", "[]"]), st.lists(st.integers(0, 99)), st.integers(0, 3)
)
@example(["(a)", "(a)"], "()", [0], 0)  # before what opens
@example(["(a)", "(a)"], "()", [2], 1)  # before what closes
@example(["(a)", "(a)"], "()", [3, 4], 1)  # behind it, and the line between left out
@example(["('(')", "({a: 1})"], "()", [3], 3)  # in a string
def test_pairs_of_a_program_that_lie_in_a_piece_whole_are_counted(lines: list[str], pair: str, cut: list[int], out: int) -> None:
    """The text is cut where it hurts, before and behind brackets and in strings, and one piece is left out."""
    program, bare = written(lines)
    pairs = matched(bare, pair)
    hurting = sorted(
        {at + by for both in pairs for at in both for by in (0, 1)} | {at + 1 for at, c in enumerate(program) if c == "'"}
    )
    cuts = sorted({0, *(hurting[k % len(hurting)] for k in cut if hurting), len(program)})
    pieces = [piece for k, piece in enumerate(pairwise(cuts)) if k != out or len(cuts) == 2]
    corpus = rs.Corpus.from_text(program, language="python").pieces(np.array(pieces))
    expected = [
        (opened - a + start, closed - a + start)
        for (a, b), (start, _) in zip(pieces, corpus.spans(), strict=True)
        for opened, closed in pairs
        if a <= opened and closed < b
    ]
    check_distances(corpus, pair, 1, expected, 0)


# Trainings

inf, nan = float("inf"), float("nan")
numbers = st.integers(-3, 3).map(float)


@st.composite
def trainings(draw: st.DrawFn) -> dict[str, list[tuple[float, float]]]:
    """(kl, difference) at each update, by reference; with ties, and numbers that are none."""
    updates = draw(st.integers(1, 6))
    each = st.tuples(st.integers(0, 9).map(float) | st.just(inf), numbers | st.sampled_from([inf, -inf, nan]))
    rows = st.lists(each, min_size=updates, max_size=updates)
    return draw(st.dictionaries(st.sampled_from("abcd"), rows, min_size=1))


@many
@given(trainings())
def test_nearest_and_closest_are_the_least_of_all(training: dict[str, list[tuple[float, float]]]) -> None:
    updates = range(len(next(iter(training.values()))))
    rows = [("m", name, 10 * k, k / 2, 9, *(training[name][k][0], 1.0, training[name][k][1])) for k in updates for name in training]
    columns = ["model", "reference", "update", "epochs", "symbols", "kl", "nats", "difference"]
    table = pd.DataFrame(rows, columns=columns)
    best = [min(training, key=lambda name: training[name][k][0]) for k in updates]
    assert nearest(table)["update"].tolist() == [10 * k for k in updates]
    assert nearest(table)["reference"].tolist() == best
    assert nearest(table)["kl"].tolist() == [training[name][k][0] for k, name in enumerate(best)]
    found = closest(table)
    assert found["reference"].tolist() == list(training)
    for row, (name, said) in zip(found.to_dict("records"), training.items(), strict=True):
        least = min(updates, key=lambda k: said[k][0])
        assert (row["update"], row["epochs"], row["kl"]) == (10 * least, least / 2, said[least][0]), name
        np.testing.assert_equal(row["difference"], said[least][1])
        below = [k for k in updates if all(difference < 0 for _, difference in said[k:])]
        np.testing.assert_equal(row["overtaken"], below[0] / 2 if below else nan)


@many
@given(
    st.lists(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=5, max_size=5), min_size=1, max_size=3),
    st.sampled_from([0.25, 0.5, 0.9, 1.0]),
    st.none() | st.floats(0, 1),
    seeds,
)
@example([[(0.3, True)] * 4 + [(0.9, True)]], 1.0, None, 0)  # 0.3 + (0.9 - 0.3) is more than 0.9
def test_units_appear_where_their_score_reaches_the_threshold(
    units: list[list[tuple[float, bool]]], share: float, threshold: float | None, seed: int
) -> None:
    rows = [("h", "auroc", "s", u, 10 * k, k / 2, *unit[k]) for u, unit in enumerate(units) for k in range(5)]
    table = pd.DataFrame(rows, columns=["hypothesis", "measure", "signal", "unit", "update", "epochs", "score", "same"])
    found = appearances(table.sample(frac=1, random_state=seed), share=share, threshold=threshold)
    order = found["update"].dropna()
    assert order.is_monotonic_increasing
    assert found["update"].notna().tolist() == [True] * len(order) + [False] * (len(found) - len(order))
    for u, row in found.set_index("unit").sort_index().iterrows():
        scores, same = zip(*units[int(str(u))], strict=True)
        wanted = row["threshold"]
        assert (row["first"], row["last"]) == (scores[0], scores[-1])
        if threshold is None:
            assert min(scores[0], scores[-1]) <= wanted <= max(scores[0], scores[-1])
            assert wanted - scores[0] == pytest.approx(share * (scores[-1] - scores[0]), abs=1e-12)
        else:
            assert wanted == threshold
        means = scores[-1] - scores[0] >= 0.05 and abs(scores[-1] - 0.5) > abs(scores[0] - 0.5)
        there = [score >= wanted and (threshold is not None or means) for score in scores]
        assert row["update"] is pd.NA if not any(there) else row["update"] == 10 * there.index(True)
        np.testing.assert_equal(row["epochs"], there.index(True) / 2 if any(there) else nan)
        for name, holds in (("lasting", there), ("chosen", same)):
            since = [k for k in range(5) if all(holds[k:])]
            np.testing.assert_equal(row[name], since[0] / 2 if since else nan)
        if threshold is None and means:
            assert not math.isnan(row["lasting"])  # what rises has appeared at the end
