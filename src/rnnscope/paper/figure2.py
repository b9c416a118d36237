"""Figure 2: text coloured by cells that can be read, and by one that can't. The units are found by their scores, not given."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnnscope.analysis import Hypothesis, score
from rnnscope.analysis.hypotheses.base import label
from rnnscope.analysis.hypotheses.catalogue import hypotheses
from rnnscope.analysis.hypotheses.own import hypothesis
from rnnscope.corpora import Corpus
from rnnscope.models import Network
from rnnscope.progress import Progress
from rnnscope.recording import record
from rnnscope.traces import Trace
from rnnscope.views.drawn import Drawn
from rnnscope.views.figures import units_picture
from rnnscope.views.stretch import Stretch, stretch

PROSE = ("column", "double_quotes")
PROGRAM = ("condition", "text", "curly_depth", "closing_before_newline")
"""What the paper's cells keep track of; the seventh can't be read."""
CELLS = ("signal", "unit", "claim", "sentence", "measure", "score", "polarity")
_LENGTH = 480


def figure2(network: Network, text: Corpus, progress: Progress) -> Drawn:
    """For each of the paper's claims the cell that tells it best, chosen on the first half of the text and shown in the second;
    then the cell that the best of all claims is told by least.

    Tables: `cells`, a row for each, its `score` on the second half; `text`, a row for each symbol that is shown: its `cell` (a row
    of the first), `position`, `symbol`, `value` (tanh of the cell) and whether the claim `holds` there (nothing where it is no
    yes-or-no claim).
    """
    ours = hypothesis("closing_before_newline", pattern=r"\)(?=\r?\n)", sentence="whether a closing bracket ends the line")
    claims = {h.name: h for h in [*hypotheses(), ours] if h.applies_to(text.language)}
    shown = [claims[name] for name in (PROGRAM if text.language else PROSE)]
    with TemporaryDirectory() as folder:
        trace = record(network, text, Path(folder) / "trace", ["layer*/cell", "log_prob", "entropy"], progress=progress)
        table = score(trace, list(claims.values()), "cell", chance=False, controls=False, progress=progress)
        return _drawn(trace, table, shown)


def _drawn(trace: Trace, table: pd.DataFrame, shown: list[Hypothesis]) -> Drawn:
    labels, cells = label(shown, trace.corpus, trace), []
    for claim in shown:
        of_claim = table[table["hypothesis"] == claim.name]
        if len(of_claim):  # a text may have none of it
            cells.append(_cell(trace, of_claim.iloc[0], claim, labels[claim.name]))
    cells.append(_unread(trace, table, labels[shown[0].name]))
    words = {"auroc": "AUROC", "correlation": "rank correlation"}
    pictures = [
        (cell.sentence.partition(", ")[0], f"{cell.signal}[{cell.unit}]   {words[cell.measure]} {cell.score:.3f}", cell.piece)
        for cell in cells
    ]
    symbols = pd.concat([_symbols(trace.corpus, k, cell.piece) for k, cell in enumerate(cells)], ignore_index=True)
    rows = pd.DataFrame([{name: getattr(cell, name) for name in CELLS} for cell in cells], columns=list(CELLS))
    return Drawn({"cells": rows, "text": symbols}, {"cells": units_picture(pictures, lines=14)})


@dataclass(frozen=True)
class _Cell:
    signal: str
    unit: int
    claim: str
    sentence: str
    measure: str
    score: float
    polarity: int
    piece: Stretch


def _cell(trace: Trace, best: Any, claim: Hypothesis, labels: NDArray[np.float32]) -> _Cell:
    binary = claim.kind == "binary"
    measure, unit = "auroc" if binary else "correlation", int(best["unit"])
    piece = stretch(trace, best["signal"], unit, labels, binary=binary, length=_LENGTH)
    sentence = claim.sentence.removeprefix("whether ")
    return _Cell(best["signal"], unit, claim.name, sentence, measure, abs(best[measure]), int(best["polarity"]), piece)


def _unread(trace: Trace, table: pd.DataFrame, labels: NDArray[np.float32]) -> _Cell:
    """The cell whose best score on any yes-or-no claim is the least, on the stretch that the labels choose."""
    binary = table[table["auroc"].notna()]
    best = binary.loc[binary.groupby(["signal", "unit"])["auroc_selection"].idxmax()]
    least = best.sort_values("auroc_selection", kind="stable").iloc[0]
    piece = stretch(trace, least["signal"], int(least["unit"]), labels, binary=False, length=_LENGTH)
    sentence = f"nothing that we ask for; of all claims {least['hypothesis']} is told best"
    return _Cell(least["signal"], int(least["unit"]), "", sentence, "auroc", float(least["auroc"]), 0, piece)


def _symbols(corpus: Corpus, cell: int, piece: Stretch) -> pd.DataFrame:
    positions = np.arange(piece.start, piece.start + len(piece.text))
    symbols = list(corpus.to_str(piece.start, piece.start + len(piece.text)))
    holds = pd.array([None] * len(symbols) if piece.marks is None else piece.marks, dtype="boolean")
    return pd.DataFrame({"cell": cell, "position": positions, "symbol": symbols, "value": piece.values, "holds": holds})
