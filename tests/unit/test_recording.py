"""What a recording keeps, what is computed again from it, and streams."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import rnnscope as rs
from rnnscope.exceptions import FormatError, InputError, OccupiedError, UnknownNameError, UsageError
from rnnscope.models import passages
from rnnscope.models.passages import MARK, Plan
from rnnscope.models.recurrent import Recurrent
from tests.unit.test_wrapped import Looped, Theirs

TEXT = "they sat (both) by the fire, and said nothing;\n" * 40
CORPUS = rs.Corpus.from_text(TEXT)
PARTS = rs.Corpus("parts", CORPUS.vocabulary, CORPUS.ids, bounds=np.array([0, 700, 710, 1222, len(CORPUS)]))


def network(cell: str = "lstm", units: int = 10) -> rs.RecurrentLM:
    torch.manual_seed(0)
    return rs.RecurrentLM(rs.Architecture(cell, 2, units), CORPUS.vocabulary)


def intervened() -> Recurrent:
    where = np.arange(len(CORPUS)) % 3 == 0
    return rs.ablate(network(), {"layer0/cell": [1, 2]}, to="resample", where=where)


MODELS: dict[str, Callable[[], Recurrent]] = {
    "lstm": network,
    "gru": lambda: network("gru"),
    "gru-paper": lambda: network("gru-paper"),
    "rnn": lambda: network("rnn"),
    "intervened": intervened,
    "window": lambda: rs.WindowLM(rs.Architecture("window", units=10, context=5), CORPUS.vocabulary),
    "wrapped": lambda: rs.wrap(Theirs(), CORPUS.vocabulary),
    "projected": lambda: rs.wrap(Theirs(proj_size=4), CORPUS.vocabulary),
    "looped": lambda: rs.wrap(Looped(), CORPUS.vocabulary),
    "both sides": lambda: rs.wrap(Theirs(bidirectional=True), CORPUS.vocabulary),
    "double": lambda: rs.wrap(Theirs().double(), CORPUS.vocabulary),
}


@pytest.fixture(params=[None, 2**15], ids=["whole marks", "short passages"])
def short(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Passages of a whole mark, and passages cut into several by what a passage may take."""
    if request.param:
        monkeypatch.setattr(passages, "_BYTES", request.param)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_what_was_not_kept_is_computed_with_the_same_bits(kind: str, tmp_path: Path) -> None:
    model = MODELS[kind]()
    names = [s.name for s in model.signals] + ["top3/ids", "top3/log_probs"]
    everything = rs.record(model, PARTS, tmp_path / "everything", names)
    assert [s.name for s in everything.kept] == names
    lazy = rs.record(model, PARTS, tmp_path / "lazy")
    assert [s.name for s in lazy.kept] == ["log_prob"]
    for name in names:
        kept, computed = everything[name], lazy[name]
        assert (kept.shape, kept.dtype) == (computed.shape, computed.dtype)
        np.testing.assert_array_equal(computed[:], kept[:])
        np.testing.assert_array_equal(computed[1200:1240], kept[1200:1240])
    np.testing.assert_array_equal(lazy["layer0/hidden"][5:900:7, 3], everything["layer0/hidden"][5:900:7, 3])
    np.testing.assert_array_equal(lazy["layer0/hidden"][-1], everything["layer0/hidden"][len(PARTS) - 1])
    np.testing.assert_array_equal(lazy["layer0/hidden"][[1500, 3, 705]], everything["layer0/hidden"][:][[1500, 3, 705]])
    top = [s for s in lazy.signals if s.kind == "hidden"][-1]
    for units, values in lazy.columns(top):
        np.testing.assert_array_equal(values, everything[top.name][:, units])


def test_the_passages_of_a_plan_are_the_text(tmp_path: Path) -> None:
    for streams in (1, 3, 40):
        plan = Plan(PARTS.spans(), 20, streams=streams)
        seen = np.zeros(len(PARTS), np.int64)
        for group in range(plan.groups):
            for passage in plan.passages(group):
                seen[passage.positions[passage.positions >= 0]] += 1
                assert passage.begins == (passage.offset == 0 and not plan.continues[passage.rows[0]])
        assert (seen == 1).all()
        assert plan.marked(plan.marks).all()
        assert not plan.marked(PARTS.bounds).any()


def test_a_trace_without_its_model_gives_what_it_keeps(tmp_path: Path) -> None:
    model = network()
    made = rs.record(model, PARTS, tmp_path / "t", ["cell"])
    alone = rs.open_trace(tmp_path / "t")
    assert [s.name for s in alone.signals] == ["layer0/cell", "layer1/cell"]
    np.testing.assert_array_equal(alone["layer1/cell"][:], made["layer1/cell"][:])
    with pytest.raises(UsageError, match=r"keeps layer0/cell, layer1/cell only; .* rs\.open_trace\(path, model=model\)"):
        alone["layer1/forget"]
    with pytest.raises(UnknownNameError, match="did you mean layer1/forget"):
        alone["layer1/forgot"]
    with_it = rs.open_trace(tmp_path / "t", model)
    np.testing.assert_array_equal(with_it["layer1/forget"][3:9], made["layer1/forget"][3:9])
    assert "layer1/forget" in with_it


def test_the_trace_of_a_run_finds_the_run(model: rs.RecurrentLM, corpus: rs.Corpus, tmp_path: Path) -> None:
    rs.record(model, corpus, tmp_path / "t")
    found = rs.open_trace(tmp_path / "t")
    expected = np.concatenate([b.arrays["layer0/cell"] for b in model.read(corpus, ["layer0/cell"])])
    np.testing.assert_array_equal(found["layer0/cell"][:], expected)
    assert rs.saturation(found)["signal"].nunique() == 6


def test_a_model_that_changed_is_refused(tmp_path: Path) -> None:
    model = network()
    trace = rs.record(model, PARTS, tmp_path / "t")
    with torch.no_grad():
        model.readout.bias[0] += 1
    with pytest.raises(UsageError, match="is another model or has changed since"):
        rs.open_trace(trace.path, model)
    with pytest.raises(UsageError, match="is no recurrent model"):
        rs.open_trace(trace.path, nn.Linear(1, 1))  # type: ignore[arg-type]


def stop_after(model: Recurrent, passages_: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the model fail at a passage."""
    count = 0
    begun = type(model).begun

    def failing(self: Recurrent, *given: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count > passages_:
            raise RuntimeError("stopped")
        return begun(self, *given, **named)

    monkeypatch.setattr(type(model), "begun", failing)


@pytest.mark.parametrize("streams", [1, 3])
def test_a_stopped_recording_goes_on(streams: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    with torch.no_grad():  # a long memory, so that streams take several turns
        for layer in model.stack:
            layer.bias_ih[10:20] += 6
    monkeypatch.setattr("rnnscope.recording.reading.SECONDS", -1.0)
    monkeypatch.setattr("os.sync", lambda: None)
    names = ["cell", "log_prob"]
    whole = rs.record(model, CORPUS, tmp_path / "whole", names, streams=streams, half="layer0/cell")
    stops = 0
    while not (tmp_path / "t" / "zarr.json").exists():
        with monkeypatch.context() as patched:
            stop_after(model, 3 if streams == 1 else 5, patched)
            patched.setattr(model, "verify", lambda *_: {})
            try:
                trace = rs.record(model, CORPUS, tmp_path / "t", names, streams=streams, half="layer0/cell")
            except RuntimeError:
                stops += 1
        assert stops < 40
    assert stops >= 2
    for name in ("log_prob", "layer0/cell", "layer1/cell", "layer1/forget"):
        if streams == 1:
            np.testing.assert_array_equal(trace[name][:], whole[name][:])
        else:
            np.testing.assert_allclose(trace[name][:], whole[name][:], atol=1e-4)
    assert trace.rounding.keys() == whole.rounding.keys()
    assert not list(tmp_path.glob(".rnnscope*"))


def test_a_stopped_recording_of_something_else_is_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    with monkeypatch.context() as patched:
        stop_after(model, 5, patched)
        with pytest.raises(RuntimeError):
            rs.record(model, CORPUS, tmp_path / "t")
    assert not (tmp_path / "t" / "zarr.json").exists()
    monkeypatch.setattr("rnnscope.recording.reading.SECONDS", -1.0)
    with monkeypatch.context() as patched:
        stop_after(model, 5, patched)
        with pytest.raises(RuntimeError):
            rs.record(model, CORPUS, tmp_path / "t")
    for given, words in (
        ((network("gru"), CORPUS), "of another model"),
        ((model, PARTS), "of another text"),
    ):
        with pytest.raises(OccupiedError, match=f"a recording into .* was stopped that was {words}"):
            rs.record(*given, tmp_path / "t")
    with pytest.raises(OccupiedError, match="with other choices"):
        rs.record(model, CORPUS, tmp_path / "t", ["cell"])
    trace = rs.record(model, PARTS, tmp_path / "t", overwrite=True)
    assert trace.corpus.segments == 4
    assert not list(tmp_path.glob(".rnnscope*"))


@pytest.mark.parametrize("kind", ["lstm", "gru", "wrapped", "looped", "intervened"])
def test_streams_give_what_exact_order_gives(kind: str, tmp_path: Path) -> None:
    model = MODELS[kind]()
    exact = rs.record(model, CORPUS, tmp_path / "exact", ["hidden", "log_prob"])
    cut = rs.record(model, CORPUS, tmp_path / "cut", ["hidden", "log_prob"], streams=4, tolerance=1e-6)
    assert exact.streams is None
    assert cut.streams is not None
    assert cut.streams["rows"] == 4
    assert 0 <= cut.streams["largest_difference"] <= 1e-6
    for name in ("layer0/hidden", "layer1/hidden", "log_prob"):
        np.testing.assert_allclose(cut[name][:], exact[name][:], rtol=0, atol=1e-5)
    lazy = rs.record(model, CORPUS, tmp_path / "lazy", streams=4, tolerance=1e-6)
    for name in ("layer0/hidden", "layer1/hidden"):
        np.testing.assert_array_equal(lazy[name][:], cut[name][:])


class Counter(nn.Module):
    """Remembers for ever how many symbols there were: no two starts ever agree."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn: Any = nn.RNN(1, 1, nonlinearity="relu", bias=False)
        self.out = nn.Linear(1, len(CORPUS.vocabulary))
        with torch.no_grad():
            for weight, value in zip(self.rnn.parameters(), (1e-3, 1.0), strict=True):
                weight.fill_(value)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden, _ = self.rnn(torch.ones(*ids.shape, 1))
        out: torch.Tensor = self.out(hidden)
        return out


def test_streams_of_a_network_that_never_forgets_are_right_all_the_same(tmp_path: Path) -> None:
    model = rs.wrap(Counter(), CORPUS.vocabulary)
    exact = rs.record(model, CORPUS, tmp_path / "exact", ["hidden"])
    cut = rs.record(model, CORPUS, tmp_path / "cut", ["hidden"], streams=5)
    np.testing.assert_allclose(exact["layer0/hidden"][:, 0], 1e-3 * np.arange(1, len(CORPUS) + 1), rtol=1e-4)
    np.testing.assert_allclose(cut["layer0/hidden"][:], exact["layer0/hidden"][:], rtol=1e-5)


def test_many_streams_fill_several_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passages, "WIDTH", 2)
    model = network()
    exact = rs.record(model, CORPUS, tmp_path / "exact", ["hidden"])
    cut = rs.record(model, CORPUS, tmp_path / "cut", ["hidden"], streams=6)
    np.testing.assert_allclose(cut["layer1/hidden"][:], exact["layer1/hidden"][:], rtol=0, atol=2e-5)


def test_arguments_that_make_no_sense(tmp_path: Path) -> None:
    model = network()
    both = rs.wrap(Theirs(bidirectional=True), CORPUS.vocabulary)
    for given, words in (
        ({"streams": 0}, "streams is a whole number of at least 1, not 0"),
        ({"streams": 2.5}, "streams is a whole number"),
        ({"tolerance": -1.0}, "the tolerance is a number of at least 0"),
        ({"signals": []}, "no signal is named"),
        ({"signals": ["top99"]}, r"top99 asks for the 99 likeliest of \d+ symbols"),
    ):
        with pytest.raises(UsageError, match=words):
            rs.record(model, CORPUS, tmp_path / "t", **given)
    with pytest.raises(UsageError, match="has no state to carry from piece to piece"):
        rs.record(both, CORPUS, tmp_path / "t", streams=2)
    assert not list(tmp_path.iterdir())


def test_predictions(tmp_path: Path) -> None:
    trace = rs.record(network(), PARTS, tmp_path / "t", ["log_probs", "entropy", "top4", "log_prob"])
    log_probs: NDArray[Any] = trace["log_probs"][:].astype(np.float64)
    np.testing.assert_allclose(np.exp(log_probs).sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(trace["entropy"][:], -(np.exp(log_probs) * log_probs).sum(1), rtol=1e-5)
    order = np.argsort(-log_probs, axis=1, kind="stable")[:, :4]
    ids = trace["top4/ids"][:]
    assert ids.dtype == np.int32
    np.testing.assert_array_equal(np.take_along_axis(log_probs, ids, 1), np.take_along_axis(log_probs, order, 1))
    np.testing.assert_array_equal(trace["top4/log_probs"][:], np.take_along_axis(log_probs, order, 1).astype(np.float32))


def test_half_precision_is_chosen_signal_by_signal_and_has_an_end(tmp_path: Path) -> None:
    trace = rs.record(network(), PARTS, tmp_path / "t", ["cell", "hidden", "top2"], half=["hidden", "top2/*"])
    kinds = {s.name: trace[s.name].dtype for s in trace.kept}
    assert kinds.pop("top2/ids") == np.int32
    assert {name for name, kind in kinds.items() if kind == np.float16} == {"layer0/hidden", "layer1/hidden", "top2/log_probs"}
    assert trace.rounding.keys() == {"layer0/hidden", "layer1/hidden", "top2/log_probs"}
    grows = Counter()
    with torch.no_grad():
        grows.rnn.weight_ih_l0.fill_(90.0)
    with pytest.raises(InputError, match=r"layer0/hidden reaches 6\.\d+e\+04, half precision ends at 65,504"):
        rs.record(rs.wrap(grows, CORPUS.vocabulary), CORPUS, tmp_path / "u", ["hidden"], half="*")


def test_xarray_reads_the_states(tmp_path: Path) -> None:
    import xarray as xr

    trace = rs.record(network(units=70), PARTS, tmp_path / "t", ["layer1/*"])
    data = xr.open_zarr(trace.path)
    assert data["state.layer0.cell"].dims == ("mark", "unit")
    np.testing.assert_array_equal(data["layer1.cell"].values, trace["layer1/cell"][:])
    for mark in (MARK, 710 + MARK, 1222 + MARK):
        np.testing.assert_array_equal(data["state.layer1.cell"].sel(mark=mark).values, trace["layer1/cell"][mark - 1])


N = len(CORPUS)
INDICES: list[Any] = [
    slice(None), slice(5, 900, 7), slice(None, None, -1), slice(9, 3), 3, -1, np.int64(4), N, [1500, 3, 705, 3], [], np.array([7]),
    np.arange(N) % 100 == 3, np.array([[0, 1], [2, 3]]), Ellipsis, None, True, (), (3, ...), (slice(0, 5), ...), (..., None),
    (slice(0, 5), 3), (slice(0, 5), slice(2, 7)), (slice(0, 5), slice(None, None, -2)), ([0, 1], [2, 3]), (slice(0, 5), [1, 1]),
    (slice(0, 5), None), (None, slice(0, 5)), ([4, 5], 3), (7, 3), (np.arange(N) < 4, slice(1, 3)), (slice(0, 5), 3, 4),
]  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> rs.Trace:
    return rs.record(network(), CORPUS, tmp_path_factory.mktemp("both") / "t", ["layer0/cell", "log_prob"])


@pytest.mark.parametrize("where", INDICES, ids=str)
@pytest.mark.parametrize("name", ["layer0/cell", "log_prob", "layer1/cell", "entropy"])
def test_signals_are_indexed_as_numpy_indexes(both: rs.Trace, name: str, where: Any) -> None:
    everything = both[name][:]
    try:
        expected = everything[where]
    except IndexError:
        with pytest.raises(IndexError):
            both[name][where]
        return
    found = both[name][where]
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)


def test_a_signal_is_found_by_itself_and_several_are_refused(both: rs.Trace) -> None:
    for signal in both.signals:
        assert both[signal].shape == both[signal.name].shape
    with pytest.raises(UsageError, match="top3 is several signals; expected one of top3/ids, top3/log_probs"):
        both["top3"]
    with pytest.raises(UsageError, match="states are kept before the positions in the array 'mark' only"):
        both.states(np.array([100]))


def test_a_model_that_changes_while_a_trace_is_open_is_noticed(tmp_path: Path) -> None:
    for model in (network(), rs.wrap(Theirs(), CORPUS.vocabulary)):
        trace = rs.record(model, CORPUS, tmp_path / model.name)
        with torch.no_grad():
            module: Any = getattr(model, "module", model)
            next(module.parameters()).mul_(2)
        with pytest.raises(UsageError, match="has changed since it was recorded"):
            trace["layer0/cell"][:3]


def replace(path: Path, old: str, new: str) -> None:
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    "damage",
    [
        lambda room: (room / "recording.json").write_text('{"identity": {}}'),
        lambda room: (room / "recording.json").write_text(
            (room / "recording.json").read_text().replace('"group": 0', '"group": "x"')
        ),
        lambda room: (room / "trace" / "layer0.cell" / "c.0.0").unlink(),
        lambda room: (room / "trace" / "state.layer0.cell" / "c.0.0").unlink(),
    ],
)
def test_a_stopped_recording_that_is_damaged_is_named(damage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    with monkeypatch.context() as patched:
        stop_after(model, 5, patched)
        patched.setattr(model, "verify", lambda *_: {})
        with pytest.raises(RuntimeError):
            rs.record(model, CORPUS, tmp_path / "t", ["cell"])
    damage(tmp_path / ".rnnscope-unfinished-t")
    with pytest.raises((FormatError, OccupiedError), match="remove"):
        rs.record(model, CORPUS, tmp_path / "t", ["cell"])
    assert not (tmp_path / "t").exists()
    with pytest.raises(FormatError, match="is not a trace yet: a recording into it was stopped"):
        rs.open_trace(tmp_path / "t")
