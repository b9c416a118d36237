"""Scoring and saturation on traces whose answers are known."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

import rnnscope as rs
from rnnscope.analysis.hypotheses.base import Hypothesis, label
from rnnscope.analysis.labels import LEAST, STRETCHES
from rnnscope.analysis.saturation import by_gate
from rnnscope.analysis.timescales import timescales
from rnnscope.cli.main import rnnscope
from rnnscope.exceptions import InputError, UnknownNameError, UsageError
from rnnscope.signal import Signal
from rnnscope.traces import TraceWriter


def write(path: Path, corpus: rs.Corpus, **signals: NDArray[Any]) -> rs.Trace:
    """A trace of given values: names with a double underscore for the slash."""
    named = {name.replace("__", "/"): values.astype(np.float32) for name, values in signals.items()}
    kinds = [Signal(name, v.shape[1], "given", 0.0, 1.0, name.endswith(("forget", "input"))) for name, v in named.items()]
    writer = TraceWriter(path, corpus, kinds)
    for start in range(0, len(corpus), 700):
        writer.write(start, {name: values[start : start + 700] for name, values in named.items()})
    writer.finish({"model": {"name": "given", "fingerprint": str(path)}})
    return rs.open_trace(path)


@pytest.fixture
def given(corpus: rs.Corpus, tmp_path: Path) -> tuple[rs.Trace, dict[str, NDArray[Any]]]:
    """Noise, with comments in unit 3 and, upside down, the column in unit 5."""
    labels = label(rs.hypotheses(["comment", "column"]), corpus)
    values = np.random.default_rng(1).normal(size=(len(corpus), 8))
    values[:, 3] += 4 * labels["comment"]
    values[:, 5] -= labels["column"]
    return write(tmp_path / "t", corpus, layer0__cell=values), {**labels, "values": values.astype(np.float32)}


def test_the_right_units_are_found(given: tuple[rs.Trace, dict[str, NDArray[Any]]]) -> None:
    trace, known = given
    table = rs.score(trace, rs.hypotheses(["comment", "column"]), "cell")
    assert len(table) == 16
    best = rs.best_units(table).set_index("hypothesis")
    assert (best.loc["comment", "unit"], best.loc["comment", "polarity"]) == (3, 1)
    assert (best.loc["column", "unit"], best.loc["column", "polarity"]) == (5, -1)
    half = len(trace) // 2
    expected = roc_auc_score(known["comment"][half:], known["values"][half:, 3])
    assert best.loc["comment", "score"] == pytest.approx(expected, abs=1e-3)
    expected = -spearmanr(known["column"][half:], known["values"][half:, 5]).statistic
    assert best.loc["column", "score"] == pytest.approx(expected, abs=1e-3)


def test_hypotheses_are_given_as_they_are_or_by_name(given: tuple[rs.Trace, Any]) -> None:
    trace, _ = given
    mine = rs.hypothesis("mine", pattern="def")
    several: list[str | Hypothesis] = ["column", "col*", mine]
    for tested, expected in (("comm*", {"comment"}), (several, {"column", "mine"})):
        assert set(rs.score(trace, tested, "cell", chance=False, controls=False)["hypothesis"]) == expected
    for wrong, said in ((mine, "is no list of hypotheses"), (3, "is no list"), ([3], "3 is no hypothesis")):
        with pytest.raises(UsageError, match=said):
            rs.score(trace, wrong, "cell")  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match="no hypothesis is called 'coment'; did you mean comment"):
        rs.score(trace, ["coment"], "cell")


def test_chosen_on_one_half_and_reported_on_the_other(corpus: rs.Corpus, tmp_path: Path) -> None:
    comment = label(rs.hypotheses("comment"), corpus)["comment"]
    half = len(corpus) // 2
    values = np.random.default_rng(2).normal(size=(len(corpus), 4))
    values[:half, 1] += 9 * comment[:half]  # perfect where the unit is chosen, noise where it is reported
    values[half:, 2] += 9 * comment[half:]  # the other way round
    best = rs.best_units(rs.score(write(tmp_path / "t", corpus, layer0__cell=values), rs.hypotheses("comment"), "cell"))
    assert best["unit"].tolist() == [1]
    assert best["score"][0] < 0.6


def test_the_control_is_the_untrained_networks_own_best_unit(
    given: tuple[rs.Trace, Any], corpus: rs.Corpus, tmp_path: Path
) -> None:
    noise = write(tmp_path / "noise", corpus, layer0__cell=np.random.default_rng(3).normal(size=(len(corpus), 8)))
    tested = rs.hypotheses("comment")
    best = rs.best_units(rs.score(given[0], tested, "cell"), rs.score(noise, tested, "cell"))
    assert best["score"][0] > 0.95
    assert 0.4 < best["untrained"][0] < 0.6


def test_where_a_claim_does_not_apply_it_does_not_count(corpus: rs.Corpus, tmp_path: Path) -> None:
    position = label(rs.hypotheses("word_position"), corpus)["word_position"]
    values = np.nan_to_num(position, nan=1e6)[:, None]
    best = rs.best_units(rs.score(write(tmp_path / "t", corpus, layer0__cell=values), rs.hypotheses("word_position"), "cell"))
    assert best["score"][0] == pytest.approx(1.0, abs=1e-3)


def test_what_cannot_be_tested_is_left_out_with_its_reason(tmp_path: Path) -> None:
    corpus = rs.Corpus.from_text("ab c" * 100)
    table = rs.score(
        write(tmp_path / "t", corpus, layer0__cell=np.zeros((400, 2))), rs.hypotheses(["digit", "comment", "in_word"]), "cell"
    )
    assert set(table["hypothesis"]) == {"in_word"}
    assert table.attrs["left_out"]["digit"] == (
        f"holds or fails at fewer than {LEAST} symbols, or in fewer than {STRETCHES} stretches, of one half of the text"
    )
    assert table.attrs["left_out"]["comment"] == "is about python and c"
    assert (table["auroc"] == 0.5).all()
    nothing = rs.score(rs.open_trace(tmp_path / "t"), rs.hypotheses("digit"), "cell")
    assert len(nothing) == 0
    assert len(rs.best_units(nothing, nothing)) == 0


def test_a_single_episode_is_no_test(tmp_path: Path) -> None:
    corpus = rs.Corpus.from_text(("ab c" * 50 + "1" * 40 + "ab c" * 50) * 2)
    table = rs.score(
        write(tmp_path / "t", corpus, layer0__cell=np.zeros((len(corpus), 2))), rs.hypotheses(["digit", "in_word"]), "cell"
    )
    assert "digit" in table.attrs["left_out"]


def test_without_a_signal_the_states_are_scored(trace: rs.Trace) -> None:
    assert set(rs.score(trace, rs.hypotheses("newline"))["signal"]) == {f"layer{k}/{s}" for k in (0, 1) for s in ("cell", "hidden")}
    with pytest.raises(InputError, match="has no units to score in log_prob"):
        rs.score(trace, rs.hypotheses("newline"), "log_prob")


def test_a_finding_beats_its_control(given: tuple[rs.Trace, Any], corpus: rs.Corpus, tmp_path: Path) -> None:
    noise = write(tmp_path / "noise", corpus, layer0__cell=np.random.default_rng(3).normal(size=(len(corpus), 8)))
    tested = rs.hypotheses("comment")
    trained, untrained = rs.score(given[0], tested, "cell"), rs.score(noise, tested, "cell")
    assert rs.best_units(trained, untrained)["finding"].tolist() == [True]
    assert rs.best_units(trained, trained)["finding"].tolist() == [False]


def test_saturation_by_hand(tmp_path: Path) -> None:
    corpus = rs.Corpus.from_text("abcd")
    gate = np.array([[0.05, 0.95], [0.1, 0.95], [0.5, 0.05], [0.9, 0.95]])
    table = rs.saturation(write(tmp_path / "t", corpus, layer0__forget=gate, layer0__cell=gate))
    expected = pd.DataFrame(
        {"signal": "layer0/forget", "layer": 0, "gate": "forget", "unit": [0, 1], "left": [0.25, 0.25], "right": [0.0, 0.75]}
    )
    pd.testing.assert_frame_equal(table, expected)
    gates = {"signal": ["layer0/forget"], "units": 2, "left": 0.25, "right": 0.375, "often_left": 0, "often_right": 1}
    pd.testing.assert_frame_equal(by_gate(table), pd.DataFrame(gates))


def test_saturation_without_gates(tmp_path: Path) -> None:
    trace = write(tmp_path / "t", rs.Corpus.from_text("abcd"), layer0__cell=np.zeros((4, 2)))
    with pytest.raises(InputError, match="holds no gate"):
        rs.saturation(trace)


def test_timescales_by_hand(tmp_path: Path) -> None:
    """A latch, a counter, a dead unit, noise, a latch whose gate keeps little, and a state that drifts to where it stays."""
    generator, length = np.random.default_rng(0), 4_000
    corpus = rs.Corpus.from_text("ab" * (length // 2))
    latch = np.repeat(generator.integers(0, 2, length // 50), 50) * 2.0 - 1
    counter, drift = np.arange(length) % 40 / 40, np.minimum(np.arange(length) / 200, 1)
    cells = np.stack([latch, counter, np.full(length, 0.3), generator.normal(size=length), latch, drift], axis=1)
    forget = np.tile([0.99, 0.95, 0.99, 0.99, 0.5, 0.99], (length, 1))
    forget[::20, 0] = 0.1
    writer = TraceWriter(
        tmp_path / "t", corpus,
        [Signal("layer0/forget", 6, "f; 1 keeps", 0.0, 1.0, gate=True), Signal("layer0/cell", 6, "c", state=True)],
    )  # fmt: skip
    writer.write(0, {"layer0/forget": forget.astype(np.float32), "layer0/cell": cells.astype(np.float32)})
    writer.finish({"model": {"name": "given", "fingerprint": "0"}})
    table = timescales(rs.open_trace(tmp_path / "t"))
    assert table["kind"].tolist() == ["latch", "counter", "dead", "", "", ""]
    np.testing.assert_allclose(table["memory"], -1 / np.log([0.99, 0.95, 0.99, 0.99, 0.5, 0.99]), rtol=0.07)
    assert table["low"][0] == pytest.approx(-1 / np.log(0.99), rel=0.07)
    np.testing.assert_allclose(table["kept"], [0.95, 1, 1, 1, 0, 1])
    np.testing.assert_allclose(table["deviation"], cells.std(0), atol=1e-6)
    assert set(table["gate"]) == {"layer0/forget"}
    assert set(table["state"]) == {"layer0/cell"}


def test_the_ends_of_what_is_measured_of_memories(tmp_path: Path) -> None:
    corpus = rs.Corpus.from_text("abcd" * 10)
    kinds = [Signal("layer0/forget", 3, "f; 1 keeps", 0.0, 1.0, gate=True), Signal("layer0/cell", 3, "c", state=True)]
    writer = TraceWriter(tmp_path / "t", corpus, kinds)
    forget, cell = np.tile(np.array([1, 0, 0.9], np.float32), (40, 1)), np.zeros((40, 3), np.float32)
    writer.write(0, {"layer0/forget": forget, "layer0/cell": cell})
    writer.finish({"model": {"name": "given", "fingerprint": "0"}})
    assert timescales(rs.open_trace(tmp_path / "t"))["memory"].tolist() == pytest.approx([1e6, 0.2, 9.5], rel=0.06)
    done = CliRunner().invoke(rnnscope, ["saturation", str(tmp_path / "t"), "--units"])
    assert done.stderr == "1 unit with the longest memory that is measured, 1,000,000 symbols or more\n"


def test_timescales_of_gates_that_overwrite(tmp_path: Path) -> None:
    corpus = rs.Corpus.from_text("abcd" * 10)
    kinds = [Signal("layer0/update", 1, "z; 1 overwrites", 0.0, 1.0, gate=True), Signal("layer0/hidden", 1, "h", state=True)]
    writer = TraceWriter(tmp_path / "t", corpus, kinds)
    writer.write(0, {"layer0/update": np.full((40, 1), 0.02, np.float32), "layer0/hidden": np.zeros((40, 1), np.float32)})
    writer.finish({"model": {"name": "given", "fingerprint": "0"}})
    assert timescales(rs.open_trace(tmp_path / "t"))["memory"][0] == pytest.approx(-1 / np.log(0.98), rel=0.07)
    with pytest.raises(InputError, match="holds no gate that keeps a state"):
        timescales(write(tmp_path / "other", corpus, layer0__forget=np.zeros((40, 2))))


def test_memories_end_where_half_precision_does(tmp_path: Path) -> None:
    corpus = rs.Corpus.from_text("abcd" * 10)
    kinds = [Signal("layer0/forget", 2, "f; 1 keeps", 0.0, 1.0, gate=True), Signal("layer0/cell", 2, "c", state=True)]
    values = {"layer0/forget": np.tile([0.9999, 0.99], (40, 1)).astype(np.float32), "layer0/cell": np.zeros((40, 2), np.float32)}
    for half, longest in (([], 10_000), (["layer0/forget"], 4_096)):
        writer = TraceWriter(tmp_path / f"{len(half)}", corpus, kinds, half=half)
        writer.write(0, values)
        writer.finish({"model": {"name": "given", "fingerprint": "0"}})
        table = timescales(rs.open_trace(tmp_path / f"{len(half)}"))
        np.testing.assert_allclose(table["memory"], [longest, 99.5], rtol=0.07)


def test_timescales_of_what_is_computed_and_what_is_kept(model: rs.RecurrentLM, trace: rs.Trace, tmp_path: Path) -> None:
    kept = timescales(trace)
    computed = timescales(rs.record(model, trace.corpus, tmp_path / "lazy"))
    assert len(kept) == len(computed) == 48 // 2
    np.testing.assert_allclose(kept["memory"], computed["memory"], rtol=0.15)
    np.testing.assert_allclose(kept["deviation"], computed["deviation"], rtol=1e-5)
