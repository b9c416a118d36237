"""Figure 2: text coloured by cells that can be read, and by one that can't. The units are found by their scores, not given."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

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
    labels = label(shown, trace.corpus, trace)
    found: list[tuple[tuple[object, ...], Stretch]] = []
    for claim in shown:
        of_claim = table[table["hypothesis"] == claim.name]
        if len(of_claim):  # a text may have none of it
            best = of_claim.iloc[0]
            measure = "auroc" if claim.kind == "binary" else "correlation"
            row = (
                best["signal"],
                int(best["unit"]),
                claim.name,
                claim.sentence,
                measure,
                abs(best[measure]),
                int(best["polarity"]),
            )
            piece = stretch(trace, row[0], row[1], labels[claim.name], binary=claim.kind == "binary", length=_LENGTH)
            found.append((row, piece))
    binary = table[table["auroc"].notna()]
    least = binary.loc[binary.groupby(["signal", "unit"])["auroc_selection"].idxmax()].sort_values("auroc_selection").iloc[0]
    piece = stretch(trace, least["signal"], int(least["unit"]), labels[shown[0].name], binary=False, length=_LENGTH)
    sentence = f"nothing that we ask for; of all claims {least['hypothesis']} is told best"
    found.append(((least["signal"], int(least["unit"]), "", sentence, "auroc", least["auroc"], 0), piece))
    cells = pd.DataFrame([row for row, _ in found], columns=list(CELLS))
    words = {"auroc": "AUROC", "correlation": "rank correlation"}
    pictures = [
        (row[3].removeprefix("whether ").partition(", ")[0], f"{row[0]}[{row[1]}]   {words[row[4]]} {row[5]:.3f}", piece)  # type: ignore[attr-defined,index]
        for row, piece in found
    ]
    symbols = [_symbols(trace.corpus, k, piece) for k, (_, piece) in enumerate(found)]
    return Drawn({"cells": cells, "text": pd.concat(symbols, ignore_index=True)}, {"cells": units_picture(pictures, lines=14)})


def _symbols(corpus: Corpus, cell: int, piece: Stretch) -> pd.DataFrame:
    positions = np.arange(piece.start, piece.start + len(piece.text))
    symbols = list(corpus.to_str(piece.start, piece.start + len(piece.text)))
    holds = pd.array([None] * len(symbols) if piece.marks is None else piece.marks, dtype="boolean")
    return pd.DataFrame({"cell": cell, "position": positions, "symbol": symbols, "value": piece.values, "holds": holds})
