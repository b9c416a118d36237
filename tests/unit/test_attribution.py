"""Gradient × input is what stronger inputs give, in networks of ours and in somebody else's, and nothing else is called so."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import one_hot

import rnnscope as rs
from rnnscope.exceptions import RnnscopeError, UsageError
from rnnscope.findings.attribution import attribution

TEXT = rs.Corpus.from_text("she sat (both) by the fire;\n" * 8)
SYMBOLS = len(TEXT.vocabulary)


@pytest.fixture
def cut(corpus: rs.Corpus) -> rs.Corpus:
    return corpus.pieces(np.array([[0, 60], [100, 180]]))


def valued(model: rs.Recurrent, corpus: rs.Corpus, span: tuple[int, int], strength: Tensor, target: str, unit: int | None) -> float:
    """The target with these strengths, the state before the span as it is."""
    state, start = model.begin(1), int(corpus.bounds[np.searchsorted(corpus.bounds, span[1] - 1, side="right") - 1])
    ids = torch.from_numpy(corpus.ids[start : span[1]].astype(np.int64))[:, None]
    if span[0] > start:
        state = model.advance(ids[: span[0] - start], state, edit=model.edits(corpus, np.arange(start, span[0])[:, None]))[1]
    edit = model.edits(corpus, np.arange(*span)[:, None])
    with torch.no_grad():
        named = model.strengthened(ids[span[0] - start :], state, strength[:, None], edit=edit)
    if unit is not None:
        return float(named[target][0, unit])
    return float(named["logits"][0].log_softmax(-1)[int(corpus.next_ids(np.array([span[1] - 1]))[0])])


@pytest.mark.parametrize("cell", ["lstm", "gru", "gru-paper", "rnn", "window", "ablated"])
def test_a_share_is_what_a_little_more_input_gives(cell: str, cut: rs.Corpus) -> None:
    torch.manual_seed(0)
    step = 1e-6
    model: Any
    if cell == "window":
        model = rs.WindowLM(rs.Architecture("window", units=6, context=4), cut.vocabulary).double()
    else:
        model = rs.RecurrentLM(rs.Architecture("lstm" if cell == "ablated" else cell, 2, 6), cut.vocabulary).double()
    if cell == "ablated":
        model = rs.ablate(model, {"layer0/cell": [1, 4], "layer1/forget": 2}, to=0.3)
    last = "layer0" if cell == "window" else "layer1"
    for target, unit, position, back in (("log_prob", None, 90, 20), (f"{last}/hidden", 3, 59, 100), ("layer0/hidden", 0, 60, 5)):
        table = attribution(model, cut, position, target, unit, back=back)
        start = 60 if position >= 60 else 0
        first = max(start, position + 1 - back)
        assert table["position"].tolist() == list(range(position, first - 1, -1))
        assert "".join(table["symbol"][::-1]) == cut.to_str(first, position + 1)
        ones = torch.ones(position + 1 - first, dtype=torch.float64)
        for row in sorted({0, 2, len(table) // 2, len(table) - 1} & set(range(len(table)))):
            change = torch.zeros_like(ones)
            change[-1 - row] = step
            more, less = (valued(model, cut, (first, position + 1), ones + way * change, target, unit) for way in (1, -1))
            assert table["share"][row] == pytest.approx((more - less) / (2 * step), rel=1e-4, abs=1e-9)
        if cell == "window":
            assert (table["share"][4:] == 0).all()  # beyond what it sees


@pytest.mark.parametrize("ablated", [False, True])
def test_the_target_is_what_the_network_says(model: rs.RecurrentLM, cut: rs.Corpus, ablated: bool) -> None:
    network: Any = rs.ablate(model, {"layer0/cell": [3]}, to="mean") if ablated else model
    expected: dict[str, Any] = {}
    for block in network.read(cut, ["log_prob", "layer1/cell"]):
        if block.start <= 100 < block.stop:
            expected = {name: values[100 - block.start] for name, values in block.arrays.items()}
    ones = torch.ones(7)
    assert valued(network, cut, (94, 101), ones, "log_prob", None) == pytest.approx(float(expected["log_prob"]), rel=1e-4)
    assert valued(network, cut, (94, 101), ones, "layer1/cell", 4) == pytest.approx(float(expected["layer1/cell"][4]), rel=1e-4)
    attribution(network, cut, 100, back=7)
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


class Theirs(nn.Module):
    """An embedding, perhaps something after it, something recurrent, perhaps a way past it, a softmax layer."""

    def __init__(self, rnn: nn.Module, out: int = 9, *, normed: bool = False, past: bool = False, hot: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(SYMBOLS, 7)
        self.norm = nn.LayerNorm(7) if normed else nn.Identity()
        self.rnn, self.past, self.hot = rnn, past, hot
        self.out = nn.Linear(out + (7 if past else 0), SYMBOLS)
        with torch.no_grad():
            for parameter in rnn.parameters():
                parameter.uniform_(-0.6, 0.6)
        self.double()

    def forward(self, ids: Tensor, strength: Tensor | None = None) -> Tensor:
        """With strengths it is what an attribution's gradient is of: by hand, and by torch's own forward."""
        entered: Tensor = one_hot(ids, SYMBOLS).double() if self.hot else self.embed(ids)
        x = self.norm(entered)
        if strength is not None:
            x, entered = x.detach() * strength[..., None], entered.detach() * strength[..., None]
        x = self.rnn(x)[0]
        found: Tensor = self.out(nn.functional.dropout(torch.cat([x, entered], -1) if self.past else x, 0.3, self.training))
        return found


class Stepped(nn.Module):
    """A loop over two cells, each as an `nn.LSTM` would be called: (time, batch, inputs) → (outputs, nothing)."""

    def __init__(self, feeding: bool = False) -> None:
        super().__init__()
        self.lower, self.upper, self.feeding = nn.GRUCell(7 + (5 if feeding else 0), 5), nn.LSTMCell(5, 9), feeding

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        low, high, outs = x.new_zeros(x.shape[1], 5), (x.new_zeros(x.shape[1], 9), x.new_zeros(x.shape[1], 9)), []
        for each in x:
            low = self.lower(torch.cat([each, low], -1) if self.feeding else each, low)
            high = self.upper(low, high)
            outs.append(high[0])
        return torch.stack(outs), None


class Beside(nn.Module):
    """Two recurrent parts that both read the symbols."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.one, self.other = nn.GRU(size, 4), nn.RNN(size, 5)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return torch.cat([self.one(x)[0], self.other(x)[0]], -1), None


MODULES: dict[str, Callable[[], Theirs]] = {
    "lstm": lambda: Theirs(nn.LSTM(7, 9, 2, dropout=0.5)),
    "gru": lambda: Theirs(nn.GRU(7, 9, 2, bias=False)),
    "rnn": lambda: Theirs(nn.RNN(7, 9)),
    "normed": lambda: Theirs(nn.LSTM(7, 9), normed=True),
    "past": lambda: Theirs(nn.GRU(7, 9), past=True),
    "one-hot": lambda: Theirs(nn.LSTM(SYMBOLS, 9), hot=True),
    "cells": lambda: Theirs(Stepped()),
    "beside": lambda: Theirs(Beside(7)),
    "beside, one-hot": lambda: Theirs(Beside(SYMBOLS), hot=True),
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("back", [1, 30, 500])
def test_somebody_elses_module(name: str, back: int) -> None:
    theirs = MODULES[name]()
    theirs.train()
    wrapped = rs.wrap(theirs, TEXT.vocabulary)
    position = 61
    table = attribution(wrapped, TEXT, position, back=back)
    assert theirs.training
    assert all(p.requires_grad and p.grad is None for p in theirs.parameters())
    theirs.eval()
    ids = torch.from_numpy(TEXT.ids[: position + 1].astype(np.int64))[:, None]
    strength = torch.ones(ids.shape, dtype=torch.float64, requires_grad=True)
    value = theirs(ids, strength)[-1, 0].log_softmax(-1)[int(TEXT.ids[position + 1])]
    [expected] = torch.autograd.grad(value, strength)
    size = min(back, position + 1)
    np.testing.assert_allclose(table["share"], expected[:, 0].flip(0)[:size], rtol=1e-6, atol=1e-12)
    assert np.abs(table["share"]).max() > 0


def test_a_unit_of_somebody_elses_module_and_an_ablated_one() -> None:
    theirs = MODULES["lstm"]()
    wrapped = rs.wrap(theirs, TEXT.vocabulary)
    table = attribution(wrapped, TEXT, 40, "layer1/hidden", 3, back=100)
    ids = torch.from_numpy(TEXT.ids[:41].astype(np.int64))[:, None]
    strength = torch.ones(ids.shape, dtype=torch.float64, requires_grad=True)
    theirs.eval()
    [expected] = torch.autograd.grad(theirs.rnn(theirs.embed(ids).detach() * strength[..., None])[0][-1, 0, 3], strength)
    np.testing.assert_allclose(table["share"], expected[:, 0].flip(0), rtol=1e-6, atol=1e-12)
    held = attribution(rs.ablate(wrapped, {"layer1/hidden": [0, 1]}, to=0.2), TEXT, 40, "layer1/hidden", 3, back=100)
    assert not np.allclose(held["share"][1:], table["share"][1:])
    assert (attribution(rs.ablate(wrapped, {"layer1/hidden": 3}), TEXT, 40, "layer1/hidden", 3)["share"] == 0).all()


def test_recurrences_that_torch_does_not_have() -> None:
    from tests.golden.test_recurrences import CORPUS, mingru

    theirs = mingru().double()
    wrapped = rs.wrap(theirs, CORPUS.vocabulary)
    table = attribution(wrapped, CORPUS, 50, back=100)
    ids = torch.from_numpy(CORPUS.ids[:51].astype(np.int64))[None]
    strength = torch.ones(ids.shape, dtype=torch.float64, requires_grad=True)
    layers: Any
    embed: Any
    out: Any
    layers, embed, out = theirs.layers, theirs.embed, theirs.out
    x = embed(ids).detach() * strength[..., None]
    for layer in layers:
        x = x + layer(x)
    [expected] = torch.autograd.grad(out(x)[0, -1].log_softmax(-1)[int(CORPUS.ids[51])], strength)
    np.testing.assert_allclose(table["share"], expected[0].flip(0), rtol=1e-5, atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 100), st.integers(1, 12), st.integers(0, 3), st.integers(0, 1_000))
def test_the_shares_of_a_linear_network_are_all_there_is(position: int, back: int, unit: int, seed: int) -> None:
    """max(0, ·) of positive numbers: h is Σ Uᵏ W x, which a share takes apart exactly."""
    torch.manual_seed(seed)
    theirs = Theirs(nn.RNN(7, 4, nonlinearity="relu", bias=False), 4)
    with torch.no_grad():
        for parameter in (theirs.embed.weight, *theirs.rnn.parameters()):
            parameter.uniform_(0.0, 0.3)
    model = rs.wrap(theirs, TEXT.vocabulary)
    table = attribution(model, TEXT, position, "layer0/hidden", unit, back=back)
    rnn: Any = theirs.rnn
    w, u, e = (value.detach().numpy() for value in (rnn.weight_ih_l0, rnn.weight_hh_l0, theirs.embed.weight))
    for row, (place, share) in enumerate(zip(table["position"].tolist(), table["share"].tolist(), strict=True)):
        assert share == pytest.approx((np.linalg.matrix_power(u, row) @ w @ e[TEXT.ids[place]])[unit], rel=1e-9)
    before = table["position"].iloc[-1] - 1
    values = np.concatenate([block.arrays["layer0/hidden"] for block in model.read(TEXT, ["layer0/hidden"])])
    left = (np.linalg.matrix_power(u, len(table)) @ values[before])[unit] if before >= 0 else 0.0
    assert table["share"].sum() + left == pytest.approx(values[position, unit], rel=1e-6)


class Bare(rs.Recurrent):
    """What somebody wrote who never heard of gradients."""

    def __init__(self, model: rs.RecurrentLM) -> None:
        self.model, self.name, self.vocabulary = model, "bare", model.vocabulary
        self.signals, self.fingerprint = model.signals, "bare"

    signals: Any = None
    fingerprint: Any = None

    def begin(self, batch: int) -> Any:
        return self.model.begin(batch)

    def advance(self, ids: Tensor, state: Any, **options: Any) -> Any:
        return self.model.advance(ids, state, **options)


class Cut(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = MODULES["rnn"]()

    def forward(self, ids: Tensor) -> Any:
        with torch.no_grad():
            return self.inner(ids)


def test_what_cannot_be_attributed_is_refused(model: rs.RecurrentLM, cut: rs.Corpus, corpus: rs.Corpus) -> None:
    ngram = rs.NGramLM.fit(corpus, 2)
    wrong: list[tuple[tuple[Any, ...], str]] = [
        ((ngram, cut, 3), "is a NGramLM; expected a recurrent model, as rs.load or rs.wrap gives, through which gradients go"),
        ((model, TEXT, 3), "has another vocabulary than"),
        ((model, "text", 3), "expected a Corpus"),
        ((model, cut, 140), "position is a whole number from 0 to 139, not 140"),
        ((model, cut, 3, "log_prob", 2), "log_prob has no units"),
        ((model, cut, 3, "layer0/cell", 12), "the unit of layer0/cell is a whole number from 0 to 11, not 12"),
        ((model, cut, 3, "layer0/cell"), "has the units 0 to [0-9]+; give one of them"),
        ((model, cut, 3, "cell", 2), "'cell' is more than one signal; expected one, such as 'layer0/cell'"),
        ((model, corpus, len(corpus) - 1), "nobody knows what came after position"),
        ((Bare(model), cut, 3), "bare doesn't say how gradients go through it; expected a network of rnnscope's, a wrapped"),
        ((rs.wrap(Cut(), TEXT.vocabulary), TEXT, 3), "no gradient of log_prob at position 3 reaches a symbol of Cut"),
        (
            (rs.wrap(Theirs(Stepped(feeding=True)), TEXT.vocabulary), TEXT, 3),
            "rnn.lower gets what was computed at the symbol before",
        ),
        (
            (rs.wrap(Theirs(nn.LSTM(7, 4, bidirectional=True), 8), TEXT.vocabulary), TEXT, 3),
            "reads from both sides, so that earlier symbols aren't all",
        ),
    ]
    for given_, said in wrong:
        with pytest.raises(UsageError, match=said):
            attribution(*given_)
    with pytest.raises(UsageError, match="back is a whole number of at least 1, not 0"):
        attribution(model, cut, 3, back=0)
    with pytest.raises(RnnscopeError, match="no signal is called 'layer9/cell'"):
        attribution(model, cut, 3, "layer9/cell", 0)
