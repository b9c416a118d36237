"""What predictions and states rest on, on average: what the paper asks of its cells by colouring text, measured.

Two questions: how far back lies what a prediction and a unit that can be read rest on; and whether such a unit, on inside quotes
(in program text: comments and strings), holds what the opening symbol wrote, or what was written since. The unit is found by its
scores on the first half of the test part; places are of the second.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnnscope.analysis.hypotheses.base import label
from rnnscope.analysis.hypotheses.catalogue import chosen
from rnnscope.analysis.labels import middle
from rnnscope.analysis.openings import by_age, openings, spans_of
from rnnscope.analysis.scoring import score
from rnnscope.analysis.writes import writes
from rnnscope.corpora import Corpus
from rnnscope.findings.lookback import lookback
from rnnscope.models import Network
from rnnscope.progress import Progress
from rnnscope.recording import record
from rnnscope.traces import Trace
from rnnscope.views import resting as draw
from rnnscope.views.drawn import Drawn
from rnnscope.views.shading import resting as picture

PROSE, PROGRAM = ("double_quotes", {"double_quotes": 1}), ("text", {"comment": 2, "string": 1})
"""The claim that the unit is found by, and what is opened in its text by how many symbols."""
PLACES, SEED = 200, 0
BACK = 1_000
"""Symbols that are looked back at; a place has so many before it in its segment."""
SHOWN = 230
"""So long ago was what the picture shows opened: the paper's cell stays on for so many characters."""
_MORE = 40  # symbols of the picture before what was opened


def resting(network: Network, text: Corpus, progress: Progress) -> Drawn:
    """Of a network on a text, tables and pictures:

    - `lookback`: for each `target`, shares of |gradient × input| by distance (see `lookback`): of the logarithm of the probability
      of the next symbol and of the unit at places drawn at random, and of the unit where its claim holds.
    - `writes`: for what the unit is `inside` of (double quotes; comments, strings), by age, the mean state and its parts (see
      `by_age`); `told`: the share of places at which the state is on the claim's side of the best threshold of the first half.
    - `text`: every symbol's part of the unit's state at one place, as the picture of this name shows it.
    """
    claim, opened = PROGRAM if text.language else PROSE
    with TemporaryDirectory() as folder:
        cells = record(network, text, Path(folder) / "cells", ["layer*/cell"], progress=progress)
        best = score(cells, [claim], "cell", chance=False, controls=False, progress=progress).iloc[0]
    signal, unit = str(best["signal"]), int(best["unit"])
    labels = label(chosen(list(dict.fromkeys([claim, *opened]))), text)
    drawn = Drawn({"lookback": _far(network, text, signal, unit, labels[claim], claim, progress)})
    drawn.figures["lookback"] = draw.lookback(drawn.tables["lookback"])
    place = signal.rpartition("/")[0]
    with TemporaryDirectory() as folder:
        gates = [f"{place}/{name}" for name in ("cell", "forget", "input", "candidate")]
        trace = record(network, text, Path(folder) / "gates", gates, progress=progress)
        frames, spans = [], {}
        for name, width in opened.items():
            spans[name] = _spans(labels[name], text)
            table = openings(trace, signal, unit, spans[name], width=width, most=PLACES, seed=SEED, progress=progress)
            side = best["side"] * (table["state"] - best["threshold"])
            frames.append(_averaged(table.assign(told=(side > 0) | ((side == 0) & (best["side"] > 0))), name))
        drawn.tables["writes"] = pd.concat(frames, ignore_index=True)
        drawn.tables["writes"].insert(0, "unit", f"{signal}[{unit}]")
        drawn.figures["writes"] = draw.openings(drawn.tables["writes"], f"{signal}[{unit}]")
        _one(drawn, trace, signal, unit, spans[next(iter(opened))])
    return drawn


def _far(
    network: Network, text: Corpus, signal: str, unit: int, holds: NDArray[np.float32], claim: str, progress: Progress
) -> pd.DataFrame:
    known = np.arange(middle(len(text)), len(text))
    segment = np.searchsorted(text.bounds, known, side="right") - 1
    known = known[(known - text.bounds[segment] >= BACK - 1) & (text.next_ids(known) >= 0)]
    inside = known[holds[known] > 0]
    frames = []
    asked: list[tuple[str, NDArray[np.int64], str, int | None]] = [
        ("log p of the next symbol", known, "log_prob", None),
        (f"{signal}[{unit}]", known, signal, unit),
        (f"{signal}[{unit}] inside {_words(claim)}", inside, signal, unit),
    ]
    for name, places, target, of in asked:
        some = np.sort(np.random.default_rng(SEED).permutation(places)[:PLACES])
        table = lookback(network, text, some, target, of, back=BACK, progress=progress)
        table.insert(0, "target", name)
        frames.append(table)
    return pd.concat(frames, ignore_index=True)


def _spans(holds: NDArray[np.float32], text: Corpus) -> NDArray[np.int64]:
    """Those of the second half that begin within a segment: what was opened before it, nobody read."""
    spans = spans_of(holds, text.bounds)
    return spans[(spans[:, 0] >= middle(len(text))) & ~np.isin(spans[:, 0], text.bounds)]


def _averaged(table: pd.DataFrame, name: str) -> pd.DataFrame:
    found = by_age(table)
    told = [float(table.loc[table["age"].between(a, b), "told"].mean()) for a, b in zip(found["first"], found["last"], strict=True)]
    found["told"] = told
    found.insert(0, "inside", _words(name))
    return found


def _one(drawn: Drawn, trace: Trace, signal: str, unit: int, spans: NDArray[np.int64]) -> None:
    """The picture of one state: in the shortest span that is long enough, or the longest of all."""
    if not len(spans):
        return
    length = spans[:, 1] - spans[:, 0]
    enough = np.flatnonzero(length > SHOWN)
    opened, stop = spans[enough[length[enough].argmin()] if len(enough) else length.argmax()].tolist()
    place = min(opened + SHOWN, stop - 1)
    table: Any = writes(trace, signal, unit, place, back=place - opened + _MORE)
    state = float(table["part"].sum())
    what = f"{signal}[{unit}]"
    drawn.tables["text"] = table
    drawn.figures["text"] = picture(
        table, "part", trace.corpus.vocabulary.kind, f"{what} at position {place:,}: {state:+.3f}", f"part of {what}"
    )


def _words(claim: str) -> str:
    return {"text": "comments and strings"}.get(claim, f"{claim.replace('_', ' ').removesuffix('s')}s")
