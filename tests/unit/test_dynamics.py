"""Weights kept on the way, how near they are to other models, when units appear: by hand, and against other ways to compute it."""

import shutil
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import rnnscope as rs
from rnnscope import files
from rnnscope.comparison.divergence import divergences
from rnnscope.comparison.dynamics import closest, dynamics, nearest
from rnnscope.exceptions import FormatError, OccupiedError, RecipeError, UsageError
from rnnscope.findings.emergence import appearances, emergence
from rnnscope.paper import dynamics as half
from rnnscope.predictions import from_log_probs, predictions
from rnnscope.training import trainer
from rnnscope.training.snapshots import due
from rnnscope.training.trainer import _Training
from rnnscope.views import canvas
from rnnscope.views import dynamics as figures


@pytest.fixture(scope="module")
def kept(corpus: rs.Corpus, tmp_path_factory: pytest.TempPathFactory) -> rs.Run:
    recipe = rs.Recipe(architecture=rs.Architecture("lstm", 2, 12), epochs=6, batch=4, length=50, warmup=2, snapshots=1)
    return rs.train(recipe, corpus, tmp_path_factory.mktemp("runs") / "kept")


# Snapshots


@given(st.integers(1, 12), st.integers(1, 3_000), st.integers(1, 400))
def test_snapshots_are_spread_over_the_logarithm_of_updates(often: int, updates: int, columns: int) -> None:
    found = due(often, updates, columns)
    assert {0, 1, updates} <= found
    assert max(found) == updates
    ends = {update for update in found if update % columns == 0}
    assert {columns * epoch for epoch in (1, 2) if columns * epoch <= updates} <= ends
    for low in (1, 2, 5, 40, 300):
        assert len([update for update in found if low <= update < 2 * low]) <= 2 * often + 2
    between = sorted(found)[1:]
    for a, b in pairwise(between):
        assert b <= round(a * 2 ** (1 / often)) + 1
    assert not due(0, updates, columns)


def test_a_run_keeps_its_weights_on_the_way(kept: rs.Run, corpus: rs.Corpus, tmp_path: Path) -> None:
    snapshots = kept.snapshots
    columns = kept.history[0]["updates"]
    assert [s.update for s in snapshots] == sorted(due(1, 6 * columns, columns))
    assert [s.epochs for s in snapshots] == [s.update / columns for s in snapshots]
    first, last = kept.model(at=0), kept.model(at=snapshots[-1].update)
    assert first.fingerprint == kept.model(untrained=True).fingerprint
    assert last.name == f"kept at update {snapshots[-1].update:,}"
    losses = [rs.evaluate(kept.model(at=entry["updates"]), corpus.split("validation")).nats for entry in kept.history[:2]]
    assert losses == pytest.approx([entry["validation_nats"] for entry in kept.history[:2]])
    trace = rs.record(kept.model(at=2), corpus.split("test"), tmp_path / "t")
    again = rs.open_trace(tmp_path / "t")  # its gates are computed by the network after the second update, loaded again
    np.testing.assert_array_equal(again["layer1/forget"][:50], trace["layer1/forget"][:50])
    assert rs.load(kept.path, at=2).fingerprint == trace.model["fingerprint"]


def test_what_has_no_snapshots(kept: rs.Run, run: rs.Run, corpus: rs.Corpus, recipe: rs.Recipe, tmp_path: Path) -> None:
    assert run.snapshots == []
    assert "snapshots" not in (run.path / "recipe.toml").read_text()  # as in runs from before there were any
    assert rs.train(recipe, corpus, run.path, resume=True).recipe.snapshots == 0
    with pytest.raises(OccupiedError, match="its snapshots is None, not 2"):
        rs.train(rs.Recipe(**{**recipe.__dict__, "snapshots": 2}), corpus, run.path, resume=True)
    with pytest.raises(UsageError, match=r"keeps no weights at update 3; it keeps none; train with snapshots \(rs.Recipe"):
        run.model(at=3)
    with pytest.raises(UsageError, match="keeps no weights at update 3; there are some at 0, 1, 2, 4, 8"):
        kept.model(at=3)
    with pytest.raises(UsageError, match="ask for them, or for those at update 3"):
        kept.model(at=3, untrained=True)
    for snapshots, said in ((-1, "at least 0, not -1"), (True, "not True"), (2.5, "not 2.5"), (5000, "at most 1,000 while")):
        with pytest.raises(RecipeError, match=said):
            rs.Recipe(snapshots=snapshots)  # type: ignore[arg-type]


def test_damaged_snapshots_are_named(kept: rs.Run, tmp_path: Path) -> None:
    damaged = shutil.copytree(kept.path, tmp_path / "run") / "snapshots"
    (damaged / "000000002.safetensors").write_bytes((damaged / "000000002.safetensors").read_bytes()[:-3])
    with pytest.raises(FormatError, match=r"000000002.safetensors is damaged"):
        _ = rs.Run(damaged.parent).snapshots
    (damaged / "000000001.safetensors").rename(damaged / "000000002.safetensors")
    with pytest.raises(FormatError, match="holds the weights after update 1; give it its name back"):
        _ = rs.Run(damaged.parent).snapshots
    shutil.copy(kept.path / "model.safetensors", damaged / "000000002.safetensors")
    with pytest.raises(FormatError, match=r"000000002.safetensors is damaged \(KeyError\('update'\)\)"):
        _ = rs.Run(damaged.parent).snapshots


class _StopHereError(Exception):
    pass


def _snapshots(run: rs.Run) -> dict[str, bytes]:
    return {each.path.name: each.path.read_bytes() for each in run.snapshots}


def test_a_stopped_training_ends_with_the_same_snapshots(
    corpus: rs.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after each of its writes, with a checkpoint at some updates; the resumed one with none inside an epoch."""
    recipe = rs.Recipe(
        architecture=rs.Architecture("lstm", 1, 8), epochs=2, updates=60, batch=4, length=50, warmup=2, dropout=0.1, snapshots=1
    )
    whole = rs.train(recipe, corpus, tmp_path / "whole")
    expected = _snapshots(whole)
    assert len(expected) > 8

    def train_until(write: int, folder: Path) -> bool:
        flushed, writes = files._flush_folder, [0]

        def stopping(place: Path) -> None:
            flushed(place)
            writes[0] += 1
            if writes[0] == write:
                raise _StopHereError

        with monkeypatch.context() as patch:
            update = _Training.update
            patch.setattr(_Training, "update", lambda self: update(self) or self.position.update % 8 == 0)
            patch.setattr(files, "_flush_folder", stopping)
            try:
                rs.train(recipe, corpus, folder)
            except _StopHereError:
                return True
        return False

    monkeypatch.setattr(trainer, "_CHECKPOINT_SECONDS", float("inf"))
    write = 1
    while train_until(write, tmp_path / str(write)):
        resumed = rs.train(recipe, corpus, tmp_path / str(write), resume=True)
        assert _snapshots(resumed) == expected
        write += 1
    assert write > len(expected) + 7 + 3


# Divergences


class Says:
    """A model that says given probabilities, (places, symbols), in blocks of its own, and segments last to first if told."""

    def __init__(self, corpus: rs.Corpus, p: Any, *, block: int = 7, backwards: bool = False) -> None:
        self.name, self.vocabulary, self.fingerprint = "says", corpus.vocabulary, "says"
        self.signals, self.block, self.backwards = predictions(len(corpus.vocabulary)), block, backwards
        self.whole = np.broadcast_to(np.asarray(p, float), (len(corpus), len(corpus.vocabulary)))

    def read(self, corpus: rs.Corpus, signals: Sequence[str], *, block: int = 256) -> Iterator[rs.Block]:
        following = corpus.next_ids()
        with np.errstate(divide="ignore"):
            logs = np.log(self.whole).astype(np.float32)
        for start, stop in list(corpus.spans())[:: -1 if self.backwards else 1]:
            for first in range(start, stop, self.block):
                piece = slice(first, min(first + self.block, stop))
                yield rs.Block(first, from_log_probs(logs[piece], list(signals), following[piece]))


def test_divergence_by_hand() -> None:
    text = rs.Corpus.from_text("abab")
    models = {"even": Says(text, [0.5, 0.5]), "same": Says(text, [0.25, 0.75])}
    table = divergences(models, {"odd": Says(text, [0.25, 0.75])}, text)
    ln2, ln3 = np.log(2), np.log(3)
    # (1/2 − 1/4)(ln 1/2 − ln 1/4) + (1/2 − 3/4)(ln 1/2 − ln 3/4) = ln 2 / 4 + (ln 3 − ln 2) / 4
    assert table["kl"].tolist() == pytest.approx([ln3 / 4, 0.0], abs=1e-7)
    assert table["symbols"].tolist() == [3, 3]  # nobody knows what follows the last
    odd = (2 * (2 * ln2 - ln3) + 2 * ln2) / 3  # b, a, b came next
    assert table["nats"].tolist() == pytest.approx([ln2, odd], rel=1e-6)
    assert table["difference"].tolist() == pytest.approx([ln2 - odd, 0.0], abs=1e-6)
    assert table[["model", "reference"]].to_numpy().tolist() == [["even", "odd"], ["same", "odd"]]


def test_what_is_ruled_out_is_infinitely_far() -> None:
    text = rs.Corpus.from_text("abcabc")
    never = Says(text, [0.5, 0.5, 0.0])
    table = divergences({"m": Says(text, [0.2, 0.3, 0.5]), "never": never}, {"never": never, "m": Says(text, [1, 0, 0])}, text)
    assert table["kl"].tolist() == [np.inf, np.inf, 0.0, np.inf]
    assert table["difference"].tolist()[:2] == [-np.inf, -np.inf]
    assert table["nats"][0] == pytest.approx(-np.log([0.3, 0.5, 0.2, 0.3, 0.5]).mean())
    assert np.isnan(table["difference"][2])  # two infinite losses


@st.composite
def readings(draw: st.DrawFn) -> tuple[list[int], NDArray[np.float64]]:
    lengths = draw(st.lists(st.integers(1, 30), min_size=1, max_size=5))
    count = draw(st.integers(2, 5))
    seed = draw(st.integers(0, 2**32 - 1))
    p = np.random.default_rng(seed).dirichlet(np.ones(3), (count, sum(lengths) + 1))
    return lengths, p + 1e-6


@given(readings(), st.integers(1, 40), st.booleans())
def test_divergences_of_any_order_of_reading(given_: tuple[list[int], NDArray[np.float64]], block: int, backwards: bool) -> None:
    lengths, p = given_
    whole = rs.Corpus.from_text("abc" * (sum(lengths) // 3 + 2)).head(sum(lengths) + 1)
    p /= p.sum(axis=2, keepdims=True)
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    text = whole.pieces(np.stack([bounds[:-1], bounds[1:]], axis=1))
    said = [Says(text, each[:-1], block=block if k else 5, backwards=backwards and k > 0) for k, each in enumerate(p)]
    names = [str(k) for k in range(len(said))]
    table = divergences({"0": said[0]}, dict(zip(names[1:], said[1:], strict=True)), text)
    for row, q in zip(table.to_dict("records"), p[1:], strict=True):
        terms = (p[0] - q) * (np.log(p[0]) - np.log(q))
        assert row["kl"] == pytest.approx(terms[:-1].sum(1).mean(), rel=1e-5, abs=1e-6)
    assert (table["kl"] >= 0).all()
    back = divergences({"1": said[1]}, {"0": said[0]}, text)
    assert back["kl"][0] == pytest.approx(table["kl"][0], rel=1e-5, abs=1e-6)  # symmetric


def test_parts_of_a_text_add_up(kept: rs.Run, corpus: rs.Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    text = corpus.ruled(rs.StreamSplit(batch=5, length=20)).split("test")
    ngram = rs.NGramLM.fit(corpus.split("train"), 3)
    models = {"m": kept.model()}
    references: dict[str, rs.LanguageModel] = {"a": ngram, "b": ngram.shorter(1), "c": kept.model(at=8)}
    whole = divergences(models, references, text)
    monkeypatch.setattr("rnnscope.comparison.divergence._ROOM", 1)
    pd.testing.assert_frame_equal(divergences(models, references, text), whole)


def test_dynamics_are_what_each_model_says(kept: rs.Run, corpus: rs.Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    ngram = rs.NGramLM.fit(corpus.split("train"), 4)
    text = corpus.split("test")
    references: dict[str, rs.LanguageModel] = {
        "4": ngram, "0": ngram.shorter(0), "untrained": kept.model(untrained=True), "1": ngram.shorter(1)
    }  # fmt: skip
    table = rs.dynamics(kept.path, references, text)
    assert list(dict.fromkeys(table["reference"])) == list(references)
    assert list(dict.fromkeys(table["update"])) == [s.update for s in kept.snapshots]
    assert set(table["model"]) == {"kept"}
    said = {}
    for name, model in {**references, "32": kept.model(at=32)}.items():
        said[name] = np.empty((len(text), len(text.vocabulary)))
        for block in model.read(text, ["log_probs"]):
            said[name][block.start : block.stop] = block.arrays["log_probs"]
    network = said.pop("32")[: len(text)]
    known = text.next_ids() >= 0
    for name, other in said.items():
        row = table[(table["update"] == 32) & (table["reference"] == name)].iloc[0]
        terms = ((np.exp(network) - np.exp(other)) * (network - other)).sum(1)
        assert row["kl"] == pytest.approx(terms[known].mean(), rel=1e-5)
        assert row["nats"] == pytest.approx(rs.evaluate(kept.model(at=32), text).nats, rel=1e-6)
        assert row["nats"] - row["difference"] == pytest.approx(rs.evaluate(references[name], text).nats, rel=1e-6)
    same = table[(table["reference"] == "untrained") & (table["update"] == 0)]
    assert same[["kl", "difference"]].to_numpy().tolist()[0] == pytest.approx([0, 0], abs=1e-9)
    monkeypatch.setattr("rnnscope.comparison.dynamics._WEIGHTS", 1)  # one network at a time
    calls: list[tuple[int, int]] = []
    again = dynamics(kept, references, text, symbols=200, progress=lambda done, total, note="": calls.append((done, total)))
    assert again["symbols"].unique().tolist() == [200]
    assert [done / total for done, total in calls] == sorted(done / total for done, total in calls)
    assert calls[-1][0] == calls[-1][1]


def test_a_text_is_found_again(kept: rs.Run, corpus: rs.Corpus, text: str, tmp_path: Path) -> None:
    (tmp_path / "text.py").write_text(text)
    recipe = rs.Recipe(architecture=rs.Architecture("lstm", 1, 4), epochs=1, updates=2, batch=4, length=50, snapshots=1)
    own = rs.Corpus.from_file(tmp_path / "text.py")
    run = rs.train(recipe, own, tmp_path / "run")
    references = {"1": rs.NGramLM.fit(own.split("train"), 1)}
    pd.testing.assert_frame_equal(rs.dynamics(run, references), rs.dynamics(run, references, own.split("test")))
    with pytest.raises(FormatError, match="was trained on a text that was not a file; name the text to read"):
        rs.dynamics(kept, references)


def test_what_dynamics_cannot_be_made_of(kept: rs.Run, run: rs.Run, corpus: rs.Corpus) -> None:
    ngram = rs.NGramLM.fit(corpus.split("train"), 1)
    other = rs.NGramLM.fit(rs.Corpus.from_text("abcabc"), 1)
    text = corpus.split("test")
    broken = Says(corpus, np.full(len(corpus.vocabulary), np.nan))
    lazy = Says(corpus, np.full(len(corpus.vocabulary), 1 / len(corpus.vocabulary)))
    monkey: Any = lazy
    monkey.read = lambda *_, **__: iter([])
    wrong: list[tuple[Any, Any, Any, str]] = [
        (run, {"1": ngram}, text, "keeps no weights on the way; train with snapshots"),
        (kept, {}, text, "there is no reference; expected at least one model"),
        (kept, [ngram], text, "expected models to compare with by their names"),
        (kept, {"1": 3}, text, "expected a language model for '1'"),
        (kept, {"1": other}, text, "has another vocabulary than 1-gram"),
        (kept, {"1": ngram}, rs.Corpus.from_text("a", vocabulary=corpus.vocabulary), "has nothing to predict"),
        (kept, {"1": ngram}, "text", "expected a Corpus"),
        (7, {"1": ngram}, text, "expected a run or its folder"),
        (kept, {"x": broken}, text, "x gives probabilities that are no numbers"),
        (kept, {"x": lazy}, text, "x said nothing of .* symbols from position 0 on"),
    ]
    for run_, references, part, said in wrong:
        with pytest.raises(UsageError, match=said):
            rs.dynamics(run_, references, part)
    assert len(rs.dynamics(kept, {"1": ngram}, text.head(1)))  # a single symbol whose successor is known
    with pytest.raises(UsageError, match="symbols is a whole number of at least 2, not 0"):
        rs.dynamics(kept, {"1": ngram}, text, symbols=0)
    with pytest.raises(FormatError, match="is not a run"):
        rs.dynamics("nowhere", {"1": ngram}, text)


def _table(kl: dict[str, list[float]], difference: dict[str, list[float]]) -> pd.DataFrame:
    rows = [("m", name, 10 * k, k / 2, 9, value, 1.0, difference[name][k]) for name in kl for k, value in enumerate(kl[name])]
    columns = ["model", "reference", "update", "epochs", "symbols", "kl", "nats", "difference"]
    return pd.DataFrame(rows, columns=columns).sort_values("update", kind="stable", ignore_index=True)


def test_nearest_and_closest_by_hand() -> None:
    inf = float("inf")
    table = _table(
        {"one": [5, 2, 3, 4], "two": [9, 4, 1, 2], "never": [inf, inf, inf, inf]},
        {"one": [1, -0.1, 0.1, -1], "two": [2, 1, 1, 0.5], "never": [-1, -2, -3, -inf]},
    )
    assert nearest(table)["reference"].tolist() == ["one", "one", "two", "two"]
    assert nearest(table)["kl"].tolist() == [5, 2, 1, 2]
    found = closest(table)
    assert found["reference"].tolist() == ["one", "two", "never"]
    assert found["update"].tolist()[:2] == [10, 20]
    assert found["overtaken"].tolist() == pytest.approx([1.5, np.nan, 0.0], nan_ok=True)


# Units


def test_units_over_a_training(kept: rs.Run, corpus: rs.Corpus) -> None:
    table = rs.emergence(kept, None, corpus, hypotheses=["in_word", "column"], symbols=4_000)
    updates = [s.update for s in kept.snapshots]
    assert table["update"].tolist() == updates * 2
    assert set(table["hypothesis"]) == {"in_word", "column"}
    last = table[table["update"] == updates[-1]]
    assert last["same"].all()
    assert (last["score"] == last["best_score"]).all()
    text = corpus.head(4_000)
    trained = rs.score(rs.record(kept.model(at=8), text, kept.path.parent / "t", ["layer*/*"]), ["in_word"], chance=False)
    was = table[(table["hypothesis"] == "in_word") & (table["update"] == 8)].iloc[0]
    unit = trained[(trained["signal"] == was["signal"]) & (trained["unit"] == was["unit"])].iloc[0]
    assert was["score"] == pytest.approx(unit["auroc"], abs=2e-3)
    assert was["best_score"] == pytest.approx(trained["auroc"].iloc[0], abs=2e-3)
    given_ = emergence(kept, last.iloc[:1], corpus, symbols=4_000)
    assert len(given_) == len(updates)
    assert given_["score"].tolist() == pytest.approx(table["score"].tolist()[: len(updates)])
    found = rs.appearances(table)
    begun = table[table["update"] == 0].set_index("hypothesis")["score"]
    assert found["first"].tolist() == begun[found["hypothesis"]].tolist()
    assert (found["last"] >= found["threshold"]).all()
    own = rs.hypothesis("own_claim", function=lambda text: np.array([c in "aeiou" for c in text]))
    row = pd.DataFrame([("own_claim", "layer0/hidden", 3)], columns=["hypothesis", "signal", "unit"])
    mine = emergence(kept, row, corpus, hypotheses=[own], symbols=4_000)
    assert set(mine["best_signal"]) == {"layer0/hidden"}


def test_what_units_cannot_be_followed(kept: rs.Run, run: rs.Run, corpus: rs.Corpus) -> None:
    names = ["hypothesis", "signal", "unit"]
    some = pd.DataFrame([("in_word", "layer1/cell", 3)], columns=names)
    wrong: list[tuple[Any, Any, str]] = [
        (run, some, "keeps no weights on the way"),
        (kept, some[["hypothesis"]], "signal is missing; rs.best_units gives one"),
        (kept, some.iloc[:0], "the table of units is empty"),
        (kept, [3], "expected a table of units"),
        (kept, some.assign(unit=99), "there is no unit 99 in 'layer1/cell'"),
        (kept, some.assign(hypothesis="url"), "no hypothesis can be tested on .*url: "),
    ]
    for run_, units, said in wrong:
        with pytest.raises(UsageError, match=said):
            emergence(run_, units, corpus, symbols=3_000)
    with pytest.raises(rs.RnnscopeError, match="no hypothesis is called 'in_wort'; did you mean in_word"):
        emergence(kept, some.assign(hypothesis="in_wort"), corpus)
    with pytest.raises(rs.RnnscopeError, match="layer9"):
        emergence(kept, some.assign(signal="layer9/cell"), corpus)
    with pytest.raises(UsageError, match="above 0 and at most 1, not 0"):
        appearances(emergence(kept, some, corpus, symbols=3_000), share=0)


def test_appearances_by_hand() -> None:
    scores = {"up": [0.5, 0.8, 0.6, 0.9], "down": [0.7, 0.9, 0.6, 0.6], "late": [0.5, 0.5, 0.5, 0.9]}
    same = {"up": [False, True, True, True], "down": [True] * 4, "late": [True, True, False, True]}
    rows = [
        (name, "auroc", "s", 1, 10 * k, k / 2, v, same[name][k]) for name, values in scores.items() for k, v in enumerate(values)
    ]
    table = pd.DataFrame(rows, columns=["hypothesis", "measure", "signal", "unit", "update", "epochs", "score", "same"])
    found = appearances(table).set_index("hypothesis")
    assert found.index.tolist() == ["up", "late", "down"]
    assert found["threshold"].tolist() == pytest.approx([0.7, 0.7, 0.65])
    assert found["epochs"].tolist() == pytest.approx([0.5, 1.5, np.nan], nan_ok=True)
    assert found["lasting"].tolist() == pytest.approx([1.5, 1.5, np.nan], nan_ok=True)
    assert found["chosen"].tolist() == [0.5, 1.5, 0.0]
    assert found["update"].tolist() == [10, 30, pd.NA]
    told = appearances(table, threshold=0.85).set_index("hypothesis")
    assert told["epochs"].to_dict() == {"down": 0.5, "up": 1.5, "late": 1.5}


@pytest.mark.parametrize(
    ("measure", "first", "last", "appears"),
    [
        ("correlation", -0.09, 0.04, False),  # nearer to chance than before
        ("correlation", -0.2, -0.003, False),
        ("correlation", 0.01, 0.05, False),  # not by enough
        ("correlation", 0.01, 0.07, True),
        ("information", 0.5, 0.6, True),
        ("auroc", 0.4, 0.55, False),
        ("auroc", 0.47, 0.55, True),
        ("auroc", 0.5, 0.54, False),
    ],
)
def test_a_unit_that_means_nothing_does_not_appear(measure: str, first: float, last: float, appears: bool) -> None:
    rows = [("h", measure, "s", 1, update, update / 2, score, True) for update, score in ((0, first), (16, last), (32, last))]
    table = pd.DataFrame(rows, columns=["hypothesis", "measure", "signal", "unit", "update", "epochs", "score", "same"])
    found = appearances(table)
    assert found["update"].dtype == "Int64"
    assert found["update"].tolist() == [16 if appears else pd.NA]
    assert found[["epochs", "lasting"]].notna().to_numpy().tolist() == [[appears, appears]]
    assert found["chosen"].tolist() == [0.0]
    assert appearances(table, threshold=last)["update"].tolist() == [16]  # a threshold that is given is enough


# Pictures


def test_pictures_hold_no_strange_numbers() -> None:
    inf = float("inf")
    many = {str(k): [5.0 + k, 2.0 + k, 3.0] for k in range(14)}
    tables = [
        _table(many, many),
        _table({"a": [inf, inf, inf], "b": [1.0, inf, 0.0]}, {"a": [-inf] * 3, "b": [1.0, 0.0, -1.0]}),
        _table({"a": [inf]}, {"a": [-inf]}),
        _table({"a": [0.0]}, {"a": [0.0]}),
    ]
    lines = (("a", "auroc", 1), ("a", "auroc", 2), ("b", "correlation", 1))
    units = pd.DataFrame(
        [(h, measure, "layer0/cell", unit, k, k / 3, 0.5 + k / 10) for h, measure, unit in lines for k in range(4)],
        columns=["hypothesis", "measure", "signal", "unit", "update", "epochs", "score"],
    )
    drawn = [draw(table) for table in tables for draw in (figures.divergence, figures.differences)] + [figures.units(units)]
    for figure in drawn:
        for svg in (canvas.written(figure), canvas.to_svg(figure)):
            assert svg.startswith("<svg")
            assert "nan" not in svg.lower().replace("dominant", "")
    assert "layer0/cell[2]" in canvas.written(drawn[-1])


def test_the_papers_figure(corpus: rs.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half, "named", lambda name: corpus)
    monkeypatch.setattr(half, "_SIZE", 8)
    monkeypatch.setattr(half, "CONTEXTS", range(3))
    assert half.protocol(87).architecture.layers == 3
    window = rs.Recipe(architecture=rs.Architecture("window", units=8, context=2), epochs=1, split="streams", batch=4, length=25)
    rs.train(window, corpus, tmp_path / "n-NN").write_half(tmp_path / "results" / "weights" / "small-n-NN-2")
    monkeypatch.setattr(half, "protocol", lambda symbols, epochs: rs.Recipe(
        architecture=rs.Architecture("lstm", 3, 6), epochs=epochs, split="streams", batch=4, length=25, snapshots=1))  # fmt: skip
    run = half.trained("small", tmp_path / "runs", epochs=1)
    written = half.make(run, tmp_path / "results", "small")
    names = {path.name for path in written}
    assert names == {
        "small-dynamics.csv", "small-dynamics-closest.csv", "small-dynamics-about.csv", "small-dynamics-units.csv",
        "small-dynamics-units.svg", "small-dynamics-appearances.csv",
        *(f"small-dynamics-n-{kind}-{what}.svg" for kind in ("NN", "gram") for what in ("kl", "difference")),
    }  # fmt: skip
    table = pd.read_csv(tmp_path / "results" / "figure5" / "small-dynamics.csv")
    assert list(dict.fromkeys(table["reference"])) == ["2-NN", "0-gram", "1-gram", "2-gram"]
    scored = pd.read_csv(tmp_path / "results" / "figure5" / "small-dynamics-units.csv")
    assert scored["update"].drop_duplicates().tolist() == [s.update for s in run.snapshots]
    appeared = pd.read_csv(tmp_path / "results" / "figure5" / "small-dynamics-appearances.csv")
    last = scored[scored["update"] == run.snapshots[-1].update].set_index("hypothesis")["score"]
    assert appeared.set_index("hypothesis")["last"].to_dict() == pytest.approx(last.to_dict(), abs=1e-5)
    assert half.trained("small", tmp_path / "runs", epochs=1).snapshots == run.snapshots


def test_the_papers_network() -> None:
    recipe = half.protocol(87)
    assert (str(recipe.architecture), recipe.epochs, recipe.batch, recipe.length) == ("LSTM 3×126", 3, 100, 100)
    assert half.protocol(101).architecture.units == 128
