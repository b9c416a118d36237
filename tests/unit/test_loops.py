"""The loops say what the equations say."""

import pytest
import torch

from rnnscope.models import cells, fused, loops
from rnnscope.models.cells import CELLS, Cell, ProjectedLSTM, ReluRNN, Weights

_UNITS, _SYMBOLS, _PROJECTED = 24, 13, 5


def _weights(cell: Cell) -> Weights:
    projected = cell.name == "lstm-projected"
    rows, out = cell.blocks * _UNITS, _PROJECTED if projected else _UNITS
    drawn = torch.Generator().manual_seed(3)
    shapes = [(rows, _SYMBOLS), (rows, out), (rows,), (rows,), *([(out, _UNITS)] if projected else [])]
    return Weights(*(torch.randn(*shape, generator=drawn) * 0.3 for shape in shapes))


@pytest.mark.parametrize("cell", [*CELLS.values(), ProjectedLSTM(), ReluRNN()], ids=lambda cell: cell.name)
@pytest.mark.parametrize("ids", [True, False], ids=["ids", "vectors"])
@pytest.mark.parametrize("batch", [1, 9])
def test_loops_equal_equations(cell: Cell, ids: bool, batch: int) -> None:
    weights = _weights(cell)
    x = torch.randint(0, _SYMBOLS, (40, batch)) if ids else torch.randn(40, batch, _SYMBOLS)
    out = weights.hidden.shape[1]
    state = {name: torch.rand(batch, out if name == "hidden" else _UNITS) - 0.5 for name in cell.states}
    before = {name: value.clone() for name, value in state.items()}

    fast = loops.every_signal(cell, x, state, weights)
    slow = cells.unroll(cell, fused.project(x, weights), state, weights)

    assert fast.keys() == slow.keys()
    for kind, value in slow.items():
        torch.testing.assert_close(fast[kind], value, rtol=1e-4, atol=1e-5, msg=kind)
    for name, value in before.items():  # the caller's state is the caller's
        assert torch.equal(state[name], value)
