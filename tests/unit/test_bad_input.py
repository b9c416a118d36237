"""What is said of texts and models of which there is nothing to say: a clear line or an empty table, and no picture with a NaN."""

from collections.abc import Callable
from inspect import isfunction, signature
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import rnnscope as rs
from rnnscope.analysis.saturation import saturation
from rnnscope.analysis.timescales import timescales
from rnnscope.comparison import read_all
from rnnscope.comparison.agreement import branches, layout, tree
from rnnscope.comparison.contexts import LENGTHS, contexts, reach
from rnnscope.comparison.distances import PAIRS, distances
from rnnscope.exceptions import CorpusError, RnnscopeError, UsageError
from rnnscope.findings.attribution import attribution
from rnnscope.views import canvas, compared, shading
from rnnscope.views import comparisons as draw
from rnnscope.views.drawn import Drawn, write
from rnnscope.views.figures import saturation_scatter
from tests.unit.test_comparison import Told

PLAIN = "it was so and it was not so, they said and went on\n" * 30
TEXTS: dict[str, rs.Corpus] = {
    "without any brace": rs.Corpus.from_text(PLAIN),
    "of one kind of symbol": rs.Corpus.from_text("a" * 200),
    "of segments one symbol long": rs.Corpus.from_text(PLAIN).pieces(np.array([[k, k + 1] for k in range(0, 300, 2)])),
    "as short as can be": rs.Corpus.from_text("ab"),
    "program without any brace": rs.Corpus.from_text("int a = 1;\n" * 20, language="c"),
}


def right(corpus: rs.Corpus, name: str, p: float = 1.0) -> Any:
    return Told(name, corpus, np.full(len(corpus), p))


def sound(drawn: Drawn, folder: Path) -> None:
    """Every table is written and read again; no picture has a coordinate that is no number, on paper or in a page."""
    for path in write(drawn, folder):
        if path.suffix == ".csv":
            pd.read_csv(path)
    for figure in drawn.figures.values():
        for svg in (canvas.written(figure), canvas.to_svg(figure)):
            assert "nan" not in svg.lower().replace("dominant", "")
            assert "inf" not in svg.lower()


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("others", [0, 1, 2, 5])
def test_models_that_are_never_wrong(name: str, others: int, tmp_path: Path) -> None:
    corpus = TEXTS[name]
    models = {f"sure {k}": right(corpus, f"m{k}") for k in range(1 + others)}
    found = rs.compare(models, corpus)
    assert (found.models["errors"] == 0).all()
    assert found.models["nats"].tolist() == pytest.approx([0.0] * (1 + others))
    assert found.overlap["symbols"].tolist() == [len(found.readings)]
    assert (found.agreement == 1).all(axis=None)
    assert np.isfinite(layout(found.agreement)[["x", "y"]]).all(axis=None)
    gained = found.gains()
    assert (gained["gain"] == 0).all()
    for pair in PAIRS:
        assert len(distances(found.readings, pair)) == 0
    sound(compared.comparison(found, "{}"), tmp_path)
    if others:
        assert (branches(found.agreement)["distance"] == 0).all()


@pytest.mark.parametrize("name", TEXTS)
def test_models_that_are_never_right(name: str, tmp_path: Path) -> None:
    corpus = TEXTS[name]
    if len(corpus.vocabulary) == 1:
        return  # nobody can be wrong about the only symbol
    found = rs.compare({"one": right(corpus, "1", 1e-30), "two": right(corpus, "2", 0.0)}, corpus)
    assert (found.models["errors"] == 1).all()
    sound(compared.comparison(found, "()"), tmp_path)


@pytest.mark.parametrize("p", [1.0, 0.0])
@pytest.mark.parametrize("name", ["without any brace", "program without any brace"])
def test_errors_of_a_model_that_makes_none_or_only_errors(p: float, name: str, tmp_path: Path) -> None:
    corpus = TEXTS[name]
    found = rs.errors(right(corpus, "it", p), corpus)
    assert len(found.mistakes) == (found.mistakes.symbols if p == 0 else 0)
    assert found.rate == 1 - p
    assert found.table["share"].sum() == pytest.approx(1 - p)
    assert np.isfinite(found.table[["share", "bits"]]).all(axis=None)
    assert found.excerpts(found.table["category"][0]) == [] or p == 0
    sound(compared.breakdowns({"it": found, "again": found}), tmp_path)
    one_symbol = corpus.pieces(np.array([[k, k + 1] for k in range(0, 200, 2)]))
    assert rs.errors(right(one_symbol, "it", p), corpus, part=one_symbol).rate == 1 - p


@pytest.mark.parametrize("name", TEXTS)
def test_contexts_of_any_text(name: str, tmp_path: Path) -> None:
    corpus = TEXTS[name]
    torch.manual_seed(0)
    network = rs.RecurrentLM(rs.Architecture("gru", 1, 4), corpus.vocabulary)
    models: dict[str, Any] = {"sure": right(corpus, "m", 1.0), "network": network}
    lengths = [k for k in LENGTHS if k <= reach(corpus)][:4]
    assert bool(lengths) == (name != "as short as can be")
    if not lengths:
        with pytest.raises(UsageError, match="has 1 symbol with 1 before them; expected at least 2"):
            contexts({"network": network}, corpus, [1])
        return
    if "segments" in name or len(corpus.vocabulary) == 1:
        models.pop("sure")  # it is told what to say of the text alone
    else:
        models["sure"] = right(rs.Corpus("", corpus.vocabulary, np.zeros(10**6, np.uint8)), "m")
    table = contexts(models, corpus, lengths, places=30)
    assert np.isfinite(table[["nats", "rise", "low", "high"]]).all(axis=None)
    assert (table.loc[table["context"] == lengths[-1], ["rise", "low", "high"]] == 0).all(axis=None)
    sound(Drawn({"contexts": table}, {"contexts": draw.contexts(table)}), tmp_path)


@pytest.mark.parametrize("name", TEXTS)
def test_traces_of_any_text(name: str, tmp_path: Path) -> None:
    corpus = TEXTS[name]
    network = rs.RecurrentLM(rs.Architecture("lstm", 1, 4), corpus.vocabulary)
    for kept in (["layer*/*", "log_prob"], ["log_prob"]):
        trace = rs.record(network, corpus, tmp_path / kept[0].replace("*/*", ""), kept)
        gates, units = saturation(trace), timescales(trace)
        assert np.isfinite(gates[["left", "right"]]).all(axis=None)
        assert np.isfinite(units[["memory", "low", "high", "kept", "deviation"]]).all(axis=None)
        sound(Drawn({"saturation": gates, "timescales": units}, {"saturation": saturation_scatter(gates)}), tmp_path / "drawn")
        table = rs.writes(trace, "layer0/cell", 1, len(corpus) - 1)
        assert table["part"].sum() == pytest.approx(float(trace["layer0/cell"][len(corpus) - 1, 1]), abs=1e-6)
        sound(Drawn({"writes": table}, {"writes": shading.resting(table, "part", "characters", "c", "c")}), tmp_path / "drawn")
    place = int(np.flatnonzero(corpus.next_ids() >= 0)[-1])
    shares = attribution(network, corpus, place)
    assert np.isfinite(shares["share"]).all()
    assert len(shares) == 1 or corpus.segments == 1
    sound(
        Drawn({"shares": shares}, {"shares": shading.resting(shares, "share", "characters", "log p", "nats")}), tmp_path / "drawn"
    )


def test_a_unit_does_not_move_where_a_segment_begins(tmp_path: Path) -> None:
    """Kept signals are read over the edges of segments, computed ones within; both say the same of a state."""
    corpus = TEXTS["without any brace"].pieces(np.array([[k, k + 20] for k in range(0, 1_400, 20)]))
    torch.manual_seed(0)
    network = rs.RecurrentLM(rs.Architecture("lstm", 1, 6), corpus.vocabulary)
    with torch.no_grad():
        network.stack[0].bias_ih[6:12] = 6.0  # keep
        network.stack[0].bias_ih[12:18] = 6.0  # write the same at each symbol
    kept, computed = (rs.record(network, corpus, tmp_path / str(k), s) for k, s in enumerate((["layer*/*"], ["log_prob"])))
    pd.testing.assert_frame_equal(timescales(kept), timescales(computed), rtol=1e-5)
    assert (timescales(kept)["kind"] == "").all()  # no counter: it never goes back but where it begins anew


def test_an_empty_text_is_refused(model: rs.RecurrentLM, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="is empty; expected a text with at least one symbol"):
        rs.Corpus.from_text("")
    empty = rs.Corpus("nothing", model.vocabulary, np.empty(0, np.uint8))
    trace = rs.record(model, empty, tmp_path / "t", ["layer*/*"])
    asked: list[tuple[Any, str]] = [
        (lambda: rs.compare({"m": model}, empty), "has nothing to predict"),
        (lambda: rs.errors(model, empty, part=empty), "has nothing to predict"),
        (lambda: contexts({"m": model}, empty, [1]), "has 0 symbols with 1 before them"),
        (lambda: attribution(model, empty, 0), "position is a whole number from 0"),
        (lambda: rs.writes(trace, "layer0/cell", 0, 0), "position is a whole number from 0"),
        (lambda: saturation(trace), "holds no symbol; expected a trace of a text with at least one"),
        (lambda: timescales(trace), "holds no symbol; expected a trace of a text with at least one"),
    ]
    for ask, said in asked:
        with pytest.raises(RnnscopeError, match=said):
            ask()
    assert reach(empty) == 0


def test_other_vocabularies_and_other_texts_are_refused(model: rs.RecurrentLM, corpus: rs.Corpus, tmp_path: Path) -> None:
    other = TEXTS["without any brace"]
    foreign = rs.RecurrentLM(rs.Architecture("lstm", 1, 4), other.vocabulary)
    first, second = corpus.head(500), corpus.pieces(np.array([[500, 1_000]]))
    traces = [rs.record(model, text, tmp_path / str(k), ["log_prob", "top1"]) for k, text in enumerate((first, second))]
    refused: list[tuple[Any, str]] = [
        (lambda: rs.compare({"a": model, "b": foreign}, corpus), "has another vocabulary than LSTM 1×4"),
        (lambda: rs.errors(foreign, corpus), "has another vocabulary than"),
        (lambda: contexts({"a": model, "b": foreign}, corpus, [1, 2]), "has another vocabulary than"),
        (lambda: attribution(foreign, corpus, 3), "has another vocabulary than"),
        (lambda: rs.compare({"a": traces[0], "b": traces[1]}), "is of another text than"),
        (lambda: rs.errors(traces[0], corpus, part=second), "is of another text than"),
        (lambda: contexts({"a": traces[0]}, corpus, [1]), "expected a language model for 'a'"),  # type: ignore[dict-item]
        (lambda: attribution(traces[0], first, 3), "is a Trace; expected a recurrent model"),  # type: ignore[arg-type]
    ]
    for ask, said in refused:
        with pytest.raises(UsageError, match=said):
            ask()
    assert rs.compare({"a": traces[0], "b": model}).agreement.loc["a", "b"] == 1


def test_one_model_has_no_tree() -> None:
    corpus = TEXTS["without any brace"]
    found = rs.compare({"one": right(corpus, "1", 0.7)}, corpus)
    for ask in (tree, branches):
        with pytest.raises(UsageError, match="a tree of 1 model has no branch; expected at least 2 models"):
            ask(found.agreement)
    assert set(compared.comparison(found, "{}").figures) == {"distances"}
    assert len(read_all({"one": right(corpus, "1", 0.7)}, corpus)) == len(corpus) - 1


def wanted(function: Callable[..., object]) -> int:
    """How many arguments it can't do without."""
    return sum(p.default is p.empty and p.kind == p.POSITIONAL_OR_KEYWORD for p in signature(function).parameters.values())


FUNCTIONS = sorted(name for name in rs.__all__ if isfunction(getattr(rs, name)) and wanted(getattr(rs, name)))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("given", [None, object(), 3.5])
def test_what_is_of_no_use_is_refused_in_a_line(name: str, given: object) -> None:
    function = getattr(rs, name)
    with pytest.raises(RnnscopeError) as refused:
        function(*[given] * wanted(function))
    assert "\n" not in str(refused.value)
