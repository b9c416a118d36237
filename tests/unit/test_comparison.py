"""Comparisons of models that say what they are told to, on texts small enough to be counted by hand."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnnscope as rs
from rnnscope.comparison import read_all
from rnnscope.comparison.agreement import layout, tree
from rnnscope.comparison.contexts import contexts
from rnnscope.comparison.distances import closing, distances, frequencies, of_all_pairs
from rnnscope.comparison.gains import gains, largest
from rnnscope.comparison.overlap import overlap, regions
from rnnscope.comparison.venn import lens, venn
from rnnscope.exceptions import UsageError
from rnnscope.predictions import from_log_probs, predictions
from rnnscope.views import canvas
from rnnscope.views import comparisons as figures


class Told:
    """A model whose probability of the symbol that comes next is given; what is left goes to one other symbol."""

    def __init__(self, name: str, corpus: rs.Corpus, right: Any) -> None:
        self.name, self.vocabulary, self.fingerprint = name, corpus.vocabulary, name
        self.signals, self.right = predictions(len(corpus.vocabulary)), np.array(right)

    def read(self, corpus: rs.Corpus, signals: Sequence[str], *, block: int = 256) -> Iterator[rs.Block]:
        following = corpus.next_ids()
        for start, stop in corpus.spans():
            for first in range(start, stop, block):
                at = np.arange(first, min(first + block, stop))
                p = np.full((len(at), len(self.vocabulary)), 1e-9)
                symbol = np.maximum(following[at], 0)
                p[np.arange(len(at)), (symbol + 1) % p.shape[1]] = 1 - self.right[at]
                p[np.arange(len(at)), symbol] = self.right[at]
                with np.errstate(divide="ignore"):  # of what is ruled out
                    log_probs = np.log(p).astype(np.float32)
                yield rs.Block(first, from_log_probs(log_probs, list(signals), following[at]))


TEXT = "abcabcabca"
FIRST = [0.9, 0.9, 0.1, 0.4, 0.9, 0.9, 0.6, 0.9, 0.2, 0.5]
SECOND = [0.9, 0.1, 0.1, 0.9, 0.9, 0.3, 0.6, 0.9, 0.9, 0.5]


@pytest.fixture
def small() -> rs.Corpus:
    return rs.Corpus.from_text(TEXT)


@pytest.fixture
def comparison(small: rs.Corpus) -> rs.Comparison:
    return rs.compare({"one": Told("1", small, FIRST), "two": Told("2", small, SECOND)}, small)


def test_overlap_by_hand(comparison: rs.Comparison) -> None:
    rows = comparison.overlap.set_index(["one", "two"])["symbols"].to_dict()
    assert rows == {(False, False): 4, (True, False): 2, (False, True): 2, (True, True): 1}  # the last symbol predicts nothing
    assert comparison.overlap["share"].sum() == pytest.approx(1)
    assert regions(comparison.overlap, ("one", "two")) == {("one",): 2, ("two",): 2, ("one", "two"): 1}
    assert comparison.models["errors"].tolist() == pytest.approx([3 / 9, 3 / 9])
    assert comparison.models["nats"][0] == pytest.approx(-np.log(FIRST[:-1]).mean(), rel=1e-5)
    assert regions(rs.compare({"one": Told("1", small := comparison.readings.corpus, [0.9] * 10)}, small).overlap, ("one",)) == {
        ("one",): 0
    }


def test_an_error_by_the_likeliest_symbol(small: rs.Corpus) -> None:
    models = {"one": Told("1", small, FIRST), "two": Told("2", small, SECOND)}
    readings = read_all(models, small)
    assert readings.errors("argmax")[0].tolist() == (np.array(FIRST[:-1]) < 0.5).tolist()
    assert overlap(readings, "argmax")["symbols"].sum() == 9
    with pytest.raises(UsageError, match="an error is told by probability or argmax, not 'rank'"):
        readings.errors("rank")


def test_gains_by_hand(comparison: rs.Comparison) -> None:
    rows = {row["symbol"]: row for row in comparison.gains("one", "two").to_dict("records")}
    for symbol in "abc":
        places = [i for i in range(9) if TEXT[i + 1] == symbol]
        assert rows[symbol]["count"] == len(places)
        assert rows[symbol]["probability"] == pytest.approx(np.mean([FIRST[i] for i in places]), rel=1e-5)
        assert rows[symbol]["gain"] == pytest.approx(np.mean([FIRST[i] - SECOND[i] for i in places]), rel=1e-4)
        assert np.isnan(rows[symbol]["low"])  # all of it lies in one block
    assert comparison.gains()["gain"].is_monotonic_decreasing
    with pytest.raises(UsageError, match="no model is called 'three'; there are one, two"):
        comparison.gains("three")


def test_an_interval_holds_what_is_so() -> None:
    """The interval of a mean difference of 0.1, over many texts."""
    generator = np.random.default_rng(0)
    held = 0
    for seed in range(40):
        text = rs.Corpus.from_text("".join(generator.choice(list("ab"), 20_000)))
        noise = generator.uniform(0.2, 0.6, 20_000)
        readings = read_all(
            {"a": Told("a", text, noise + 0.1 + generator.normal(0, 0.02, 20_000)), "b": Told("b", text, noise)}, text
        )
        low, high = gains(readings, "a", "b", seed=seed)[["low", "high"]].to_numpy()[0]
        held += low <= 0.1 <= high
        assert high - low < 0.004
    assert held >= 34


def test_agreement_and_its_map(small: rs.Corpus) -> None:
    noise = np.random.default_rng(0).uniform(size=(6, 10))
    readings = read_all({str(k): Told(str(k), small, p) for k, p in enumerate([*noise, noise[0]])}, small)
    table = rs.compare({str(k): Told(str(k), small, p) for k, p in enumerate([*noise, noise[0]])}, small).agreement
    assert table.loc["0", "6"] == 1.0
    assert (np.diag(table) == 1).all()
    np.testing.assert_allclose(table, table.T)
    expected = ((noise[0] > 0.5) == (noise[1] > 0.5))[:9]
    assert table.loc["0", "1"] == pytest.approx(expected.mean())
    assert tree(table).shape == (6, 4)
    assert set(tree(table)[0, :2]) == {0, 6}
    assert layout(table)["model"].tolist() == list(readings.names)
    few = table.iloc[[0, 1, 6], [0, 1, 6]]
    places = layout(few)[["x", "y"]].to_numpy()
    assert np.linalg.norm(places[0] - places[2]) == pytest.approx(0, abs=1e-6)
    assert np.linalg.norm(places[0] - places[1]) == pytest.approx(1 - expected.mean(), rel=1e-6)
    assert np.isfinite(layout(table.iloc[:1, :1])[["x", "y"]].to_numpy()).all()
    with pytest.raises(UsageError, match="at least 2 models"):
        tree(table.iloc[:1, :1])


@pytest.mark.parametrize(("better", "same", "worse"), [(30, 0, 3), (3, 5, 30), (4, 2, 5), (12, 1, 0), (0, 3, 0), (15, 0, 15)])
def test_the_largest_gains_each_way_are_gains_that_way(better: int, same: int, worse: int) -> None:
    gain = [k / 100 for k in range(better, 0, -1)] + [0.0] * same + [-k / 100 for k in range(1, worse + 1)]
    table = pd.DataFrame({"symbol": "x", "count": 50, "gain": gain, "low": gain, "high": gain})
    shown = largest(table)["gain"].tolist()
    assert [g for g in shown if g > 0] == gain[: min(10, better)]
    assert [g for g in shown if g < 0] == (gain[-min(10, worse) :] if worse else [])
    assert 0 not in shown
    drawn = figures.gains(table, "a", "b").axes[0]
    assert [bar.get_width() for bar in drawn.patches] == shown  # type: ignore[attr-defined]
    said = [text.get_text() for text in drawn.texts]
    assert said == ([] if shown else ["a and b hold every symbol for equally likely"])


def test_distances_by_hand() -> None:
    program = 'int f(void)\n{\n\treturn "}"[0];\n}\nint g(void) { if (1) { return 2; } return 3; }\n'
    text = rs.Corpus.from_text(program, language="c")
    right = np.linspace(0.1, 0.9, len(text))
    table = distances(read_all({"m": Told("m", text, right)}, text), "{}", width=20)
    pairs = []
    opened: list[int] = []
    for at, c in enumerate(program):
        if program[at - 1 : at + 2] == '"}"':
            continue
        if c == "{":
            opened.append(at)
        elif c == "}":
            pairs.append((opened.pop(), at))
    expected: dict[int, list[float]] = {}
    for first, last in pairs:
        expected.setdefault((last - first - 1) // 20 * 20 + 1, []).append(right[last - 1])
    assert table["distance"].tolist() == sorted(expected)
    assert table["count"].tolist() == [len(expected[d]) for d in sorted(expected)]
    assert table["probability"].tolist() == pytest.approx([np.mean(expected[d]) for d in sorted(expected)], rel=1e-5)
    quotes = distances(read_all({"m": Told("m", text, right)}, text), '""')
    assert quotes["count"].sum() == 1


@pytest.mark.parametrize(
    ("prose", "pair", "expected"),
    [
        ('He said "no (not) yet" and\n\n"left.\n\n"Why?" (asked)', '""', [13, 5]),
        ("a (b (c) d) e) (f\n\ng) h", "()", [2, 8]),
        ("nothing here", "()", []),
        ("<b>bold</b> <", "<>", [2, 3]),
        ("Well, 'so it is' he's", "''", [9]),
    ],
)
def test_pairs_in_prose(prose: str, pair: str, expected: list[int]) -> None:
    text = rs.Corpus.from_text(prose)
    table = distances(read_all({"m": Told("m", text, np.full(len(prose), 0.5))}, text), pair, width=1)
    assert sorted(np.repeat(table["distance"], table["count"]).tolist()) == sorted(expected)


def test_the_pair_that_a_text_closes_most_often() -> None:
    text = rs.Corpus.from_text('He said "so" (and "no", and "yes"), {not} (again).')
    said = read_all({name: Told(name, text, np.full(len(text), 0.5)) for name in ("one", "two")}, text)
    found = of_all_pairs(said)
    assert frequencies(found).to_dict() == {'""': 3, "()": 2, "{}": 1}
    assert frequencies(found).index.tolist() == ['""', "()", "{}"]
    pd.testing.assert_frame_equal(closing(said), distances(said, '""'))
    pd.testing.assert_frame_equal(closing(said, "()"), distances(said, "()"))
    drawn = figures.distances(closing(said)).axes[0]
    assert (drawn.get_xlabel(), drawn.get_ylabel()) == ('symbols since the opening "', 'probability of the closing "')
    plain = rs.Corpus.from_text("nothing here")
    none = closing(read_all({"one": Told("one", plain, np.full(len(plain), 0.5))}, plain))
    assert len(none) == len(frequencies(none)) == 0


def test_intervals_of_distances_are_students_and_probabilities() -> None:
    text = rs.Corpus.from_text("(a) (b) (c) (de) (fg) (hijk).")
    said = np.full(len(text), 0.5)
    closing = [at for at, c in enumerate(text.to_str()) if c == ")"]
    for at, p in zip(closing, (0.5, 0.6, 0.7, 0.02, 0.3, 0.9), strict=True):
        said[at - 1] = p
    table = distances(read_all({"m": Told("m", text, said)}, text), "()", width=1)
    assert table["count"].tolist() == [3, 2, 1]
    # t of 2 degrees is 4.3027; of 1 it is 12.7062, which leaves nothing of 0 to 1 out
    error = 4.3027 * 0.1 / np.sqrt(3)
    assert table["low"].tolist() == pytest.approx([0.6 - error, 0.0, np.nan], rel=1e-4, nan_ok=True)
    assert table["high"].tolist() == pytest.approx([0.6 + error, 1.0, np.nan], rel=1e-4, nan_ok=True)


def test_pairs_that_are_cut_off_are_left_out() -> None:
    whole = rs.Corpus.from_text("x = (1)\n" * 40, language="python")
    cut = whole.pieces(np.array([[0, 5], [5, 8], [8, 16]]))
    table = distances(read_all({"m": Told("m", cut, np.full(len(cut), 0.5))}, cut), "()")
    assert table["count"].tolist() == [1]


def test_a_trace_stands_for_its_model(model: rs.RecurrentLM, trace: rs.Trace, tmp_path: Path) -> None:
    ngram = rs.NGramLM.fit(trace.corpus, 3)
    live = rs.compare({"m": model, "n": ngram}, trace.corpus)
    kept = rs.record(model, trace.corpus, tmp_path / "t", ["log_prob", "top1"])
    for recorded in (kept, trace):
        found = rs.compare({"m": recorded, "n": ngram})
        np.testing.assert_allclose(found.models["nats"], live.models["nats"], rtol=1e-6)
        assert found.overlap.equals(live.overlap)


def counted(counts: dict[tuple[str, ...], int], names: tuple[str, ...]) -> pd.DataFrame:
    rows = [{name: name in chosen for name in names} | {"models": len(chosen), "symbols": n} for chosen, n in counts.items()]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("one", "other", "both"), [(300, 500, 200), (100, 100, 0), (0, 400, 100), (50, 0, 0), (1, 100_000, 1), (0, 0, 70), (0, 0, 0)]
)
def test_two_circles_have_the_areas_of_their_numbers(one: int, other: int, both: int) -> None:
    counts = {("a",): one, ("b",): other, ("a", "b"): both}
    found = venn(counted(counts, ("a", "b")), ("a", "b"))
    assert found.counts == counts
    total = max(one + other + both, 1)
    (x, _, r), (u, _, s) = found.circles
    assert np.pi * r**2 == pytest.approx((one + both) / total)
    assert np.pi * s**2 == pytest.approx((other + both) / total)
    assert lens(r, s, abs(x - u)) == pytest.approx(both / total, abs=1e-6)
    assert found.off < 0.01
    for chosen, place in found.places.items():
        if place is not None and counts[chosen] > total / 20:
            inside = {n for n, (cx, cy, cr) in zip("ab", found.circles, strict=True) if np.hypot(place[0] - cx, place[1] - cy) < cr}
            assert inside == set(chosen)


def test_three_circles_say_how_far_off_they_are() -> None:
    names = ("a", "b", "c")
    radius, centres = 0.4, np.array([[0, 0], [0.35, 0], [0.1, 0.4]])
    points = np.random.default_rng(0).uniform(-1, 1.5, (400_000, 2))
    inside = np.linalg.norm(points[:, None] - centres, axis=2) < radius
    sets = [tuple(n for n, yes in zip(names, row, strict=True) if yes) for row in inside]
    counts = {chosen: sets.count(chosen) for chosen in set(sets) - {()}}
    assert venn(counted(counts, names), names).off < 0.01
    far = venn(counted({("a", "b"): 10, ("b", "c"): 10, ("a", "c"): 10}, names), names)
    assert far.off > 0.05  # three circles that meet in pairs only
    two = venn(counted({("a",): 30, ("b",): 50, ("a", "b"): 20}, names[:2]), names[:2])
    said = [figures.venn(each).legends[0].get_title().get_text() for each in (far, two)]
    assert said == [f"areas are off by up to {100 * far.off:.1f} % of the whole", ""]
    with pytest.raises(UsageError, match="2 or 3 models, not 1"):
        venn(counted({("a",): 1}, ("a",)), ("a",))


def test_every_figure_is_drawn(small: rs.Corpus) -> None:
    noise = np.random.default_rng(0).uniform(size=(3, 10))
    found = rs.compare({n: Told(n, small, p) for n, p in zip("abc", noise, strict=True)}, small)
    spots = layout(found.agreement).assign(kind=["lstm", "lstm", "n-gram"])
    nothing = distances(found.readings, "{}")
    assert len(nothing) == 0
    lines = pd.DataFrame(
        [("a", "cut", k, 2.0 - k, 1.0 / k, 0.1, 0.2, 9) for k in (1, 2)],
        columns=["model", "way", "context", "nats", "rise", "low", "high", "places"],
    )
    categories = pd.DataFrame({"category": ["n-gram", "rare word"], "errors": [3, 1], "share": [0.75, 0.25], "bits": [1.0, 0.5]})
    none = categories.assign(errors=0, share=0.0)
    drawn = [
        figures.venn(venn(found.overlap, ("a", "b", "c"))),
        figures.gains(found.gains(), "a", "b", least=1),
        figures.gains(found.gains(), "a", "b", least=99),
        figures.distances(nothing),
        figures.contexts(lines),
        figures.model_map(spots),
        figures.model_map(layout(found.agreement)),
        figures.waterfall(categories),
        figures.waterfall(none),
        figures.pie([("large", categories), ("small", none)]),
    ]
    for figure in drawn:
        for svg in (canvas.written(figure), canvas.to_svg(figure)):
            assert svg.startswith("<svg")
            assert "nan" not in svg.lower().replace("dominant", "")
        assert "#010203" not in canvas.to_svg(figure)
    assert "rare" in canvas.written(drawn[7])


@given(st.lists(st.lists(st.sampled_from([0.2, 0.8]), min_size=10, max_size=10), min_size=1, max_size=4))
def test_every_error_is_counted_once(given_: list[list[float]]) -> None:
    small = rs.Corpus.from_text(TEXT)
    readings = read_all({f"m{k}": Told(f"m{k}", small, p) for k, p in enumerate(given_)}, small)
    table = overlap(readings)
    assert table["symbols"].sum() == 9
    for k, name in enumerate(readings.names):
        assert table.loc[table[name], "symbols"].sum() == readings.errors()[k].sum()
    assert sum(regions(table, readings.names).values()) == 9 - table.loc[table["models"] == 0, "symbols"].sum()


class Copies(Told):
    """Sure that what came `back` symbols before comes again."""

    def __init__(self, corpus: rs.Corpus, back: int) -> None:
        super().__init__(f"copies {back}", corpus, 0.5)
        self.back = back

    def read(self, corpus: rs.Corpus, signals: Sequence[str], *, block: int = 256) -> Iterator[rs.Block]:
        following = corpus.next_ids()
        for start, stop in corpus.spans():
            p = np.full((stop - start, len(self.vocabulary)), 0.1 / (len(self.vocabulary) - 1))
            at = np.arange(start, stop) + 1 - self.back
            known = np.flatnonzero(at >= start)
            p[known, corpus.ids[at[known]]] = 0.9
            p[: self.back - 1] = 1 / len(self.vocabulary)
            yield rs.Block(start, from_log_probs(np.log(p).astype(np.float32), list(signals), following[start:stop]))


def test_a_context_counts_as_far_as_a_model_looks() -> None:
    text = rs.Corpus.from_text("abcdefg" * 300)
    models: dict[str, Any] = {"near": Copies(text, 7), "far": Copies(text, 14), "2-gram": rs.NGramLM.fit(text, 2)}
    table = contexts(models, text.split("test"), [1, 6, 7, 13, 14, 28], places=50)
    columns = (table[name].tolist() for name in ("model", "way", "context", "rise"))
    rises = {(model, way, context): rise for model, way, context, rise in zip(*columns, strict=True)}
    for name, back in (("near", 7), ("far", 14)):
        for context in (1, 6, 7, 13, 14, 28):
            cut = rises[name, "cut", context]
            assert cut == pytest.approx(0 if context >= back else np.log(0.9 * 7), rel=1e-5)
            for way in ("shuffled", "replaced"):
                assert (rises[name, way, context] > 0.5) == (context < back)
    for way in ("cut", "shuffled", "replaced"):
        assert rises["2-gram", way, 6] == 0
        assert rises["2-gram", way, 1] > 0.1
    again = contexts(models, text.split("test"), [1, 6, 7, 13, 14, 28], places=50)
    assert table.equals(again)
    assert (table["places"] == 50).all()


def test_contexts_that_make_no_sense_are_refused(small: rs.Corpus) -> None:
    one: dict[str, Any] = {"a": Told("1", small, 0.5)}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"lengths": [0]}, "the length of a context is a whole number of at least 1, not 0"),
        ({"lengths": []}, "there is no length of a context"),
        ({"lengths": [2], "ways": ["torn"]}, "can't be 'torn'; expected some of cut, shuffled, replaced"),
        ({"lengths": [2], "places": 1}, "places is a whole number of at least 2, not 1"),
        ({"lengths": [20]}, "has 0 symbols with 20 before them; expected at least 2: give shorter contexts"),
        ({"lengths": [9]}, "has 1 symbol with 9 before them"),
    ]
    for given_, said in wrong:
        with pytest.raises(UsageError, match=said):
            contexts(one, small, **given_)


def test_what_cannot_be_compared_is_refused(model: rs.RecurrentLM, trace: rs.Trace, small: rs.Corpus) -> None:
    one = Told("1", small, FIRST)
    wrong: list[tuple[Any, Any, str]] = [
        ({}, small, "there is no model"),
        ([one], small, "expected models by their names"),
        ({"a": 3}, small, "expected a language model or a trace for 'a'"),
        ({"a": one}, None, "there is no text to read"),
        ({"a": model}, small, "has another vocabulary than"),
        ({"a": trace}, small, "is of another text than"),
        ({"share": one}, small, "a model is called 'share', as a column of the tables is"),
        ({"a": Told("1", small, np.full(len(small), np.nan))}, small, "a gives probabilities that are no numbers"),
        ({"a": Told("1", rs.Corpus.from_text("a"), [0.5])}, rs.Corpus.from_text("a"), "has nothing to predict"),
    ]
    for models, corpus, said in wrong:
        with pytest.raises(UsageError, match=said):
            rs.compare(models, corpus)
    for pair, width, said in (("ab", 20, "the pair 'ab' is not known"), ("{}", 0, "the width of a bin is a whole number")):
        with pytest.raises(UsageError, match=said):
            distances(read_all({"a": one}, small), pair, width=width)


def test_many_models_have_a_map_and_an_overlap(small: rs.Corpus) -> None:
    generator = np.random.default_rng(0)
    models = {f"m{k}": Told(f"m{k}", small, generator.uniform(0, 1, len(small))) for k in range(20)}
    found = rs.compare(models, small)
    assert found.agreement.shape == (20, 20)
    wrong = found.readings.errors()
    assert found.overlap["symbols"].sum() == len(found.readings)
    for row in found.overlap.to_dict("records"):
        here = np.all(wrong == np.array([row[name] for name in models])[:, None], axis=0)
        assert (here.sum(), wrong[:, here][:, 0].sum()) == (row["symbols"], row["models"])


def test_one_half_is_no_error(small: rs.Corpus) -> None:
    assert not read_all({"a": Told("a", small, np.full(len(small), 0.5))}, small).errors().any()
    assert read_all({"a": Told("a", small, np.full(len(small), 0.499999))}, small).errors().all()


def test_pairs_beyond_the_farthest_do_not_count() -> None:
    text = rs.Corpus.from_text("".join("(" + "a" * (n - 1) + ")\n\n" for n in (29, 38, 29, 38)))
    readings = read_all({"a": Told("a", text, np.full(len(text), 0.25))}, text)
    assert distances(readings, "()", farthest=30)["count"].tolist() == [2]
    assert distances(readings, "()", farthest=38)["count"].tolist() == [4]
