"""Which earlier symbols a prediction or a unit rests on: gradient × input through the recurrence.

Each symbol enters a network as its column of the first layer's input weights, or as the row of an embedding. The gradient of a
target with respect to that input, times the input, says by how much the target would change, to first order, if the symbol's input
were a little stronger. Source: Shrikumar et al. 2016; through a recurrence: Arras et al. 2019. For what is in a cell exactly, see
`analysis.writes`.
"""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnnscope.corpora import Corpus
from rnnscope.exceptions import UsageError, expect, expect_whole
from rnnscope.models import Recurrent
from rnnscope.models.edits import Edit
from rnnscope.models.passages import MARK
from rnnscope.models.recurrent import State
from rnnscope.models.threads import all_of_float32, computing
from rnnscope.predictions import is_prediction
from rnnscope.protocol import check_numbers, check_readable
from rnnscope.signal import select

COLUMNS = ("position", "symbol", "share")
LOG_PROB = "log_prob"


def attribution(
    model: Recurrent, corpus: Corpus, position: int, target: str = LOG_PROB, unit: int | None = None, *, back: int = 200
) -> pd.DataFrame:
    """By how much each symbol moves a target at a position, when all symbols up to there have been read.

    `target` is `log_prob`, of the symbol that really came next, or any signal of a layer, such as `layer1/cell`, with its `unit`. A
    row for each symbol from the position backwards, `back` symbols or to the beginning of its segment: `position`, `symbol`
    (as text) and `share`, its gradient × input, in the target's own unit. The state before them is a constant.

    The model is a network, a wrapped module, or one of these ablated. Into a wrapped module a symbol enters with what its first
    recurrent part gets; what goes past that part counts, too, where an `nn.Embedding` looks symbols up.

    Raises `UsageError` for a model through which no gradient goes or that reads from both sides, and a position, signal or unit
    that isn't there.

    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("to be or not to be")
    >>> near = rs.WindowLM(rs.Architecture("window", units=8, context=2), text.vocabulary)  # it sees two symbols
    >>> table = rs.attribution(near, text, 9)
    >>> table["symbol"].tolist()[:4], (table["share"] != 0).tolist()[:4]
    (['n', ' ', 'r', 'o'], [True, True, False, False])
    """
    expect(model, Recurrent, "a recurrent model, as rs.load or rs.wrap gives, through which gradients go")
    check_readable(model, corpus)
    if not model.causal:
        raise UsageError(
            f"{model.name} reads from both sides, so that earlier symbols aren't all that it rests on; expected one side"
        )
    expect_whole("position", position, 0, len(corpus))
    expect_whole("back", back, 1)
    following = int(corpus.next_ids(np.array([position]))[0])
    if target == LOG_PROB:
        if following < 0:
            raise UsageError(f"nobody knows what came after position {position:,}; choose one before the end of the text")
        if unit is not None:
            raise UsageError(f"{LOG_PROB} has no units; leave unit={unit} out")
    else:
        [signal] = select([s for s in model.signals if not is_prediction(s.name)], target)[:1]
        if signal.name != target:
            raise UsageError(f"{target!r} is more than one signal; expected one, such as {signal.name!r}")
        if unit is None:
            raise UsageError(f"{target} has the units 0 to {signal.size - 1:,}; give one of them")
        expect_whole(f"the unit of {target}", unit, 0, signal.size)
    start = int(corpus.bounds[np.searchsorted(corpus.bounds, position, side="right") - 1])
    first = max(start, position + 1 - back)
    with computing(), all_of_float32(model.device):
        state = model.begin(1)
        for at in range(start, first, MARK):
            ids, edit = _stretch(model, corpus, at, min(at + MARK, first))
            state = model.advance(ids, state, inside=False, edit=edit)[1]
        share = _shares(model, corpus, (first, position + 1), state, target, unit, following)
    places = np.arange(first, position + 1)[::-1]
    symbols = [corpus.to_str(p, p + 1) for p in places.tolist()]
    return pd.DataFrame({"position": places, "symbol": symbols, "share": share[::-1]}, columns=list(COLUMNS))


def _stretch(model: Recurrent, corpus: Corpus, start: int, stop: int) -> tuple[Tensor, Edit | None]:
    """Symbol numbers (time, 1), and what an intervention changes there."""
    ids = torch.from_numpy(corpus.ids[start:stop].astype(np.int64))[:, None].to(model.device)
    return ids, model.edits(corpus, np.arange(start, stop)[:, None])


def _shares(
    model: Recurrent, corpus: Corpus, span: tuple[int, int], state: State, target: str, unit: int | None, following: int
) -> NDArray[np.float64]:
    ids, edit = _stretch(model, corpus, *span)
    with torch.enable_grad():
        strength = torch.ones(ids.shape, dtype=model.precision, device=model.device, requires_grad=True)
        value = _value(model.strengthened(ids, state, strength, edit=edit), target, unit, following)
        found = torch.autograd.grad(value, strength, allow_unused=True)[0] if value.requires_grad else None
    if found is None:
        raise UsageError(
            f"no gradient of {target} at position {span[1] - 1:,} reaches a symbol of {model.name}; expected a module that doesn't "
            "cut it off (by torch.no_grad, detach, or a choice of the likeliest)"
        )
    shares: NDArray[np.float64] = found[:, 0].double().cpu().numpy()
    check_numbers(model.name, shares)
    return shares


def _value(named: dict[str, Tensor], target: str, unit: int | None, following: int) -> Tensor:
    if target == LOG_PROB:
        return named["logits"][0].log_softmax(-1)[following]
    return named[target][0, unit]
