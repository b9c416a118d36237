"""Recording and reading traces."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import rnnscope as rs
from rnnscope.exceptions import FormatError, OccupiedError, UnknownNameError, UsageError, VerificationError
from rnnscope.models.cells import CELLS


def test_a_trace_is_what_the_equations_give(trace: rs.Trace, model: rs.RecurrentLM) -> None:
    read = list(model.read(trace.corpus, ["layer1/forget", "log_prob"], kernel=False))
    forget = np.concatenate([block.arrays["layer1/forget"] for block in read])
    log_prob = np.concatenate([block.arrays["log_prob"] for block in read])
    assert trace["layer1/forget"].shape == (6000, 12)
    np.testing.assert_allclose(trace["layer1/forget"][:], forget, atol=1e-4)
    np.testing.assert_allclose(trace["log_prob"][:], log_prob, atol=1e-3)


def test_xarray_opens_it_as_it_is(trace: rs.Trace, recwarn: pytest.WarningsRecorder) -> None:
    data = xr.open_zarr(trace.path)
    assert data["layer0.cell"].dims == ("time", "unit")
    assert data["log_prob"].dims == ("time",)
    assert data["layer0.cell"].attrs["equation"] == "c = f ∘ c₋₁ + i ∘ g"
    np.testing.assert_array_equal(data["layer0.cell"][5:9].values, trace["layer0/cell"][5:9])
    np.testing.assert_array_equal(data["symbol"].values, trace.corpus.ids)
    assert not [w for w in recwarn if "onsolidated" in str(w.message)]


@pytest.mark.parametrize("block", [1, 7, 100, 256, 9999])
def test_the_size_of_blocks_changes_no_value(block: int, trace: rs.Trace, model: rs.RecurrentLM) -> None:
    names = [s.name for s in trace.kept]
    read = list(model.read(trace.corpus, names, block=block))
    assert max(piece.stop - piece.start for piece in read) <= block
    for name in names:
        np.testing.assert_array_equal(np.concatenate([piece.arrays[name] for piece in read]), trace[name][:])


def test_segments_begin_anew_and_are_read_side_by_side(corpus: rs.Corpus, model: rs.RecurrentLM, tmp_path: Path) -> None:
    parts = rs.Corpus.from_text(corpus.to_str(), vocabulary=model.vocabulary, rule=rs.StreamSplit(0.5, 0.25, 5, 100))
    test = parts.split("test")
    trace = rs.record(model, test, tmp_path / "t", ["cell", "log_prob"])
    for k, (start, stop) in enumerate(test.spans()):
        alone = rs.Corpus.from_text(test.to_str(start, stop), vocabulary=model.vocabulary)
        values = np.concatenate([b.arrays["layer1/cell"] for b in model.read(alone, ["layer1/cell"])])
        np.testing.assert_allclose(trace["layer1/cell"][start:stop], values, atol=1e-5)
        assert np.isfinite(trace["log_prob"][stop - 1]) == (test.following[k] >= 0)
    assert trace.corpus.fingerprint == test.fingerprint
    assert trace.corpus.segments == 5


def test_half_precision_states_its_largest_error(trace: rs.Trace, model: rs.RecurrentLM, tmp_path: Path) -> None:
    half = rs.record(model, trace.corpus, tmp_path / "t", [s.name for s in trace.kept], half="*")
    assert half["layer0/cell"].dtype == np.float16
    for name in (s.name for s in trace.kept):
        exact = trace[name][:]
        error = np.nanmax(np.abs(half[name][:].astype(np.float32) - exact))
        assert half.rounding[name] == pytest.approx(error, rel=1e-5)
        assert error <= np.nanmax(np.abs(exact)) * 2**-11
    assert trace.rounding == {}


def test_a_trace_is_not_overwritten(trace: rs.Trace, model: rs.RecurrentLM, tmp_path: Path) -> None:
    with pytest.raises(OccupiedError, match="holds a trace already"):
        rs.record(model, trace.corpus, trace.path)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "notes").touch()
    with pytest.raises(OccupiedError, match="holds something else"):
        rs.record(model, trace.corpus, tmp_path / "x")
    assert (tmp_path / "x" / "notes").exists()


def test_damage_is_named(trace: rs.Trace, tmp_path: Path) -> None:
    copy = tmp_path / "t"
    shutil.copytree(trace.path, copy)
    chunk = copy / "layer0.cell" / "c.1.0"
    data = bytearray(chunk.read_bytes())
    data[100] ^= 1
    chunk.write_bytes(data)
    with pytest.raises(FormatError, match=r"layer0\.cell is damaged"):
        rs.open_trace(copy)["layer0/cell"][:]
    chunk.unlink()
    with pytest.raises(FormatError, match=r"layer0\.cell has 2 of its 3 chunks"):
        rs.open_trace(copy)
    shutil.rmtree(copy / "symbol")
    with pytest.raises(FormatError, match="symbol has 0 of its 1 chunks"):
        rs.open_trace(copy)
    for content in ("[]", "{}", '{"zarr_format": 3, "node_type": "group", "attributes": {"rnnscope": 3}}'):
        (copy / "zarr.json").write_text(content)
        with pytest.raises(FormatError, match=r"zarr\.json is damaged"):
            rs.open_trace(copy)
    with pytest.raises(FormatError, match="is not a trace"):
        rs.open_trace(tmp_path)


def test_names_that_do_not_exist(trace: rs.Trace, model: rs.RecurrentLM, tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean layer0/cell"):
        trace["layer0/cel"]
    with pytest.raises(UnknownNameError, match="no signal is called"):
        rs.record(model, trace.corpus, tmp_path / "t", ["layer7/*"])
    assert not (tmp_path / "t").exists()


def test_another_vocabulary_is_refused(model: rs.RecurrentLM) -> None:
    with pytest.raises(UsageError, match="has another vocabulary"):
        list(model.read(rs.Corpus.from_text("abc"), ["log_prob"]))


def test_a_model_that_lies_is_not_recorded(
    model: rs.RecurrentLM, trace: rs.Trace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = type(CELLS["lstm"])()
    honest = wrong.advance
    monkeypatch.setattr(type(wrong), "advance", lambda self, *given: {**honest(*given), "hidden": given[0]["output"]})
    with pytest.raises(VerificationError, match=r"layer\d/\w+ differs by|log_probs? differs by"):
        rs.record(model, trace.corpus, tmp_path / "t")
    assert list(tmp_path.glob("t/*")) == []


def test_log_probs_sum_to_one(model: rs.RecurrentLM, corpus: rs.Corpus) -> None:
    for block in model.read(corpus.head(700), ["log_probs", "log_prob"]):
        np.testing.assert_allclose(np.exp(block.arrays["log_probs"]).sum(axis=1), 1, atol=1e-5)
        following = corpus.next_ids()[block.start : block.stop]
        chosen = block.arrays["log_probs"][np.arange(len(following)), following]
        np.testing.assert_array_equal(block.arrays["log_prob"], chosen)
