"""Examples of what a network's predictions and its best unit rest on, for a study's report."""

import numpy as np
import pandas as pd

from rnnscope.analysis.writes import writes
from rnnscope.findings.attribution import attribution
from rnnscope.models import Recurrent
from rnnscope.ngrams import NGramLM
from rnnscope.signal import keeper
from rnnscope.traces import Trace

COLUMNS = ("target", "measure", "position", "symbol", "part")
_PREDICTIONS, _BACK = 2, 300


def examples(model: Recurrent, trace: Trace, ngram: NGramLM, units: pd.DataFrame) -> pd.DataFrame:
    """The predictions in which the network is farthest ahead of an n-gram, and a state of the best unit that a gate keeps.

    `units` are the best ones (see `examine`). For each `target` the rows of `attribution` or `writes`, with what they are measured
    in (`measure`); the unit's state is where it is farthest from zero in the half of the text on which it wasn't chosen.
    """
    corpus, frames = trace.corpus, []
    for position in _ahead(trace, ngram):
        came = corpus.vocabulary.to_str(corpus.next_ids(np.array([position])))
        table = attribution(model, corpus, position, back=_BACK).rename(columns={"share": "part"})
        frames.append(table.assign(target=f"log p of {came!r} after position {position:,}", measure="share of log p, nats"))
    for row in units[units["finding"]].sort_values("score", ascending=False).itertuples():
        signal, unit = str(row.signal), int(row.unit)  # type: ignore[arg-type]  # pandas knows no types of rows
        state = next(s for s in trace.signals if s.name == signal)
        hidden = state.kind == "hidden" and any(s.name == f"{state.place}/cell" for s in trace.signals)
        if not state.state or hidden or keeper(trace.signals, state.place) is None:
            continue
        first = len(trace) // 2
        position = first + int(np.abs(trace[signal][first:, unit].astype(np.float64)).argmax())
        table = writes(trace, signal, unit, position, back=_BACK)
        what = f"{signal}[{unit}]"
        frames.append(
            table.assign(target=f"{what} at position {position:,}: {table['part'].sum():+.2f}", measure=f"part of {what}")
        )
        break
    return pd.concat([pd.DataFrame(columns=list(COLUMNS)), *frames], ignore_index=True)[list(COLUMNS)]


def _ahead(trace: Trace, ngram: NGramLM) -> list[int]:
    """Positions at which the network gave the symbol that came most more probability than the n-gram, apart from one another."""
    gain = np.nan_to_num(trace["log_prob"][:].astype(np.float64), nan=-np.inf)
    for block in ngram.read(trace.corpus, ["log_prob"]):
        gain[block.start : block.stop] -= np.nan_to_num(block.arrays["log_prob"].astype(np.float64))
    found: list[int] = []
    for position in np.argsort(-gain, kind="stable")[: 50 * _PREDICTIONS].tolist():
        if len(found) < _PREDICTIONS and gain[position] > 0 and all(abs(position - other) > _BACK for other in found):
            found.append(position)
    return found
