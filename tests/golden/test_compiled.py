"""The compiled layers and softmax against torch in float64: every path of this processor, any shape, several windows."""

import copy
import ctypes
import pathlib
import subprocess
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

import rnnscope as rs
from rnnscope.models import cells, compiled, gradients
from rnnscope.models.cells import CELLS
from rnnscope.models.edits import Holding, Put
from rnnscope.native import recurrent as native
from rnnscope.native.recurrent import Path

BEST = native.best_path()
PATHS = [path for path in Path if BEST and path <= BEST]
FLOAT32, BFLOAT16 = 2e-6, 1e-2

shapes = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(list(CELLS)),
        "layers": st.integers(1, 4),
        "units": st.integers(1, 70),
        "batch": st.integers(1, 27),
        "time": st.integers(1, 6),
        "windows": st.integers(1, 3),
        "symbols": st.integers(2, 40),
        "threads": st.integers(1, 2),
        "seed": st.integers(0, 999),
    }
)


@pytest.fixture(params=PATHS, ids=lambda path: path.name)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(native, "PATH", request.param)
    return Path(request.param)


@pytest.fixture(autouse=True)
def as_many_threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_this_processor_has_a_path() -> None:
    """Wherever the tests run there is a compiler, and a processor with AVX2: without them the kernel would go untested."""
    assert PATHS


def network(shape: dict[str, Any]) -> rs.RecurrentLM:
    torch.manual_seed(shape["seed"])
    vocabulary = rs.Vocabulary.of("".join(chr(0x100 + k) for k in range(shape["symbols"])))
    return rs.RecurrentLM(rs.Architecture(shape["cell"], shape["layers"], shape["units"]), vocabulary)


def trained(
    model: rs.RecurrentLM, shape: dict[str, Any], *, reduced: bool = False, between: Callable[[Tensor], Tensor] | None = None
) -> dict[str, Tensor]:
    """Loss, states and gradients of several windows, the state carried from one to the next and cut off there.

    With `between`, through torch's autograd from layer to layer.
    """
    torch.manual_seed(shape["seed"] + 1)
    size = (shape["windows"], shape["time"], shape["batch"])
    ids, targets = (torch.randint(0, shape["symbols"], size) for _ in range(2))
    state = {name: (torch.rand(value.shape) - 0.5).to(value.dtype) for name, value in model.begin(shape["batch"]).items()}
    found: dict[str, Tensor] = {}
    for window, (x, y) in enumerate(zip(ids, targets, strict=True)):
        loss, state = model.differentiate(x, y, state, 1 / x.numel(), reduced=reduced, between=between)
        found |= {f"{window} {name}": value for name, value in state.items()} | {f"{window} loss": loss}
    return found | {f"gradient of {name}": p.grad for name, p in model.named_parameters() if p.grad is not None}


def worst(found: dict[str, Tensor], expected: dict[str, Tensor], kind: str) -> float:
    """The largest difference among the gradients, or among all else, to the largest value there, of 0.1 or more.

    All of a kind together: of a single number that is nearly nothing, where large ones cancel, rounding leaves few digits.
    """
    assert found.keys() == expected.keys()
    names = [name for name in expected if name.startswith("gradient") == (kind == "gradients")]
    largest = max(expected[name].abs().max().item() for name in names)
    return max((found[name].double() - expected[name]).abs().max().item() for name in names) / max(largest, 0.1)


LONG: dict[str, Any] = {"windows": 1, "seed": 0, "threads": 1}
WIDE: dict[str, Any] = LONG | {"cell": "lstm", "layers": 2, "units": 128, "batch": 3, "time": 2, "symbols": 5}  # rows are padded


@settings(max_examples=100, deadline=None, derandomize=True)
@given(shape=shapes)
@example(shape=WIDE)
def test_training_in_float32_equals_float64(shape: dict[str, Any]) -> None:
    torch.set_num_threads(shape["threads"])
    expected = trained(network(shape).double(), shape)  # float64: torch's kernels, held against the equations elsewhere
    for path in PATHS:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(native, "PATH", path)
            found = trained(network(shape), shape)
            by_layers = trained(network(shape), shape, between=torch.clone)
        for kind in ("states", "gradients"):
            assert worst(found, expected, kind) <= FLOAT32, (path, kind)
            assert worst(by_layers, expected, kind) <= FLOAT32, (path, kind)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shape=shapes, kinds=st.sets(st.integers(0, 5), min_size=1), masked=st.booleans(), always=st.booleans(), twice=st.booleans())
def test_units_that_are_held_are_held_as_in_the_equations(
    shape: dict[str, Any], kinds: set[int], masked: bool, always: bool, twice: bool
) -> None:
    torch.set_num_threads(shape["threads"])
    model = network(shape)
    size = (shape["time"], shape["batch"])
    ids, state = torch.randint(0, shape["symbols"], size), model.begin(shape["batch"])
    edit: Holding | None = None
    for _ in range(1 + twice):
        put = {}
        for signal in model.signals:
            kind = signal.name.partition("/")[2]
            if kind and list(model.stack[0].cell.equations).index(kind) in kinds:
                units = torch.randperm(signal.size)[: 1 + signal.size // 3]
                put[signal.name] = Put(units, torch.randn(*(() if always else size), len(units)))
        edit = Holding(put, torch.rand(size) < 0.5 if masked else None, edit)
    expected, after = copy.deepcopy(model).double().advance(ids, {k: v.double() for k, v in state.items()}, kernel=False, edit=edit)
    for path in PATHS:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(native, "PATH", path)
            patched.setattr(cells, "unroll", None)  # the equations aren't gone through
            found, state_after = model.advance(ids, state, edit=edit)
        for name, value in found.items():
            torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-5)
        for name, value in state_after.items():
            torch.testing.assert_close(value.double(), after[name], rtol=1e-5, atol=1e-5)


def test_an_edit_that_a_kernel_cannot_follow_goes_through_the_equations() -> None:
    model = network({"cell": "lstm", "layers": 2, "units": 5, "symbols": 4, "seed": 0})
    ids, state = torch.randint(0, 4, (3, 2)), model.begin(2)
    nothing = Holding({"layer1/cell": Put(torch.tensor([1]), torch.full((3, 2, 1), torch.nan))})
    assert nothing.held(["layer1/cell"], (3, 2, 5)) is None
    assert model.advance(ids, state, edit=nothing)[0]["layer1/cell"][..., 1].isnan().all()
    seen = []

    def edit(t: int, name: str, value: Tensor) -> Tensor:
        seen.append((t, name))
        return value * 0.5

    above = Holding({"layer0/cell": Put(torch.tensor([1]), torch.tensor([0.25]))}, None, edit)
    found = model.advance(ids, state, edit=above)[0]["layer0/cell"]
    assert (found[..., 1] == 0.25).all()
    assert len(seen) == 3 * 12


ENOUGH = {"symbols": 6, "units": 3, "batch": 8, "time": 2}


@pytest.mark.skipif(not BEST or BEST < Path.AVX512_BF16, reason="this processor doesn't multiply bfloat16")
@settings(max_examples=60, deadline=None, derandomize=True)
@given(shape=shapes)
def test_training_in_bfloat16_comes_near_float64(shape: dict[str, Any]) -> None:
    """Of gradients that are made of many terms: searched for long enough, there are few that cancel all but nothing."""
    comes_near_float64(shape | {name: shape[name] + more for name, more in ENOUGH.items()})


def comes_near_float64(shape: dict[str, Any]) -> None:
    torch.set_num_threads(shape["threads"])
    expected = trained(network(shape).double(), shape)
    for between in (None, torch.clone):
        found = trained(network(shape), shape, reduced=True, between=between)
        assert worst(found, expected, "states") <= BFLOAT16
        assert worst(found, expected, "gradients") <= BFLOAT16


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The kernel with AMX's instructions in plain words: few processors have them."""
    source = pathlib.Path(native.__file__).parent / "cpp" / "recurrent.cpp"
    built = tmp_path_factory.mktemp("emulated") / "recurrent.so"
    options = ["-O1", "-std=c++17", "-shared", "-fPIC", "-DEMULATED_TILES", "-Wno-maybe-uninitialized", "-Wno-psabi"]
    subprocess.run(["g++", *options, str(source), "-o", str(built)], check=True)
    return ctypes.CDLL(str(built))


@pytest.mark.slow
@pytest.mark.skipif(not BEST or BEST < Path.AVX512_BF16, reason="this processor doesn't multiply bfloat16")
@settings(max_examples=60, deadline=None, derandomize=True)
@given(shape=shapes)
@example(shape=WIDE)
@example(shape=LONG | {"cell": "lstm", "layers": 2, "units": 33, "batch": 100, "time": 25, "symbols": 70})
@example(shape=LONG | {"cell": "gru-paper", "layers": 2, "units": 64, "batch": 31, "time": 62, "symbols": 20})
def test_tiles_come_near_float64(emulated: ctypes.CDLL, shape: dict[str, Any]) -> None:
    """Over more rows than gradients are summed of at once, too."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(native, "_LIBRARY", emulated)
        assert native.best_path() is Path.AMX
        patched.setattr(native, "PATH", Path.AMX)
        comes_near_float64(shape | {name: shape[name] + more for name, more in ENOUGH.items()})


PLAIN: dict[str, Any] = {"cell": "lstm", "layers": 2, "units": 9, "symbols": 7, "seed": 4, "time": 5, "batch": 3}


def batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    size = (PLAIN["time"], PLAIN["batch"])
    return torch.randint(0, PLAIN["symbols"], size), torch.randint(0, PLAIN["symbols"], size)


def loss_of(model: rs.RecurrentLM, **more: Any) -> tuple[Tensor, dict[str, Tensor]]:
    return model.differentiate(*batch(), {}, 0.1, **more)


def test_a_loss_is_the_same_whichever_way_it_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network(PLAIN)
    at_once, state = loss_of(model)
    assert not at_once.requires_grad
    assert not any(value.requires_grad for value in state.values())  # a stretch is where gradients end
    with torch.no_grad():
        without, _ = model.loss(*batch(), {}, 0.1)
    given = {name: value.requires_grad_() for name, value in model.begin(PLAIN["batch"]).items()}
    asked, _ = model.loss(*batch(), given, 0.1)
    torch.autograd.backward(asked)
    assert all(value.grad is not None and value.grad.any() for value in given.values())
    between, state = loss_of(model, between=lambda x: x)
    assert not any(value.requires_grad for value in state.values())
    monkeypatch.setattr(native, "PATH", None)
    by_torch, state = loss_of(model)
    assert not any(value.requires_grad for value in state.values())
    for other in (without, asked, between, by_torch):
        assert other.item() == pytest.approx(at_once.item(), rel=1e-6)


def test_a_network_as_it_was_made_is_differentiated_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, seen = Mock(wraps=gradients.of_network), Mock(return_value=None)
    monkeypatch.setattr(gradients, "of_network", at_once)
    model = network(PLAIN)
    loss_of(model)
    assert at_once.call_count == 1
    weight: Any = model.stack[0].weight_hh
    hook = weight.register_hook(seen)  # autograd calls it
    loss_of(model)
    assert (at_once.call_count, seen.call_count) == (1, 1)
    hook.remove()
    torch.nn.utils.parametrizations.weight_norm(model.stack[1], "weight_hh")  # a weight that is made from others
    loss_of(model)
    assert at_once.call_count == 1
    assert all(p.grad is not None for p in model.parameters())


def test_a_weight_in_another_precision_is_not_read_by_its_address() -> None:
    layer = network(PLAIN).stack[0]
    assert compiled.covers(layer.cell, layer.weights)
    layer.weight_ih.data = layer.weight_ih.data.double()
    assert not compiled.covers(layer.cell, layer.weights)


def test_gradients_are_added_and_frozen_weights_get_none() -> None:
    model = network(PLAIN)
    loss_of(model)
    once = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    loss_of(model)
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.grad, 2 * once[name])
        p.grad = None
    model.layers[0].weight_hh.requires_grad_(False)
    loss_of(model)
    for name, p in model.named_parameters():
        if name == "layers.0.weight_hh":
            assert p.grad is None
        else:
            torch.testing.assert_close(p.grad, once[name])


def test_a_layer_that_somebody_changed_is_asked_itself() -> None:
    model, seen = network(PLAIN), []
    before = loss_of(model)[0].item()
    hook = model.layers[1].register_forward_hook(lambda *_: seen.append(1))
    assert loss_of(model)[0].item() == pytest.approx(before, rel=1e-6)
    assert seen
    hook.remove()
    model.layers.double()
    assert loss_of(model)[0].item() == pytest.approx(before, rel=1e-6)
