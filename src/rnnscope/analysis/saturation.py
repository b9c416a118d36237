"""How often gates are nearly shut or nearly open. Source: PAPER section 6, figure 3."""

import numpy as np
import pandas as pd

from rnnscope.exceptions import InputError, expect
from rnnscope.traces import TRACE, Trace

LEFT, RIGHT = 0.1, 0.9
OFTEN = 0.5
COLUMNS = ("signal", "layer", "gate", "unit", "left", "right")


def saturation(trace: Trace) -> pd.DataFrame:
    """For each unit of each gate that the trace keeps or can compute the
    fraction of symbols where it is below 0.1 (`left`) and above 0.9 (`right`).

    What a gate near 1 does is said by its signal's equation. Raises `InputError` for a trace without gates.

    >>> import tempfile
    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("to be or not to be, that is the question; " * 3)
    >>> model = rs.RecurrentLM(rs.Architecture("lstm", 1, 4), text.vocabulary)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     trace = rs.record(model, text, folder + "/trace")  # its gates are computed when they are wanted
    ...     table = rs.saturation(trace)
    >>> table["gate"].unique().tolist(), len(table)
    (['input', 'forget', 'output'], 12)
    """
    expect(trace, Trace, TRACE)
    if not len(trace):
        raise InputError(f"{trace!r} holds no symbol; expected a trace of a text with at least one")
    gates = [s for s in trace.signals if s.gate]
    if not gates:
        raise InputError(
            trace.lost or f"{trace!r} holds no gate; record signals such as 'layer*/forget' of an LSTM or 'layer*/update' of a GRU"
        )
    frames = []
    for signal in gates:
        left, right = np.zeros(signal.size, np.int64), np.zeros(signal.size, np.int64)
        for _, values in trace.stretches(signal):
            left += (values < LEFT).sum(axis=0)
            right += (values > RIGHT).sum(axis=0)
        frames.append(
            pd.DataFrame(
                {
                    "signal": signal.name,
                    "layer": signal.layer,
                    "gate": signal.kind,
                    "unit": np.arange(signal.size),
                    "left": left / len(trace),
                    "right": right / len(trace),
                },
                columns=list(COLUMNS),
            )
        )
    return pd.concat(frames, ignore_index=True)


def by_gate(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each gate of a table of `saturation`: `signal`, how many `units`, the means of `left` and `right` over them, and
    how many units are saturated at more than half of the symbols, `often_left` and `often_right`.

    >>> gate = {"signal": "layer0/forget", "left": [0.0, 0.0, 0.6], "right": [0.9, 0.6, 0.0]}
    >>> by_gate(pd.DataFrame(gate)).round(2).values.tolist()
    [['layer0/forget', 3, 0.2, 0.5, 1, 2]]
    """
    often = table.assign(often_left=table["left"] > OFTEN, often_right=table["right"] > OFTEN)
    return often.groupby("signal", sort=False, as_index=False).agg(
        units=("signal", "size"), left=("left", "mean"), right=("right", "mean"), often_left=("often_left", "sum"),
        often_right=("often_right", "sum"),
    )  # fmt: skip
