"""What a state is made of: the exact decomposition of c_t into what was written at each symbol before, and how much of it is left.

c_t = f_t c₋₁ + i_t g_t, unrolled: each symbol's write i g, carried by the product of the forget gates since. In a GRU of torch's
the same holds of h with z and (1 − z) n. What each write depended on itself is another question.
"""

import numpy as np
import pandas as pd

from rnnscope.exceptions import InputError, expect, expect_whole
from rnnscope.signal import Signal, keeper
from rnnscope.traces import TRACE, Trace

COLUMNS = ("position", "symbol", "write", "kept", "part")
_ROUNDING = {np.dtype(np.float16): 2.0**-11}
"""Of a value that was kept in half precision; of others it is 2⁻¹⁸, with what fast functions are off by."""


def writes(trace: Trace, signal: str, unit: int, position: int, *, back: int = 1_000) -> pd.DataFrame:
    """What each symbol wrote to a unit's state, and what of it is left when the symbol at a position has been read.

    `signal` is a state that a gate keeps, such as `layer1/cell`. A row for each symbol from the position backwards, to the
    beginning of the segment or `back` symbols: its `position` and `symbol` (as text), the `write` (of an LSTM i·g), the share of
    it that is `kept` (the product of the forget gates since), and the `part` of the state that it makes, write × kept. The last
    row, without a symbol, is what was there before. The parts add up to the state, up to rounding.

    Raises `InputError` for a trace without the gates, and one whose state isn't what its gates make (an ablated one),
    `UsageError` for a unit or a position that isn't there. Source: Murdoch & Szlam 2017, for an LSTM's cell.

    >>> import tempfile
    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("to be or not to be, that is the question; " * 3)
    >>> model = rs.RecurrentLM(rs.Architecture("lstm", 1, 4), text.vocabulary)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trace = rs.record(model, text, folder + "/trace", ["layer*/*"])
    ...     table = rs.writes(trace, "layer0/cell", 2, 40)
    ...     state = trace["layer0/cell"][40, 2]
    >>> len(table), bool(np.isclose(table["part"].sum(), state, atol=1e-6))  # 41 symbols, and what was there before
    (42, True)
    """
    expect(trace, Trace, TRACE)
    state, gate, candidate, way_in = _parts(trace, signal)
    expect_whole("unit", unit, 0, state.size)
    expect_whole("position", position, 0, len(trace))
    expect_whole("back", back, 1)
    start = int(trace.corpus.bounds[np.searchsorted(trace.corpus.bounds, position, side="right") - 1])
    first = max(start, position + 1 - back)
    names = [s.name for s in (state, gate, candidate, way_in) if s]
    values = {name: trace[name][first : position + 1, unit].astype(np.float64) for name in names}
    before = float(trace[state.name][first - 1, unit]) if first > start else 0.0
    keep = values[gate.name] if gate.keeps > 0 else 1 - values[gate.name]
    write = (values[way_in.name] if way_in else 1 - keep) * values[candidate.name]
    kept = np.concatenate([np.cumprod(keep[:0:-1])[::-1], [1.0]])
    places = np.arange(first, position + 1)[::-1]
    rows = pd.DataFrame(
        {
            "position": places,
            "symbol": [trace.corpus.to_str(p, p + 1) for p in places.tolist()],
            "write": write[::-1],
            "kept": kept[::-1],
            "part": (write * kept)[::-1],
        },
        columns=list(COLUMNS),
    )
    left = float(kept[0] * keep[0])
    made, held = float((write * kept).sum() + before * left), float(trace[state.name][position, unit])
    rounding = max(_ROUNDING.get(trace[name].dtype, 2.0**-18) for name in names)
    factors = np.arange(len(kept) + 3, 3, -1)  # each is rounded: gates since, the write's two, the state itself
    off = rounding * (1 + abs(held) + float(factors @ np.abs(write * kept)) + (len(kept) + 4) * abs(before * left))
    if abs(made - held) > off:
        raise InputError(
            f"{signal} {unit} of {trace.path.name} holds {held:.4g} at position {position:,}, but its gates make {made:.4g} of "
            "what was written; expected a state that only they change: record the network without the intervention"
        )
    rest = pd.DataFrame([{"position": first - 1, "symbol": "", "write": before, "kept": left, "part": before * left}])
    return pd.concat([rows, rest], ignore_index=True)


def _parts(trace: Trace, name: str) -> tuple[Signal, Signal, Signal, Signal | None]:
    """A state, the gate that keeps it, what is written, and the gate that lets it in, where there is one of its own."""
    known = {s.name: s for s in trace.signals}
    state = known.get(name)
    place = name.rpartition("/")[0]
    gate = keeper(trace.signals, place)
    candidate, way_in = known.get(f"{place}/candidate"), known.get(f"{place}/input")
    shown = state is not None and state.kind == "hidden" and f"{place}/cell" in known  # what is kept is the cell
    if state is None or not state.state or gate is None or candidate is None or shown:
        raise InputError(
            trace.lost
            or f"{name} of {trace.path.name} is no state that a gate keeps, or its gates aren't there; expected such as "
            "'layer0/cell' of an LSTM or 'layer0/hidden' of a GRU, with gates and candidate recorded, or the model at hand"
        )
    return state, gate, candidate, way_in
