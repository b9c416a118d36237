"""Which earlier symbols a prediction or a unit rests on: gradient × input through the recurrence.

Each symbol enters the network as its column of the first layer's input weights. The gradient of a target with respect to that
column, times the column, says by how much the target would change, to first order, if the symbol's input were a little
stronger. Source: Shrikumar et al. 2016; through a recurrence: Arras et al. 2019. For what is in a cell exactly, see
`analysis.writes`.
"""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rnnscope.corpora import Corpus
from rnnscope.exceptions import UsageError, expect, expect_whole
from rnnscope.models import RecurrentLM
from rnnscope.models.cells import Named, unroll
from rnnscope.models.fused import project
from rnnscope.models.threads import computing
from rnnscope.protocol import check_readable
from rnnscope.signal import select

COLUMNS = ("position", "symbol", "share")
LOG_PROB = "log_prob"


def attribution(
    model: RecurrentLM, corpus: Corpus, position: int, target: str = LOG_PROB, unit: int | None = None, *, back: int = 200
) -> pd.DataFrame:
    """By how much each symbol moves a target at a position, when all symbols up to there have been read.

    `target` is `log_prob`, of the symbol that really came next, or any signal of a layer, such as `layer1/cell`, with its `unit`. A
    row for each symbol from the position backwards, `back` symbols or to the beginning of its segment: `position`, `symbol`
    (as text) and `share`, its gradient × input, in the target's own unit. The state before them is a constant.

    Raises `UsageError` for a model of another kind, and a position, signal or unit that isn't there.
    """
    expect(model, RecurrentLM, "a RecurrentLM, as rs.load gives; gradients of wrapped modules aren't taken")
    check_readable(model, corpus)
    expect_whole("position", position, 0, len(corpus))
    expect_whole("back", back, 1)
    following = int(corpus.next_ids(np.array([position]))[0])
    if target == LOG_PROB:
        if following < 0:
            raise UsageError(f"nobody knows what came after position {position:,}; choose one before the end of the text")
        if unit is not None:
            raise UsageError(f"{LOG_PROB} has no units; leave unit={unit} out")
    else:
        [signal] = select([s for s in model.signals if s.layer is not None], target)[:1]
        if signal.name != target:
            raise UsageError(f"{target!r} is more than one signal; expected one, such as {signal.name!r}")
        if unit is None or not 0 <= unit < signal.size:
            raise UsageError(f"{target} has the units 0 to {signal.size - 1:,}; expected one of them, not {unit!r}")
    start = int(corpus.bounds[np.searchsorted(corpus.bounds, position, side="right") - 1])
    first = max(start, position + 1 - back)
    dtype, device = model.readout.weight.dtype, model.device
    with computing():
        state = model.begin(1)
        ids = torch.from_numpy(corpus.ids[start : position + 1].astype(np.int64)).to(device)[:, None]
        if first > start:
            state = model.advance(ids[: first - start], state, inside=False)[1]
        with torch.enable_grad():
            layer = model.stack[0]
            inputs = layer.weight_ih.detach().T[ids[first - start :]].to(dtype).requires_grad_()  # (time, 1, rows)
            value = _value(model, inputs, {name: s.detach() for name, s in state.items()}, target, unit, following)
            [gradient] = torch.autograd.grad(value, inputs)
    share = (gradient * inputs).detach().sum(-1)[:, 0].double().cpu().numpy()
    places = np.arange(first, position + 1)[::-1]
    symbols = [corpus.to_str(p, p + 1) for p in places.tolist()]
    return pd.DataFrame({"position": places, "symbol": symbols, "share": share[::-1]}, columns=list(COLUMNS))


def _value(model: RecurrentLM, inputs: Tensor, state: Named, target: str, unit: int | None, following: int) -> Tensor:
    x = inputs + model.stack[0].bias_ih.detach()
    named: Named = {}
    for k, layer in enumerate(model.stack):
        weights = type(layer.weights)(*(w.detach() for w in layer.weights if w is not None))
        projected = x if k == 0 else project(x, weights)
        signals = unroll(layer.cell, projected, {name: state[f"layer{k}/{name}"] for name in layer.cell.states}, weights)
        named |= {f"layer{k}/{kind}": values for kind, values in signals.items()}
        x = signals["hidden"]
    if target == LOG_PROB:
        logits = torch.nn.functional.linear(x[-1, 0], model.readout.weight.detach(), model.readout.bias.detach())
        return logits.log_softmax(-1)[following]
    return named[target][-1, 0, unit]
