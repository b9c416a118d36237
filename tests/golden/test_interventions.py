"""Interventions against loops written by hand, in numpy, which share no code with the model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import rnnscope as rs
from rnnscope.models.passages import MARK

Array = NDArray[np.float64]
Change = Callable[[int, int, str, Array], Array]
TEXT = "the quick (brown) fox jumps over the lazy dog; " * 12  # longer than two quanta
assert len(TEXT) > 2 * MARK


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def model_of(cell: str) -> rs.RecurrentLM:
    torch.manual_seed(3)
    model = rs.RecurrentLM(rs.Architecture(cell, 2, 6), rs.Vocabulary.of(TEXT))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.9, 0.9)
    return model


def by_hand(model: rs.RecurrentLM, ids: NDArray[Any], change: Change) -> dict[str, Array]:
    """Every signal of one segment. `change(t, layer, kind, value)` stands wherever a value was computed."""
    cell, symbols = model.architecture.cell, len(model.vocabulary)
    weights = [[p.detach().double().numpy() for p in layer.parameters()] for layer in model.stack]
    readout, bias = (p.detach().double().numpy() for p in model.readout.parameters())
    h, c = np.zeros((2, 6)), np.zeros((2, 6))
    found: dict[str, list[Array]] = {}
    for t, symbol in enumerate(ids):
        x = np.eye(symbols)[symbol]
        for k, (w, u, b, d) in enumerate(weights):

            def put(kind: str, value: Array, k: int = k, t: int = t) -> Array:
                value = change(t, k, kind, value.copy())
                found.setdefault(f"layer{k}/{kind}", []).append(value)
                return value

            wx, uh = w @ x + b, u @ h[k] + d
            if cell == "lstm":
                i, f, g, o = np.split(wx + uh, 4)
                i, f, o = put("input", sigmoid(i)), put("forget", sigmoid(f)), put("output", sigmoid(o))
                g = put("candidate", np.tanh(g))
                c[k] = put("cell", f * c[k] + i * g)
                h[k] = put("hidden", o * np.tanh(c[k]))
            elif cell == "rnn":
                h[k] = put("hidden", np.tanh(wx + uh))
            else:
                (x_r, x_z, x_n), (u_r, u_z, u_n) = np.split(wx, 3), np.split(uh, 3)
                r, z = put("reset", sigmoid(x_r + u_r)), put("update", sigmoid(x_z + u_z))
                if cell == "gru":
                    n = put("candidate", np.tanh(x_n + r * u_n))
                    h[k] = put("hidden", (1 - z) * n + z * h[k])
                else:
                    n = put("candidate", np.tanh(x_n + u[12:] @ (r * h[k]) + d[12:]))
                    h[k] = put("hidden", (1 - z) * h[k] + z * n)
            x = h[k]
        found.setdefault("logits", []).append(readout @ x + bias)
    return {name: np.array(values) for name, values in found.items()}


def read(model: Any, corpus: rs.Corpus, block: int = 256) -> dict[str, NDArray[Any]]:
    """All signals of a corpus, put together from its blocks."""
    names = [s.name for s in model.signals]
    found: dict[str, NDArray[Any]] = {}
    for piece in model.read(corpus, names, block=block):
        for name, value in piece.arrays.items():
            found.setdefault(name, np.zeros((len(corpus), *value.shape[1:]), value.dtype))[piece.start : piece.stop] = value
    return found


def signals_of(cell: str) -> list[str]:
    return [s.name for s in model_of(cell).signals if s.layer is not None]


@pytest.mark.parametrize(
    ("cell", "name"), [(cell, name) for cell in ("lstm", "gru", "gru-paper", "rnn") for name in signals_of(cell)]
)
@pytest.mark.parametrize("masked", [False, True])
def test_every_signal_can_be_set_inside_the_recurrence(cell: str, name: str, masked: bool) -> None:
    model, corpus = model_of(cell), rs.Corpus.from_text(TEXT)
    where = np.arange(len(corpus)) % 3 == 0 if masked else None

    def change(t: int, layer: int, kind: str, value: Array) -> Array:
        if f"layer{layer}/{kind}" == name and (where is None or where[t]):
            value[[1, 4]] = 0.3
        return value

    expected = by_hand(model, corpus.ids, change)
    found = read(rs.ablate(model, {name: [1, 4]}, to=0.3, where=where), corpus)
    plain = read(model, corpus)
    for signal in signals_of(cell):
        np.testing.assert_allclose(found[signal], expected[signal], rtol=0, atol=1e-6)
    logits = expected["logits"]
    log_probs = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    np.testing.assert_allclose(found["log_probs"], log_probs, rtol=0, atol=1e-5)
    assert np.abs(found["log_probs"] - plain["log_probs"]).max() > 1e-3  # it reaches what the model says


def test_mean_resample_and_patch_by_hand() -> None:
    model, corpus = model_of("lstm"), rs.Corpus.from_text(TEXT)
    plain, name = read(model, corpus), "layer0/cell"

    def setting(values: Array) -> Change:
        def change(t: int, layer: int, kind: str, value: Array) -> Array:
            if f"layer{layer}/{kind}" == name:
                value[[0, 2]] = values[t]
            return value

        return change

    mean = read(rs.ablate(model, {name: [0, 2]}, to="mean"), corpus)
    expected = by_hand(model, corpus.ids, setting(np.tile(plain[name][:, [0, 2]].mean(0), (len(corpus), 1))))
    np.testing.assert_allclose(mean["layer1/hidden"], expected["layer1/hidden"], rtol=0, atol=1e-6)

    drawn = read(rs.ablate(model, {name: [0, 2]}, to="resample"), corpus)
    values = drawn[name][:, [0, 2]]
    known = {tuple(row) for row in plain[name][:, [0, 2]].tolist()}
    assert {tuple(row) for row in values.tolist()} <= known  # both units from one place of the text
    assert len({tuple(row) for row in values.tolist()}) > 50  # the text repeats itself
    expected = by_hand(model, corpus.ids, setting(values.astype(np.float64)))
    np.testing.assert_allclose(drawn["layer1/hidden"], expected["layer1/hidden"], rtol=0, atol=1e-6)
    other = read(rs.ablate(model, {name: [0, 2]}, to="resample", seed=1), corpus)
    assert not np.array_equal(other[name], drawn[name])

    source = {name: np.random.default_rng(0).normal(size=(len(corpus), 6)).astype(np.float32)}
    patched = read(rs.patch(model, {name: [0, 2]}, source), corpus)
    expected = by_hand(model, corpus.ids, setting(source[name][:, [0, 2]].astype(np.float64)))
    np.testing.assert_allclose(patched["layer1/hidden"], expected["layer1/hidden"], rtol=0, atol=1e-6)


def test_interventions_compose_the_last_one_on_top() -> None:
    model, corpus = model_of("lstm"), rs.Corpus.from_text(TEXT)

    def change(t: int, layer: int, kind: str, value: Array) -> Array:
        if (layer, kind) == (0, "forget"):
            value[3] = 1.0
        if (layer, kind) == (1, "cell"):
            value[:] = [0.2, 0.2, 0.0, 0.0, 0.2, 0.2]
        return value

    both = rs.ablate(model, {"layer0/forget": 3}, to=1)
    both = rs.ablate(rs.ablate(both, {"layer1/cell": None}, to=0.2), {"layer1/cell": slice(2, 4)})
    expected = by_hand(model, corpus.ids, change)
    np.testing.assert_allclose(read(both, corpus)["layer1/hidden"], expected["layer1/hidden"], rtol=0, atol=1e-6)
