"""What is chance and what isn't: shifts, lags, intervals and controls, each against the slow way of saying it."""

import numpy as np
import pytest
from scipy.stats import rankdata
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

import rnnscope as rs
from rnnscope.analysis import chance, controls, intervals
from rnnscope.analysis.bins import Bins
from rnnscope.analysis.chance import Lags, Shifts
from rnnscope.analysis.controls import LastSymbol, Space, probe, rotated, strings
from rnnscope.analysis.intervals import Blocks
from rnnscope.analysis.labels import UNKNOWN, Labels


@pytest.fixture(scope="module")
def labels(corpus: rs.Corpus) -> Labels:
    return Labels(rs.hypotheses(["comment", "column", "word_position", "word_class"]), corpus)


def codes_of(values: np.ndarray) -> np.ndarray:
    """Bins of values (places, units)."""
    return Bins.of(values).codes(values.astype(np.float32))


def test_a_transform_gives_what_shifting_gives(labels: Labels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chance, "SHIFTS", 100)
    positions = np.arange(labels.middle, len(labels))
    levels = labels.at(positions)
    codes = codes_of(np.random.default_rng(0).normal(size=(len(positions), 3)).cumsum(0))
    shifts = Shifts(labels, levels, 1)
    found, largest = shifts.of(codes)
    kept, stride = shifts.stride * shifts.count, shifts.stride
    assert stride > 1
    for claim in labels.claims:
        level = levels[claim.row, :kept].astype(float)
        known = level != UNKNOWN
        options = [level] if claim.kind != "categorical" else [(level == k).astype(float) for k in np.unique(level[known])]
        by_shift = np.zeros((shifts.count, 3))
        for option in options:
            y = np.where(known, option - option[known].mean(), 0.0)
            y /= np.sqrt((y**2).sum())
            for u in range(3):
                r = rankdata(codes[u, :kept])
                r = (r - r.mean()) / np.sqrt(((r - r.mean()) ** 2).sum())
                slow = [abs(float(r @ np.roll(y, -k * stride))) for k in range(shifts.count)]
                by_shift[:, u] = np.maximum(by_shift[:, u], slow)
        np.testing.assert_allclose(found[:, claim.row], by_shift[0], atol=2e-4)
        np.testing.assert_allclose(largest[claim.row], by_shift.max(1), atol=2e-4)


def test_p_values_count_shifts(labels: Labels) -> None:
    positions = np.arange(labels.middle, len(labels))
    shifts = Shifts(labels, labels.at(positions), 1)
    shifts.add(np.tile(np.linspace(0, 0.5, shifts.count), (len(labels.claims), 1)))
    p = shifts.p_values(np.array([[0.6] * 4, [0.0] * 4, [0.25] * 4]))
    assert (p[1] == 1).all()
    assert 0 < p[0, 0] < 1e-2
    assert p[0, 0] == 1 / (1 + round(1 / p[0, 0] - 1))
    assert p[2, 0] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("ahead", [-7, 0, 3])
def test_a_lag_is_found(labels: Labels, corpus: rs.Corpus, ahead: int) -> None:
    positions = np.arange(labels.middle, len(labels))
    row = {c.name: c.row for c in labels.claims}["comment"]
    value = np.roll(labels.at(np.arange(len(corpus)))[row].astype(float), -ahead)[positions]
    codes = codes_of((value + 0.1 * np.random.default_rng(0).normal(size=len(value)))[:, None])
    found = Lags(labels, positions, labels.middle).of(codes)
    assert found[0, row] == ahead


def test_an_interval_covers_what_is_true_as_often_as_it_says() -> None:
    generator, covered, rounds = np.random.default_rng(0), 0, 60
    corpus = rs.Corpus.from_text("ab" * 30_000)
    known = Labels([rs.hypothesis("first", pattern="a")], corpus)
    [claim] = known.claims
    for _ in range(rounds):
        runs = np.repeat(generator.random(600) < 0.5, 100)  # labels and noise that go on for a hundred symbols
        value = runs + np.repeat(generator.normal(size=600), 100)
        whole, drawn = Blocks(60_000, 1).scores(claim, codes_of(value[:, None])[0], runs.astype(np.uint8))
        around = intervals.interval(whole, whole, drawn, (0, 1))
        covered += around.low <= 0.7602 <= around.high  # Φ(1/√2)
    assert covered >= 0.95 * rounds - 3 * np.sqrt(0.95 * 0.05 * rounds)


def test_better_by_the_same_draws() -> None:
    first, second = np.array([0.9, 0.8, 0.7]), np.array([0.85, 0.85, 0.6])
    assert intervals.p_better(first, second) == pytest.approx(2 / 4)


def test_the_last_symbol_is_worth_what_it_says(labels: Labels, corpus: rs.Corpus) -> None:
    alone = LastSymbol.of(labels)
    levels, half = labels.at(np.arange(len(corpus))), labels.middle
    [claim] = [c for c in labels.claims if c.name == "comment"]
    mean = np.array([levels[claim.row, :half][corpus.ids[:half] == s].mean() for s in range(len(corpus.vocabulary))])
    expected = roc_auc_score(levels[claim.row, half:], mean[corpus.ids[half:]])
    assert alone.scores[claim.row] == pytest.approx(expected, abs=1e-9)


def space(labels: Labels, corpus: rs.Corpus, values: np.ndarray) -> Space:
    bins = Bins.of(values)
    codes = bins.codes(values.astype(np.float32))
    half = labels.middle
    everywhere = labels.at(np.arange(len(corpus)))
    return Space.of(bins, (codes[:, :half], codes[:, half:]), (everywhere[:, :half], everywhere[:, half:]))


def test_a_probe_finds_what_is_spread_over_units(labels: Labels, corpus: rs.Corpus) -> None:
    [claim] = [c for c in labels.claims if c.name == "comment"]
    truth = labels.at(np.arange(len(corpus)))[claim.row].astype(float)
    generator = np.random.default_rng(0)
    mixed = generator.normal(size=(len(corpus), 20)) @ np.diag([1.0] * 20)
    mixed += np.outer(truth, np.full(20, 0.8))  # each knows little, all together much
    known = space(labels, corpus, mixed)
    positions = np.arange(len(corpus))
    numbers = (strings(labels, positions[: labels.middle]), strings(labels, positions[labels.middle :]))
    found = probe(known, labels, numbers)
    fitted = Ridge(alpha=controls.RIDGE * labels.middle).fit(known.values[0], truth[: labels.middle])
    expected = roc_auc_score(truth[labels.middle :], fitted.predict(known.values[1]))
    assert found.scores[claim.row] == pytest.approx(expected, abs=1e-3)
    assert found.scores[claim.row] > 0.98
    assert found.control[claim.row] < 0.7
    assert rotated(known, labels, 0)[claim.row] > 0.8  # a single unit gets 0.71; some direction of a random rotation lies near


def test_a_single_axis_is_lost_by_a_rotation(labels: Labels, corpus: rs.Corpus) -> None:
    [claim] = [c for c in labels.claims if c.name == "comment"]
    truth = labels.at(np.arange(len(corpus)))[claim.row].astype(float)
    values = np.random.default_rng(0).normal(size=(len(corpus), 64))
    values[:, 5] = 6 * truth + 0.5 * values[:, 5]
    assert rotated(space(labels, corpus, values), labels, 0)[claim.row] < 0.9


def test_a_string_has_one_number(labels: Labels, corpus: rs.Corpus) -> None:
    numbers = strings(labels, np.arange(2, len(corpus)))
    by_string: dict[str, float] = {}
    text = corpus.to_str()
    for k, number in enumerate(numbers.tolist()):
        assert by_string.setdefault(text[k : k + 3], number) == number
    assert len(set(by_string.values())) == len(by_string)
    assert 0.4 < np.mean(list(by_string.values())) < 0.6


def test_the_last_symbol_of_a_large_alphabet() -> None:
    generator = np.random.default_rng(0)
    text = "".join(map(chr, generator.integers(0x4E00, 0x4E00 + 3_000, 60_000)))
    corpus = rs.Corpus.from_text(text)
    chosen = set(generator.choice(3_000, 900, replace=False) + 0x4E00)
    claims = [
        rs.hypothesis("chosen", function=lambda passage: np.array([ord(c) in chosen for c in passage])),
        rs.hypothesis("fifth", function=lambda passage: np.array([ord(c) % 5 for c in passage]), kind="categorical"),
    ]
    labels = Labels(claims, corpus)
    alone = LastSymbol.of(labels)
    assert alone.scores[0] > 0.98  # but for symbols that the first half never showed
    assert 0 < alone.scores[1] <= 1


def test_a_categorical_score_lies_in_its_interval(corpus: rs.Corpus) -> None:
    text = rs.Corpus.from_text(corpus.to_str() * 3)
    noise = np.random.default_rng(0).integers(0, 16, len(text))
    labels = Labels([rs.hypothesis("noise", function=lambda passage: noise, kind="categorical")], text)
    [claim] = labels.claims
    level = labels.levels(0, len(text))[0]
    whole, drawn = Blocks(len(text), 1).scores(claim, codes_of(np.random.default_rng(1).normal(size=(len(text), 1)))[0], level)
    around = intervals.interval(whole, whole, drawn, (0, 1))
    assert around.low <= whole <= around.high


def test_what_has_no_p_value_has_no_q_value() -> None:
    np.testing.assert_allclose(chance.benjamini_hochberg(np.array([0.01, np.nan, 0.02])), [0.02, np.nan, 0.02])
