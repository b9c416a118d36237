"""The readable equations and the kernels against torch.nn, in float64, outputs and gradients; the paper's GRU against NumPy."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

import rnnscope as rs
from rnnscope.models import cells, fused
from rnnscope.models.cells import CELLS

TORCH: dict[str, Any] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
TIME, BATCH, SYMBOLS, UNITS = 9, 3, 5, 7


def model(cell: str, layers: int) -> rs.RecurrentLM:
    torch.manual_seed(layers)
    return rs.RecurrentLM(rs.Architecture(cell, layers, UNITS), rs.Vocabulary.of("abcde")).double()


def reference(ours: rs.RecurrentLM, cell: str) -> Any:
    theirs = TORCH[cell](SYMBOLS, UNITS, len(ours.stack)).double()
    with torch.no_grad():
        for k, layer in enumerate(ours.stack):
            for name, value in layer.named_parameters():
                getattr(theirs, f"{name}_l{k}").copy_(value)
    return theirs


def random_state(ours: rs.RecurrentLM) -> dict[str, Tensor]:
    return {name: torch.rand_like(value) * 2 - 1 for name, value in ours.begin(BATCH).items()}


def theirs_of(state: dict[str, Tensor]) -> Any:
    kinds = [kind for kind in ("hidden", "cell") if f"layer0/{kind}" in state]
    stacked = [torch.stack([value for name, value in state.items() if name.endswith(kind)]) for kind in kinds]
    return tuple(stacked) if len(stacked) > 1 else stacked[0]


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("cell", list(TORCH))
@pytest.mark.parametrize("path", ["kernel", "equations"])
def test_outputs_and_gradients_equal_torch_in_float64(cell: str, layers: int, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = model(cell, layers)
    theirs = reference(ours, cell)
    if path == "equations":
        monkeypatch.setattr(fused, "covers", lambda cell: False)
    ids = torch.randint(0, SYMBOLS, (TIME, BATCH))
    states = random_state(ours)
    weight = torch.rand(TIME, BATCH, SYMBOLS, dtype=torch.float64)

    logits, last = ours(ids, states)
    torch.autograd.backward((logits * weight).sum())
    gradients = {f"{n}_l{k}": p.grad for k, layer in enumerate(ours.stack) for n, p in layer.named_parameters()}

    hidden, after = theirs(one_hot(ids, SYMBOLS).double(), theirs_of(states))
    expected = nn.functional.linear(hidden, ours.readout.weight, ours.readout.bias)
    torch.autograd.backward((expected * weight).sum())

    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(theirs_of(last), after, rtol=0, atol=1e-12)
    for name, parameter in theirs.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cell", list(CELLS))
def test_kernel_and_equations_agree_on_every_signal_in_float32(cell: str) -> None:
    ours = model(cell, 2).float()
    ids = torch.randint(0, SYMBOLS, (200, BATCH))
    fast, _ = ours.advance(ids, ours.begin(BATCH))
    slow, _ = ours.advance(ids, ours.begin(BATCH), kernel=False)
    assert fast.keys() == slow.keys()
    assert {s.name for s in ours.signals} <= fast.keys() | {"log_prob", "entropy", "log_probs"}
    for name, value in fast.items():
        torch.testing.assert_close(value, slow[name], rtol=0, atol=1e-5)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def test_the_papers_gru_by_hand() -> None:
    """PAPER section 2: z near 1 overwrites, r acts before the matrix."""
    ours = model("gru-paper", 1)
    [layer] = ours.stack
    w, u, b, d = (p.detach().numpy() for p in layer.parameters())
    (w_r, w_z, w_n), (u_r, u_z, u_n), (b_r, b_z, b_n), (d_r, d_z, d_n) = (np.split(m, 3) for m in (w, u, b, d))
    ids = torch.randint(0, SYMBOLS, (TIME, BATCH))
    named, _ = ours.advance(ids, ours.begin(BATCH))
    h = np.zeros((BATCH, UNITS))
    for t in range(TIME):
        x = np.eye(SYMBOLS)[ids[t]]
        r = sigmoid(x @ w_r.T + b_r + h @ u_r.T + d_r)
        z = sigmoid(x @ w_z.T + b_z + h @ u_z.T + d_z)
        candidate = np.tanh(x @ w_n.T + b_n + (r * h) @ u_n.T + d_n)
        h = (1 - z) * h + z * candidate
        for name, value in {"reset": r, "update": z, "candidate": candidate, "hidden": h}.items():
            np.testing.assert_allclose(named[f"layer0/{name}"][t].numpy(), value, rtol=0, atol=1e-12)


def test_the_two_grus_are_different_models() -> None:
    ours, theirs = model("gru", 1), model("gru-paper", 1)
    theirs.load_state_dict(ours.state_dict())
    ids = torch.randint(0, SYMBOLS, (TIME, BATCH))
    assert (ours(ids)[0] - theirs(ids)[0]).abs().max() > 1e-3
    meanings = {m.architecture.cell: next(s.equation for s in m.signals if s.kind == "update") for m in (ours, theirs)}
    assert "keeps" in meanings["gru"]
    assert "overwrites" in meanings["gru-paper"]


def test_lstm_signals_by_hand() -> None:
    ours = model("lstm", 1)
    [layer] = ours.stack
    w, u, b, d = (p.detach().numpy() for p in layer.parameters())
    ids = torch.randint(0, SYMBOLS, (TIME, BATCH))
    named, _ = ours.advance(ids, ours.begin(BATCH))
    h, c = np.zeros((BATCH, UNITS)), np.zeros((BATCH, UNITS))
    for t in range(TIME):
        i, f, g, o = np.split(np.eye(SYMBOLS)[ids[t]] @ w.T + b + h @ u.T + d, 4, axis=1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        c = f * c + i * g
        h = o * np.tanh(c)
        for name, value in {"input": i, "forget": f, "candidate": g, "output": o, "cell": c, "hidden": h}.items():
            np.testing.assert_allclose(named[f"layer0/{name}"][t].numpy(), value, rtol=0, atol=1e-12)


def test_a_large_vocabulary_takes_the_looked_up_way() -> None:
    vocabulary = rs.Vocabulary.of("".join(chr(200 + k) for k in range(100)))
    torch.manual_seed(0)
    ours = rs.RecurrentLM(rs.Architecture("lstm", 1, UNITS), vocabulary).double()  # 100 symbols, 28 rows
    ids = torch.randint(0, 100, (TIME, BATCH))
    theirs = TORCH["lstm"](100, UNITS).double()
    with torch.no_grad():
        for name, value in ours.stack[0].named_parameters():
            getattr(theirs, f"{name}_l0").copy_(value)
    out, _ = theirs(one_hot(ids, 100).double())
    hidden, _ = fused.hidden_states(
        ours.stack[0].cell, ids, {name: torch.zeros(BATCH, UNITS).double() for name in ("hidden", "cell")}, ours.stack[0].weights
    )
    torch.testing.assert_close(hidden, out, rtol=0, atol=1e-12)
    torch.autograd.backward([hidden.sum(), out.sum()])
    torch.testing.assert_close(ours.stack[0].weight_ih.grad, theirs.weight_ih_l0.grad, rtol=0, atol=1e-12)


def test_every_signal_has_its_equation_and_keeps_to_its_range() -> None:
    for name, cell in CELLS.items():
        ours = model(name, 1)
        named, _ = ours.advance(torch.randint(0, SYMBOLS, (50, BATCH)), ours.begin(BATCH))
        for signal in cells.signals(cell, 0, UNITS):
            values = named[signal.name]
            assert signal.equation
            assert signal.low is None or values.min() >= signal.low
            assert signal.high is None or values.max() <= signal.high


def test_our_kernel_for_the_papers_gru_has_the_equations_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = model("gru-paper", 2)
    ids = torch.randint(0, SYMBOLS, (TIME, BATCH))
    weight = torch.rand(TIME, BATCH, SYMBOLS, dtype=torch.float64)
    states = random_state(ours)
    found = []
    for path in ("kernel", "equations"):
        if path == "equations":
            monkeypatch.setattr(fused, "covers", lambda cell: False)
        ours.zero_grad()
        first = {name: value.clone().requires_grad_() for name, value in states.items()}
        logits, last = ours(ids, first)
        torch.autograd.backward((logits * weight).sum() + sum(value.square().sum() for value in last.values()))
        found.append([logits.detach(), *(p.grad for p in ours.parameters()), *(value.grad for value in first.values())])
    for fast, slow in zip(*found, strict=True):
        torch.testing.assert_close(fast, slow, rtol=0, atol=1e-12)
