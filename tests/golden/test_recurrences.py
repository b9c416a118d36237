"""Recurrences that torch doesn't have, each against the package that it comes from: outputs, states, interventions, recordings."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import rnnscope as rs
from rnnscope.exceptions import UsageError, VerificationError
from rnnscope.testing import check_language_model

TEXT = "they sat (both) by the fire, and said nothing;\n" * 12
CORPUS = rs.Corpus.from_text(TEXT)
PARTS = rs.Corpus("three", CORPUS.vocabulary, CORPUS.ids, bounds=np.array([0, 270, 280, len(CORPUS)]))
SYMBOLS = len(CORPUS.vocabulary)


class Residual(nn.Module):
    """An embedding, recurrent layers around which the input is added, a softmax layer."""

    def __init__(self, *layers: nn.Module, units: int = 8) -> None:
        super().__init__()
        self.embed = nn.Embedding(SYMBOLS, units)
        self.layers = nn.ModuleList(layers)
        self.out = nn.Linear(units, SYMBOLS)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        for layer in self.layers:
            x = x + layer(x)
        out: Tensor = self.out(x)
        return out


def mingru() -> nn.Module:
    from minGRU_pytorch import minGRU

    return Residual(minGRU(8), minGRU(8, expansion_factor=1.5))


def slstm(convolution: int = 4) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package's own making, at its import
        from xlstm.blocks.slstm.layer import sLSTMLayer, sLSTMLayerConfig

    def layer() -> Any:
        made = sLSTMLayer(
            sLSTMLayerConfig(embedding_dim=8, num_heads=2, conv1d_kernel_size=convolution, backend="vanilla", dtype="float32")
        )
        made.reset_parameters()
        return made

    module = Residual(layer(), layer())
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "slstm_cell" in name:
                parameter.uniform_(-0.7, 0.7)
    return module


def mamba() -> nn.Module:
    from transformers import MambaConfig, MambaForCausalLM

    module: nn.Module = MambaForCausalLM(
        MambaConfig(vocab_size=SYMBOLS, hidden_size=8, state_size=4, num_hidden_layers=2, time_step_rank=3)
    )
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return module


MODULES: dict[str, Callable[[], nn.Module]] = {
    "mingru": mingru, "slstm": slstm, "slstm without convolution": lambda: slstm(0), "mamba": mamba,
}  # fmt: skip


def made(kind: str) -> tuple[Any, rs.Recurrent]:
    torch.manual_seed(3)
    module = MODULES[kind]().eval()
    return module, rs.wrap(module, CORPUS.vocabulary)


def read(model: rs.Recurrent, corpus: rs.Corpus) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    for block in model.read(corpus, [s.name for s in model.signals]):
        for name, values in block.arrays.items():
            found.setdefault(name, np.empty((len(corpus), *values.shape[1:]), values.dtype))[block.start : block.stop] = values
    return found


@pytest.mark.parametrize("kind", MODULES)
def test_predictions_are_the_modules_own(kind: str) -> None:
    module, model = made(kind)
    found = read(model, PARTS)["log_probs"]
    for start, stop in PARTS.spans():
        ids = torch.from_numpy(PARTS.ids[start:stop].astype(np.int64))[None]
        with torch.no_grad():
            own = module(ids)
        own = getattr(own, "logits", own)[0].log_softmax(-1).numpy()
        np.testing.assert_allclose(found[start:stop], own, rtol=0, atol=2e-5)
    assert max(model.verify(CORPUS).values()) < 1e-4


@pytest.mark.parametrize("kind", MODULES)
def test_it_conforms(kind: str) -> None:
    check_language_model(made(kind)[1])


def test_the_packages_own_language_model_of_mingrus() -> None:
    from minGRU_pytorch.minLM import minLM

    torch.manual_seed(2)
    module = minLM(num_tokens=SYMBOLS, dim=8, depth=2)
    model = rs.wrap(module, CORPUS.vocabulary)
    check_language_model(model, PARTS)
    ids = torch.from_numpy(CORPUS.ids.astype(np.int64))[None]
    with torch.no_grad():
        own = module.eval()(ids)[0].log_softmax(-1).numpy()
    np.testing.assert_allclose(read(model, CORPUS)["log_probs"], own, rtol=0, atol=1e-4)  # its scan is in log space


def test_mingru_states_are_the_packages_own() -> None:
    module, model = made("mingru")
    found = read(model, CORPUS)
    assert [s.name for s in model.signals if s.state] == ["layer0/hidden", "layer1/hidden"]
    x = module.embed(torch.from_numpy(CORPUS.ids.astype(np.int64))[None])
    for k, layer in enumerate(module.layers):
        with torch.no_grad():
            out, last = layer(x, return_next_prev_hidden=True)
            x = x + out
        np.testing.assert_allclose(found[f"layer{k}/hidden"][-1], last[0, 0].numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["slstm", "slstm without convolution"])
def test_slstm_states_are_the_packages_own(kind: str) -> None:
    module, model = made(kind)
    found = read(model, CORPUS)
    names = ["hidden", "cell", "normaliser", "stabiliser"]
    assert [s.name for s in model.signals if s.state and s.layer == 1] == [
        f"layer1/{n}" for n in ("stabiliser", *names[1:3], "hidden")
    ]
    kept: list[Tensor] = []
    hooks = [layer.slstm_cell.register_forward_hook(lambda *given: kept.append(given[2][1])) for layer in module.layers]
    with torch.no_grad():
        module(torch.from_numpy(CORPUS.ids.astype(np.int64))[None])
    for hook in hooks:
        hook.remove()
    for k, states in enumerate(kept):
        for name, own in zip(names, states, strict=True):
            np.testing.assert_allclose(found[f"layer{k}/{name}"][-1], own[0].numpy(), rtol=1e-4, atol=1e-5)
        h = found[f"layer{k}/output"] * found[f"layer{k}/cell"] / found[f"layer{k}/normaliser"]
        np.testing.assert_allclose(found[f"layer{k}/hidden"], h, rtol=1e-5)


def test_mamba_states_are_the_packages_own() -> None:
    module, model = made("mamba")
    found = read(model, CORPUS)
    with torch.no_grad():
        cache = module(torch.from_numpy(CORPUS.ids.astype(np.int64))[None], use_cache=True).cache_params
    for k in range(2):
        own = cache.get_recurrent_state(k, state_idx=0)[0]
        assert own.shape == (16, 4)
        np.testing.assert_allclose(found[f"layer{k}/state"][-1], own.flatten().numpy(), rtol=1e-4, atol=1e-5)
    assert {s.name: s.size for s in model.signals}["layer1/state"] == 64


@pytest.mark.parametrize(("kind", "signal"), [("mingru", "hidden"), ("slstm", "cell"), ("mamba", "state")])
def test_interventions_act_inside(kind: str, signal: str, tmp_path: Path) -> None:
    _, model = made(kind)
    plain = read(model, PARTS)
    where = np.zeros(len(PARTS), np.bool_)
    where[300] = True
    held = read(rs.ablate(model, {f"layer0/{signal}": [3]}, 0.25, where=where), PARTS)
    name = f"layer0/{signal}"
    assert held[name][300, 3] == np.float32(0.25)
    np.testing.assert_array_equal(held[name][:300], plain[name][:300])
    assert not np.array_equal(held[name][301, 3], plain[name][301, 3])  # it remembers
    assert not np.array_equal(held["log_probs"][301], plain["log_probs"][301])
    held_again = rs.ablate(model, {name: [3]}, "mean")
    trace = rs.record(held_again, PARTS, tmp_path / "t")
    assert np.unique(trace[name][:, 3]).size == 1


@pytest.mark.parametrize("kind", MODULES)
def test_it_is_recorded_and_computed_again(kind: str, tmp_path: Path) -> None:
    _, model = made(kind)
    names = [s.name for s in model.signals]
    everything = rs.record(model, PARTS, tmp_path / "everything", names)
    lazy = rs.record(model, PARTS, tmp_path / "lazy")
    for name in names:
        np.testing.assert_array_equal(lazy[name][260:530], everything[name][260:530])
    assert len(rs.sample(model, "they ", length=30)) == 30


class Leaky(nn.Module):
    """A recurrence of somebody's own."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = nn.Parameter(torch.tensor(0.3))

    def forward(self, x: Tensor) -> Tensor:
        h, out = torch.zeros_like(x[:, 0]), []
        for each in x.unbind(1):
            h = (1 - self.rate) * h + self.rate * each
            out.append(h)
        return torch.stack(out, 1)


class LeakyRecurrence(rs.Recurrence):
    of: ClassVar[Any] = Leaky

    def signals(self) -> list[rs.Signal]:
        return [rs.Signal("hidden", 8, "h = (1 − a) h₋₁ + a x", state=True)]

    def begin(self, x: Tensor) -> dict[str, Tensor]:
        return {"hidden": torch.zeros_like(x)}

    def step(self, x: Tensor, state: dict[str, Tensor], note: Any) -> tuple[Tensor, dict[str, Tensor]]:
        h = note("hidden", (1 - self.part.rate) * state["hidden"] + self.part.rate * x)
        return h, {"hidden": h}


class Around(nn.Module):
    """A recurrent part inside another one that is known: only the outer one counts. It is called by a keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Leaky()

    def forward(self, x: Tensor, *, again: bool = False) -> Tensor:
        out: Tensor = 2 * self.inner(x=x)
        return out


class AroundRecurrence(LeakyRecurrence):
    of = Around

    def step(self, x: Tensor, state: dict[str, Tensor], note: Any) -> tuple[Tensor, dict[str, Tensor]]:
        h = note("hidden", (1 - self.part.inner.rate) * state["hidden"] + self.part.inner.rate * x)
        return 2 * h, {"hidden": h}


class Keyword(Residual):
    def forward(self, ids: Tensor) -> Tensor:
        out: Tensor = self.out(self.layers[0](x=self.embed(ids), again=True))
        return out


class WrongRecurrence(LeakyRecurrence):
    def step(self, x: Tensor, state: dict[str, Tensor], note: Any) -> tuple[Tensor, dict[str, Tensor]]:
        h = note("hidden", self.part.rate * state["hidden"] + (1 - self.part.rate) * x)
        return h, {"hidden": h}


def test_a_recurrence_of_ones_own() -> None:
    with pytest.raises(UsageError, match=r"and no other known recurrence; recurrences=\[…\] makes one known"):
        rs.wrap(Residual(Leaky()), CORPUS.vocabulary)
    model = rs.wrap(Residual(Leaky()), CORPUS.vocabulary, recurrences=[LeakyRecurrence])
    assert model.signals[0].name == "layer0/hidden"
    check_language_model(model)
    nested = rs.wrap(Keyword(Around()), CORPUS.vocabulary, recurrences=[LeakyRecurrence, AroundRecurrence])
    assert [s.name for s in nested.signals if s.layer is not None] == ["layer0/hidden"]
    check_language_model(nested)
    wrong = rs.wrap(Residual(Leaky()), CORPUS.vocabulary, recurrences=[WrongRecurrence])
    with pytest.raises(VerificationError, match=r"the output of layers\.0 by the steps of WrongRecurrence differs by"):
        wrong.verify(CORPUS)
    for change, words in (
        ({"signals": lambda self: [rs.Signal("hidden", 5, "h", state=True)]}, r"notes hidden of shape \(2, 8\)|of shape \(1, 8\)"),
        ({"begin": lambda self, x: {}}, r"declares the state hidden and begins with \[\]"),
        ({"signals": lambda self: [rs.Signal("entropy", 8, "h")]}, "calls a signal 'entropy'"),
    ):
        wrong_kind = type("Wrong", (LeakyRecurrence,), change)
        with pytest.raises(UsageError, match=words):
            rs.wrap(Residual(Leaky()), CORPUS.vocabulary, recurrences=[wrong_kind]).verify(CORPUS)

    def ignoring(self: Any, x: Tensor, state: dict[str, Tensor], note: Any) -> tuple[Tensor, dict[str, Tensor]]:
        h = (1 - self.part.rate) * state["hidden"] + self.part.rate * x
        note("hidden", h)
        return h, {"hidden": h}

    ignores = type("Ignores", (LeakyRecurrence,), {"step": ignoring})
    with pytest.raises(VerificationError, match=r"layer0/hidden is set by an edit and goes on as if it were not"):
        check_language_model(rs.wrap(Residual(Leaky()), CORPUS.vocabulary, recurrences=[ignores]))
    silent = type("Silent", (LeakyRecurrence,), {"signals": lambda self: []})
    with pytest.raises(UsageError, match=r"Silent declares the signals \[\] and notes \['hidden'\]"):
        rs.wrap(Residual(Leaky()), CORPUS.vocabulary, recurrences=[silent]).verify(CORPUS)
    with pytest.raises(UsageError, match="is no recurrence; expected subclasses of rs"):
        rs.wrap(Leaky(), CORPUS.vocabulary, recurrences=[Leaky])  # type: ignore[list-item]
