"""The n-NN against the matrix product that it stands for, written densely, in float64: outputs and gradients."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import rnnscope as rs
from rnnscope.models import window

TIME, BATCH, SYMBOLS, UNITS = 11, 9, 5, 7


class Dense(nn.Module):
    """One-hot vectors of the last `context` symbols, the latest first, concatenated; a tanh layer; the logits."""

    def __init__(self, ours: rs.WindowLM) -> None:
        super().__init__()
        self.context = ours.architecture.context or 0
        self.hidden = nn.Linear(self.context * SYMBOLS, UNITS).double()
        self.out = nn.Linear(UNITS, SYMBOLS).double()
        with torch.no_grad():
            self.hidden.weight.copy_(ours.weight.reshape(-1, UNITS).T)
            self.hidden.bias.copy_(ours.bias)
            self.out.load_state_dict(ours.readout.state_dict())

    def forward(self, ids: Tensor) -> Tensor:
        vectors = torch.zeros(len(ids), ids.shape[1], self.context, SYMBOLS, dtype=torch.float64)
        for t in range(len(ids)):
            for stream in range(ids.shape[1]):
                for back in range(min(self.context, t + 1)):
                    vectors[t, stream, back, ids[t - back, stream]] = 1
        logits: Tensor = self.out(self.hidden(vectors.flatten(2)).tanh())
        return logits


def model(context: int) -> rs.WindowLM:
    torch.manual_seed(context)
    return rs.WindowLM(rs.Architecture("window", units=UNITS, context=context), rs.Vocabulary.of("abcde")).double()


@pytest.mark.parametrize("cuts", [[TIME], [1, 2, 8], [1] * TIME], ids=["whole", "three parts", "one by one"])
@pytest.mark.parametrize("context", [1, 2, 4, 20])
@pytest.mark.parametrize("block", [2**19, 1], ids=["one block", "several blocks"])
def test_outputs_and_gradients_equal_the_dense_product_in_float64(
    context: int, cuts: list[int], block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "_BLOCK", block)
    ours = model(context)
    theirs = Dense(ours)
    ids = torch.randint(0, SYMBOLS, (TIME, BATCH))
    weight = torch.rand(TIME, BATCH, SYMBOLS, dtype=torch.float64)

    parts, state = [], ours.begin(BATCH)
    for part in torch.split(ids, cuts):
        logits, state = ours(part, state)
        parts.append(logits)
    torch.autograd.backward((torch.cat(parts) * weight).sum())
    expected = theirs(ids)
    torch.autograd.backward((expected * weight).sum())

    def close(a: Tensor | None, b: Tensor | None) -> None:
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)

    close(torch.cat(parts), expected)
    assert theirs.hidden.weight.grad is not None
    assert ours.weight.grad is not None
    close(ours.weight.grad.view(-1, UNITS).T, theirs.hidden.weight.grad)
    close(ours.bias.grad, theirs.hidden.bias.grad)
    close(ours.readout.weight.grad, theirs.out.weight.grad)
    close(ours.readout.bias.grad, theirs.out.bias.grad)


@pytest.mark.parametrize("kernel", [True, False])
def test_every_value_by_hand_with_units_set(kernel: bool) -> None:
    """A loop in numpy, a unit set where it is computed, from a place in the text on."""
    ours = model(3)
    weight, bias, readout, bias_out = (p.detach().numpy() for p in ours.parameters())
    ids = np.random.default_rng(0).integers(0, SYMBOLS, 700)
    corpus = rs.Corpus("random", ours.vocabulary, ids.astype(np.uint32))
    where = np.arange(700) >= 300
    ablated = rs.ablate(ours, {"layer0/hidden": [2, 5]}, to=0.25, where=where)
    names = ["layer0/hidden", "log_probs"]
    found: dict[str, NDArray[np.float64]] = {
        name: np.concatenate([block.arrays[name] for block in ablated.read(corpus, names, kernel=kernel)]) for name in names
    }
    for t in range(700):
        a = bias.copy()
        for back in range(min(3, t + 1)):
            a += weight[back, ids[t - back]]
        h = np.tanh(a)
        if t >= 300:
            h[[2, 5]] = 0.25
        logits = readout @ h + bias_out
        np.testing.assert_allclose(found["layer0/hidden"][t], h, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found["log_probs"][t], logits - np.log(np.exp(logits).sum()), rtol=0, atol=1e-6)
