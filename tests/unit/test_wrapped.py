"""Somebody else's module as a language model: every signal right, the module as it was found, refusals that say why."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import rnnscope as rs
from rnnscope.exceptions import UsageError, VerificationError
from rnnscope.models.passages import MARK
from tests.golden.test_interventions import read

TEXT = "they sat (both) by the fire, and said nothing;\n" * 14
CORPUS = rs.Corpus.from_text(TEXT)
SYMBOLS = len(CORPUS.vocabulary)
PARTS = rs.Corpus("three", CORPUS.vocabulary, CORPUS.ids, bounds=np.array([0, 300, 310, len(CORPUS)]))
assert len(PARTS) - 310 > MARK


class Theirs(nn.Module):
    """What people write: an embedding, something recurrent, dropout, a softmax layer."""

    def __init__(self, kind: type[nn.RNNBase] = nn.LSTM, batch_first: bool = True, **options: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(SYMBOLS, 7)
        make: Any = kind
        self.rnn = make(7, 9, num_layers=2, batch_first=batch_first, dropout=0.5, **options)
        out = (options.get("proj_size") or 9) * (2 if options.get("bidirectional") else 1)
        self.out = nn.Linear(out, SYMBOLS)
        with torch.no_grad():
            for parameter in self.rnn.parameters():
                parameter.uniform_(-0.8, 0.8)

    def forward(self, ids: Tensor) -> Any:
        return self.out(nn.functional.dropout(self.rnn(self.embed(ids))[0], 0.3, self.training))


VARIANTS = [
    (nn.LSTM, {}),
    (nn.LSTM, {"bias": False}),
    (nn.LSTM, {"proj_size": 4}),
    (nn.GRU, {}),
    (nn.GRU, {"bias": False}),
    (nn.RNN, {}),
    (nn.RNN, {"nonlinearity": "relu"}),
]


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize(("kind", "options"), VARIANTS)
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_every_state_is_the_one_that_the_module_has(kind: type[nn.RNNBase], options: dict[str, Any], batch_first: bool) -> None:
    """Against the module stepped by hand; and every gate against the equation that makes the next state of it."""
    theirs = Theirs(kind, batch_first, **options)
    found = read(rs.wrap(theirs, CORPUS.vocabulary), PARTS)
    theirs.eval()
    for start, stop in PARTS.spans():
        state: Any = None
        for t in range(start, stop):
            x = theirs.embed(torch.tensor([[int(PARTS.ids[t])]]))
            with torch.no_grad():
                out, state = theirs.rnn(x, state)
                log_probs = theirs.out(out)[0, 0].log_softmax(-1).numpy()
            h, c = state if kind is nn.LSTM else (state, None)
            for k in range(2):
                size = max(1.0, float(h[k].abs().max()))  # max(0, ·) knows no bound
                np.testing.assert_allclose(found[f"layer{k}/hidden"][t], h[k, 0].numpy(), rtol=0, atol=2e-6 * size)
                if c is not None:
                    np.testing.assert_allclose(found[f"layer{k}/cell"][t], c[k, 0].numpy(), rtol=2e-6, atol=2e-6)
            np.testing.assert_allclose(found["log_probs"][t], log_probs, rtol=0, atol=1e-5)
        for k in range(2):
            gate = {s.kind: found[s.name][start:stop] for s in rs.wrap(theirs, PARTS.vocabulary).signals if s.layer == k}
            before = {kind: np.concatenate([np.zeros_like(v[:1]), v[:-1]]) for kind, v in gate.items()}
            if kind is nn.LSTM:
                np.testing.assert_allclose(
                    gate["cell"], gate["forget"] * before["cell"] + gate["input"] * gate["candidate"], rtol=1e-5, atol=1e-5
                )
                shown = gate["output"] * np.tanh(gate["cell"])
                if "proj_size" in options:
                    shown = shown @ getattr(theirs.rnn, f"weight_hr_l{k}").detach().numpy().T
                np.testing.assert_allclose(gate["hidden"], shown, rtol=1e-5, atol=1e-5)
            elif kind is nn.GRU:
                mixed = (1 - gate["update"]) * gate["candidate"] + gate["update"] * before["hidden"]
                np.testing.assert_allclose(gate["hidden"], mixed, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_the_same_weights_give_the_same_signals_as_a_network_of_ours(cell: str) -> None:
    ours = rs.RecurrentLM(rs.Architecture(cell, 2, 9), CORPUS.vocabulary)

    class Copy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[cell](SYMBOLS, 9, 2)
            self.out = ours.readout
            with torch.no_grad():
                for k, layer in enumerate(ours.stack):
                    for name, value in layer.named_parameters():
                        getattr(self.rnn, f"{name}_l{k}").copy_(value)

        def forward(self, ids: Tensor) -> Any:
            return self.out(self.rnn(nn.functional.one_hot(ids, SYMBOLS).float())[0])

    wrapped = rs.wrap(Copy(), CORPUS.vocabulary)
    assert [s.to_json() for s in wrapped.signals] == [s.to_json() for s in ours.signals]
    for a, b in ((wrapped, ours), (rs.ablate(wrapped, {"layer0/hidden": 2}, 0.4), rs.ablate(ours, {"layer0/hidden": 2}, 0.4))):
        expected = read(b, PARTS)
        for name, value in read(a, PARTS).items():
            np.testing.assert_allclose(value, expected[name], rtol=0, atol=2e-6)
    assert rs.sample(wrapped, "they", length=60, seed=4) == rs.sample(ours, "they", length=60, seed=4)
    assert rs.evaluate(wrapped, PARTS).nats == pytest.approx(rs.evaluate(ours, PARTS).nats, abs=1e-6)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_both_directions_have_names_of_their_own(kind: type[nn.RNNBase]) -> None:
    theirs = Theirs(kind, bidirectional=True)
    wrapped = rs.wrap(theirs, CORPUS.vocabulary)
    found = read(wrapped, PARTS)
    theirs.eval()
    for start, stop in PARTS.spans():
        ids = torch.from_numpy(PARTS.ids[start:stop].astype(np.int64))[None]
        with torch.no_grad():
            out = theirs.rnn(theirs.embed(ids))[0][0].numpy()
        both = np.concatenate([found["layer1/hidden"][start:stop], found["layer1.reverse/hidden"][start:stop]], 1)
        np.testing.assert_allclose(both, out, rtol=0, atol=2e-6)
    equations = {s.name: s.equation for s in wrapped.signals}
    sees = {name for name, equation in equations.items() if "sees the symbols to the right" in equation}
    assert sees == {name for name in equations if not name.startswith("layer0/")}
    assert {s.layer for s in wrapped.signals} == {0, 1, None}
    with pytest.raises(UsageError, match="reads from both sides; it can't write"):
        rs.sample(wrapped, length=3)
    where = np.arange(len(PARTS)) < 5  # places of the text, whichever way it is read
    held = read(rs.ablate(wrapped, {"layer0.reverse/hidden": 1}, 0.5, where=where), PARTS)["layer0.reverse/hidden"][:, 1]
    assert np.array_equal(held == 0.5, where)


class Two(nn.Module):
    """Two recurrent parts, called in another order than they are kept in; a first state that is learnt; flat log-probabilities."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.upper = nn.GRU(5, 6)
        self.lower = nn.LSTM(SYMBOLS, 5)
        self.start = nn.Parameter(torch.randn(2, 1, 1, 5))
        self.out = nn.Linear(6, SYMBOLS)

    def forward(self, ids: Tensor) -> tuple[Tensor, None]:
        h, c = self.start.expand(2, 1, ids.shape[1], 5).contiguous()
        low, _ = self.lower(nn.functional.one_hot(ids, SYMBOLS).float(), (h, c))
        return self.out(self.upper(low)[0]).log_softmax(-1).flatten(0, 1), None


def test_several_parts_are_numbered_as_they_are_called_and_begin_as_the_module_says() -> None:
    theirs = Two()
    wrapped = rs.wrap(theirs, CORPUS.vocabulary)
    assert [s.name for s in wrapped.signals if s.state] == ["layer0/cell", "layer0/hidden", "layer1/hidden"]
    ids = torch.from_numpy(CORPUS.ids.astype(np.int64))[:, None]
    with torch.no_grad():
        expected = theirs(ids)[0].numpy()
    np.testing.assert_allclose(read(wrapped, CORPUS)["log_probs"], expected, rtol=0, atol=1e-5)
    assert max(wrapped.verify(CORPUS).values()) < 1e-5


def test_a_module_that_is_called_otherwise_is_called_so() -> None:
    class Stateful(Theirs):
        def forward(self, ids: Tensor, state: Any) -> Any:  # type: ignore[override]  # as the users of torch's example have it
            out, state = self.rnn(self.embed(ids), state)
            return self.out(out), state

    with pytest.raises(UsageError, match=r"Stateful can't be called with symbol numbers alone \(TypeError: .*; give call=lambda"):
        rs.wrap(Stateful(), CORPUS.vocabulary)
    wrapped = rs.wrap(Stateful(), CORPUS.vocabulary, call=lambda module, ids: module(ids, None))
    np.testing.assert_allclose(
        read(wrapped, PARTS)["log_probs"], read(rs.wrap(Theirs(), CORPUS.vocabulary), PARTS)["log_probs"], rtol=0, atol=1e-6
    )


def test_the_module_is_left_as_it_was_found_also_after_an_error() -> None:
    class Fails(Theirs):
        broken = False

        def forward(self, ids: Tensor) -> Any:
            out = super().forward(ids)
            torch.rand(3)  # disturbs the random state
            if self.broken:
                raise ValueError("no more")
            return out

    theirs = Fails()
    theirs.embed.eval()  # a mixture of modes, kept as it is
    hooked: list[int] = []
    theirs.rnn.register_forward_hook(lambda *_: hooked.append(1))
    wrapped = rs.wrap(theirs, CORPUS.vocabulary)
    before = {name: value.clone() for name, value in theirs.state_dict().items()}
    torch.manual_seed(5)
    random = torch.get_rng_state()
    for broken in (False, True):
        theirs.broken = broken
        if broken:
            with pytest.raises(ValueError, match="no more"):
                read(wrapped, CORPUS)
        else:
            blocks = wrapped.read(CORPUS, ["layer0/cell"])
            next(blocks)  # and left in the middle of a text
        assert torch.equal(torch.get_rng_state(), random)
        assert (theirs.training, theirs.rnn.training, theirs.embed.training) == (True, True, False)
        assert "forward" not in vars(theirs.rnn)
        assert all(torch.equal(value, before[name]) for name, value in theirs.state_dict().items())
    assert hooked  # their hooks still see what goes through


def test_it_is_recorded_verified_and_told_apart(tmp_path: Path) -> None:
    theirs = Theirs()
    wrapped = rs.wrap(theirs, CORPUS.vocabulary, name="theirs")
    trace = rs.record(wrapped, PARTS, tmp_path / "trace")
    np.testing.assert_array_equal(trace["layer1/forget"][:], read(wrapped, PARTS)["layer1/forget"])
    assert trace.model["name"] == "theirs"
    known = wrapped.fingerprint
    with torch.no_grad():
        theirs.out.bias[0] += 1
    assert wrapped.fingerprint != known


def test_double_precision_is_kept() -> None:
    wrapped = rs.wrap(Theirs().double(), CORPUS.vocabulary)
    assert max(wrapped.verify(CORPUS.head(300)).values()) < 1e-6
    assert read(wrapped, PARTS)["layer0/cell"].dtype == np.float64


def test_surroundings_that_mix_symbols_are_found_out(tmp_path: Path) -> None:
    class Mixes(Theirs):
        def forward(self, ids: Tensor) -> Any:
            x = self.embed(ids)
            return self.out(self.rnn(x + x.roll(1, 1))[0])

    with pytest.raises(VerificationError, match=r"differs by .* symbol by symbol.* must treat every symbol alone"):
        rs.record(rs.wrap(Mixes(), CORPUS.vocabulary), CORPUS, tmp_path / "trace")
    assert not (tmp_path / "trace" / "zarr.json").exists()


class Looped(nn.Module):
    """Cells stepped by a loop of the module's own."""

    def __init__(
        self,
        lower: type[nn.RNNCellBase] = nn.LSTMCell,
        batch_first: bool = True,
        unbatched: bool = False,
        skip: int = 0,
        **options: Any,
    ) -> None:
        super().__init__()
        torch.manual_seed(2)
        make: Any = lower
        self.batch_first, self.unbatched, self.skip = batch_first, unbatched, skip
        self.embed = nn.Embedding(SYMBOLS, 7)
        self.upper, self.lower = nn.GRUCell(9, 6), make(7, 9, **options)
        self.spare = nn.LSTM(3, 3)  # never called
        self.out = nn.Linear(6, SYMBOLS)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids.T if self.batch_first else ids)
        low: Any = None
        high, out = torch.full((x.shape[1], 6), 0.1), []
        for x_t in x[self.skip :]:
            low = self.lower(x_t[0] if self.unbatched else x_t, low)
            high = self.upper((low[0] if isinstance(low, tuple) else low).expand(len(high), 9), high)
            out.append(self.out(high))
        return torch.stack(out, 1 if self.batch_first else 0)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize(
    ("lower", "options"),
    [(nn.LSTMCell, {}), (nn.LSTMCell, {"bias": False}), (nn.GRUCell, {}), (nn.RNNCell, {}), (nn.RNNCell, {"nonlinearity": "relu"})],
)
def test_cells_in_a_loop_of_their_own(lower: type[nn.RNNCellBase], options: dict[str, Any], batch_first: bool) -> None:
    """Against what hooks on the cells see while the module reads each segment whole."""
    theirs = Looped(lower, batch_first, **options)
    wrapped = rs.wrap(theirs, CORPUS.vocabulary)
    found = read(wrapped, PARTS)
    assert [s.name for s in wrapped.signals if s.kind == "hidden"] == ["layer0/hidden", "layer1/hidden"]
    seen: dict[str, list[Any]] = {"layer0": [], "layer1": []}
    theirs.lower.register_forward_hook(lambda module, given, out: seen["layer0"].append(out))
    theirs.upper.register_forward_hook(lambda module, given, out: seen["layer1"].append(out))
    for start, stop in PARTS.spans():
        ids = torch.from_numpy(PARTS.ids[start:stop].astype(np.int64))
        for outs in seen.values():
            outs.clear()
        with torch.no_grad():
            log_probs = theirs(ids[None] if batch_first else ids[:, None]).reshape(len(ids), -1).log_softmax(-1).numpy()
        np.testing.assert_allclose(found["log_probs"][start:stop], log_probs, rtol=0, atol=1e-5)
        for place, outs in seen.items():
            for n, kind in enumerate(("hidden", "cell") if isinstance(outs[0], tuple) else ("hidden",)):
                values = torch.cat([out[n] if isinstance(out, tuple) else out for out in outs]).numpy()
                np.testing.assert_allclose(found[f"{place}/{kind}"][start:stop], values, rtol=0, atol=2e-6)


def test_a_loop_with_the_weights_of_a_network_of_ours_can_be_changed_as_it_can() -> None:
    ours = rs.RecurrentLM(rs.Architecture("lstm", 1, 9), CORPUS.vocabulary)

    class Copy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell, self.out = nn.LSTMCell(SYMBOLS, 9), ours.readout
            with torch.no_grad():
                for name, value in ours.stack[0].named_parameters():
                    getattr(self.cell, name).copy_(value)

        def forward(self, ids: Tensor) -> Tensor:
            state, out = None, []
            for x in nn.functional.one_hot(ids, SYMBOLS).float():
                state = self.cell(x, state)
                out.append(self.out(state[0]))
            return torch.stack(out)

    wrapped = rs.wrap(Copy(), CORPUS.vocabulary)
    where = np.arange(len(PARTS)) % 7 < 4
    for name in ("layer0/cell", "layer0/forget", "layer0/hidden"):
        expected = read(rs.ablate(ours, {name: [2, 5]}, 0.4, where=where), PARTS)
        for signal, value in read(rs.ablate(wrapped, {name: [2, 5]}, 0.4, where=where), PARTS).items():
            np.testing.assert_allclose(value, expected[signal], rtol=0, atol=2e-6)
    assert rs.sample(wrapped, "they", length=40, seed=4) == rs.sample(ours, "they", length=40, seed=4)


class OwnForward(nn.LSTM):
    def forward(self, *given: Any) -> Any:
        return super().forward(*given)


def changed(change: Callable[[Theirs], Any]) -> nn.Module:
    module = Theirs()
    change(module)
    return module


class Packed(Theirs):
    def forward(self, ids: Tensor) -> Any:
        lengths = torch.full((len(ids),), ids.shape[1])
        packed, _ = self.rnn(nn.utils.rnn.pack_padded_sequence(self.embed(ids), lengths, batch_first=True))
        return self.out(nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)[0])


class Twice(Theirs):
    def forward(self, ids: Tensor) -> Any:
        return self.out(self.rnn(self.embed(ids))[0] + self.rnn(self.embed(ids))[0])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.Linear(3, 3), "Linear has no nn.LSTM, nn.GRU, nn.RNN or one of their cells inside"),
        (lambda: changed(lambda m: setattr(m, "rnn", OwnForward(7, 9))), "rnn is a OwnForward with a forward of its own"),
        (lambda: Looped(unbatched=True), r"lower of Looped gets an input of shape \(7,\); expected a tensor with two axes"),
        (lambda: Looped(skip=1), "lower of Looped reads 2 segments of 2 symbols, where the module got 2 of 3"),
        (lambda: changed(lambda m: setattr(m, "forward", lambda ids: ids)), r"Theirs calls none of its recurrent parts \(rnn\)"),
        (Twice, "rnn of Twice is called 2 times"),
        (Packed, "rnn of Packed gets an input that is a PackedSequence"),
        (lambda: torch.compile(Theirs()), "is compiled"),
        (lambda: changed(lambda m: setattr(m, "rnn", torch.jit.script(m.rnn))), "rnn of Theirs is compiled"),
        (lambda: "model", "'model' is a str; expected a torch module"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning")  # torch's, of itself
def test_what_cannot_be_wrapped_is_refused_with_its_name(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        rs.wrap(make(), CORPUS.vocabulary)


@pytest.mark.parametrize("looped", [False, True])
def test_a_part_that_is_not_called_for_all_of_a_stretch_is_named(looped: bool) -> None:
    class Tires(Theirs):
        def forward(self, ids: Tensor) -> Any:
            return nn.functional.pad(super().forward(ids[:, :9]), (0, 0, 0, max(0, ids.shape[1] - 9)))

    class TiresLooped(Looped):
        def forward(self, ids: Tensor) -> Any:
            return nn.functional.pad(super().forward(ids[:, :9]), (0, 0, 0, max(0, ids.shape[1] - 9)))

    wrapped = rs.wrap(TiresLooped() if looped else Tires(), CORPUS.vocabulary)
    with pytest.raises(UsageError, match="was called 9 times for 256 symbols" if looped else r"rnn read \[9\] symbols .* for 256"):
        read(wrapped, CORPUS)


def test_logits_for_another_vocabulary_are_refused() -> None:
    wrapped = rs.wrap(Theirs(), rs.Vocabulary.of("abc"))
    with pytest.raises(UsageError, match=rf"returned shape \(1, 2, {SYMBOLS}\) .* expected logits \(1, 2, 3\)"):
        read(wrapped, rs.Corpus.from_text("ab", vocabulary=rs.Vocabulary.of("abc")))


class Stumbling(Theirs):
    def forward(self, ids: Tensor) -> Any:
        return super().forward(ids)[:, [0, 10_000]] if ids.max() else super().forward(ids)


def test_an_embedding_that_is_too_small_is_named() -> None:
    theirs = Theirs()
    theirs.embed = nn.Embedding(5, 7)
    model = rs.wrap(theirs, CORPUS.vocabulary)
    with pytest.raises(
        UsageError, match=rf"^embed of Theirs has 5 entries and was given symbol {SYMBOLS - 1}; .* {SYMBOLS} symbols;"
    ) as told:
        rs.evaluate(model, CORPUS)
    assert isinstance(told.value.__cause__, IndexError)
    with pytest.raises(IndexError, match="index 10000 is out of bounds"):  # not ours to explain
        rs.evaluate(rs.wrap(Stumbling(), CORPUS.vocabulary), CORPUS)


def test_what_a_module_holds_between_calls_is_put_back() -> None:
    class Keeps(Theirs):
        """The state of the last call, as people keep it for sampling; a buffer and a number that count."""

        def __init__(self) -> None:
            super().__init__()
            self.state: Any = None
            self.calls = 0
            self.register_buffer("counted", torch.zeros(1))

        def forward(self, ids: Tensor) -> Any:
            out, self.state = self.rnn(self.embed(ids), self.state)
            self.calls += 1
            self.get_buffer("counted").add_(1)
            return self.out(out)

    theirs = Keeps()
    wrapped = rs.wrap(theirs, CORPUS.vocabulary)
    assert max(wrapped.verify(CORPUS).values()) < 1e-4
    found = read(wrapped, PARTS)["log_probs"]
    assert (theirs.state, theirs.calls, float(theirs.get_buffer("counted"))) == (None, 0, 0.0)
    np.testing.assert_allclose(found, read(rs.wrap(Theirs(), CORPUS.vocabulary), PARTS)["log_probs"], rtol=0, atol=1e-6)


def test_fingerprints_tell_settings_and_calls_apart() -> None:
    class Warm(Theirs):
        def __init__(self, warmth: float = 1.0) -> None:
            super().__init__()
            self.warmth = warmth

        def forward(self, ids: Tensor) -> Any:
            return super().forward(ids) / self.warmth

    made = [
        rs.wrap(Warm(), CORPUS.vocabulary),
        rs.wrap(Warm(2.0), CORPUS.vocabulary),
        rs.wrap(Warm(), CORPUS.vocabulary, call=lambda module, ids: 3 * module(ids)),
        rs.wrap(Theirs(nn.RNN), CORPUS.vocabulary),
        rs.wrap(Theirs(nn.RNN, nonlinearity="relu"), CORPUS.vocabulary),
    ]
    assert len({each.fingerprint for each in made}) == len(made)
    assert made[0].fingerprint == rs.wrap(Warm(), CORPUS.vocabulary).fingerprint


def test_randomness_and_a_look_at_the_neighbour_are_found_out() -> None:
    class Random(Theirs):
        def forward(self, ids: Tensor) -> Any:
            return self.out(nn.functional.dropout(self.rnn(self.embed(ids))[0], 0.5))  # always on

    class Centred(Theirs):
        def forward(self, ids: Tensor) -> Any:
            h = self.rnn(self.embed(ids))[0]
            return self.out(h - 0.9 * h.mean(0))

    for module in (Random(bidirectional=True), Random()):
        with pytest.raises(VerificationError, match="differs by"):
            rs.wrap(module, CORPUS.vocabulary).verify(CORPUS.head(50))
    with pytest.raises(VerificationError, match="from when another text is read beside it"):
        rs.wrap(Centred(), CORPUS.vocabulary).verify(CORPUS.head(50))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_modules_are_recorded_to_their_precision(dtype: torch.dtype, tmp_path: Path) -> None:
    wrapped = rs.wrap(Theirs().to(dtype), CORPUS.vocabulary)
    everything = rs.record(wrapped, PARTS, tmp_path / "everything", ["layer*/*"])
    lazy = rs.record(wrapped, PARTS, tmp_path / "lazy")
    np.testing.assert_array_equal(lazy["layer1/cell"][:], everything["layer1/cell"][:])
    with pytest.raises(VerificationError):
        wrapped.verify(CORPUS, tolerance=1e-6)
