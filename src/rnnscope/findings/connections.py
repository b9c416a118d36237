"""What feeds a unit, and what it feeds: the largest weights into it and out of it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnscope.models import RecurrentLM

MOST = 4
ROWS = {"lstm": ("input", "forget", "candidate", "output"), "gru": ("reset", "update", "candidate"), "rnn": ("hidden",)}
"""What each block of a layer's rows computes, in torch's order; the paper's GRU lies as torch's."""

Weighted = tuple[str, float]


def connections(model: RecurrentLM, signal: str, unit: int) -> dict[str, dict[str, list[Weighted]]]:
    """`in`: for each gate the inputs and hidden units with the largest weights; `out`: symbols and units that the unit's hidden
    state moves most. Each a name (a symbol quoted, or `hidden 12`) and the weight; positive ones push up.
    """
    number = int(signal.partition("/")[0].removeprefix("layer"))
    layer, stack = model.stack[number], model.stack
    below = [repr(model.vocabulary.to_str(np.array([k])))[1:-1] for k in range(len(model.vocabulary))]
    inputs = [f"“{s}”" for s in below] if number == 0 else [f"layer{number - 1} {k}" for k in range(stack[number - 1].units)]
    own = [f"hidden {k}" for k in range(layer.units)]
    blocks = ROWS[layer.cell.name.partition("-")[0]]
    into = {}
    for k, gate in enumerate(blocks):
        row = k * layer.units + unit
        into[gate] = _largest(_array(layer.weight_ih[row]), inputs) + _largest(_array(layer.weight_hh[row]), own, MOST // 2)
    out = {"this layer": _largest(_array(layer.weight_hh[:, unit]), [f"{gate} {k}" for gate in blocks for k in range(layer.units)])}
    if number + 1 < len(stack):
        above = stack[number + 1]
        names = [f"layer{number + 1} {gate} {k}" for gate in ROWS[above.cell.name.partition("-")[0]] for k in range(above.units)]
        out["next layer"] = _largest(_array(above.weight_ih[:, unit]), names)
    else:
        out["next symbol"] = _largest(_array(model.readout.weight[:, unit]), [f"“{s}”" for s in below])
    return {"in": into, "out": out}


def _array(weights: Any) -> NDArray[np.float32]:
    found: NDArray[np.float32] = weights.detach().cpu().numpy()
    return found


def _largest(weights: NDArray[np.float32], names: list[str], most: int = MOST) -> list[Weighted]:
    order = np.argsort(-np.abs(weights), kind="stable")[:most]
    return [(names[k], float(weights[k])) for k in order]
