"""Which of the best units are findings.

A unit tells a claim if it does so better than chance (labels shifted round the text, the best of all units each time), better
than the last symbol alone, and better than the best units of the same network before it was trained. Each of the three gives a
p-value, and the largest of them counts: all three have to be ruled out (an intersection–union test, Berger 1982). Over the claims
the false discovery rate is held by Benjamini and Hochberg's procedure. What is sure can still be weak: a finding is strong, too.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy.special
from numpy.typing import NDArray

from rnnscope.analysis.chance import benjamini_hochberg
from rnnscope.analysis.scoring import MEASURES
from rnnscope.exceptions import expect_table

RATE = 0.05
"""The false discovery rate."""
STRONG = {"binary": 0.95, "graded": 0.8, "categorical": 0.5}
"""The AUROC, rank correlation or share of information from which on a unit is called strong."""
_SURE = 1e-4  # from AUROC 1 and correlation 1, which no transform reaches
_LEAST = 0.05  # by how much untrained networks differ at least, in logits

COLUMNS = (
    "hypothesis", "kind", "signal", "unit", "polarity", "measure", "score", "low", "high", "f1", "lag", "dwell", "untrained",
    "last_symbol", "rotated", "probe", "selectivity", "share", "p_value", "p_last_symbol", "p_untrained", "q_value",
    "significant", "finding",
)  # fmt: skip


def best_units(table: pd.DataFrame, untrained: pd.DataFrame | Sequence[pd.DataFrame] = ()) -> pd.DataFrame:
    """One row for each hypothesis: the unit that was chosen on the first half, with its `score` on the second.

    `table` is what `score` returned, `untrained` the tables of the same network with first weights, one for each draw of them; for
    p-values at least three. `measure` says what the score is: `auroc` (½ is chance), `correlation` or `information` (0 is chance);
    `low` and `high` are its 95 % interval. Beside it what else tells the claim: `untrained` (the best of the untrained networks'
    best units), `last_symbol`, `rotated`, `probe` with its `selectivity`; `share` is how much of what the probe tells above chance
    the unit tells alone. `p_value` is against chance, the best of all units; `q_value` is the false discovery rate at which the
    unit beats chance, the last symbol and the untrained networks. `significant` is one of at most 0.05, and a `finding` is that
    and strong. Sorted by kind and score.
    """
    expect_table(table, ("hypothesis", "kind", "signal", "unit"), "rs.score")
    controls = [untrained] if isinstance(untrained, pd.DataFrame) else list(untrained)
    best = table.groupby("hypothesis", sort=False).head(1).copy()
    best["measure"] = best["kind"].map(MEASURES)
    best["score"] = _scores(best)
    claims = pd.DataFrame(table.attrs["claims"]).set_index("hypothesis") if len(best) else pd.DataFrame()
    for name in ("low", "high", "last_symbol", "p_last_symbol", "rotated", "probe", "selectivity"):
        best[name] = best["hypothesis"].map(claims[name]) if name in claims else np.nan
    chance = np.where(best["kind"] == "binary", 0.5, 0.0)
    best["share"] = ((best["score"] - chance) / (best["probe"] - chance)).where(best["probe"] > chance)
    draws = [_scores(c.groupby("hypothesis", sort=False).head(1)).to_numpy() for c in controls]
    names = [c.groupby("hypothesis", sort=False).head(1)["hypothesis"].to_numpy() for c in controls]
    known = [best["hypothesis"].map(dict(zip(n, d, strict=True))).to_numpy(float) for n, d in zip(names, draws, strict=True)]
    best["untrained"] = np.max(known, axis=0) if known else np.nan
    best["p_untrained"] = (
        _p_untrained(best["score"].to_numpy(), np.array(known), best["kind"].to_numpy()) if len(known) >= 3 else np.nan
    )
    largest = best[["p_value", "p_last_symbol", "p_untrained"]].max(axis=1)
    best["q_value"] = benjamini_hochberg(largest.to_numpy(float))
    strong = best["score"] >= best["kind"].map(STRONG)
    beaten = best[["untrained", "last_symbol"]].max(axis=1)
    best["significant"] = (best["q_value"] <= RATE) & (beaten.isna() | (best["score"] > beaten))
    best["finding"] = best["significant"] & strong
    best = best.sort_values(["kind", "score"], ascending=[True, False], kind="stable")
    return best[list(COLUMNS)].reset_index(drop=True)


def _scores(best: pd.DataFrame) -> "pd.Series[float]":
    found = pd.Series(np.nan, index=best.index)
    for kind, measure in MEASURES.items():
        found = found.where(best["kind"] != kind, best[measure])
    return found


def _p_untrained(score: NDArray[np.float64], draws: NDArray[np.float64], kinds: NDArray[np.object_]) -> NDArray[np.float64]:
    """How likely one more untrained network has a best unit as good, from the best units of several, (draws, claims).

    On a scale on which scores are nearly normal (logits; Fisher's z of correlations), by Student's t of one more draw.
    """
    graded = np.isin(kinds, ["graded"])

    def scale(values: NDArray[np.float64]) -> NDArray[np.float64]:
        share = np.clip(np.where(graded, (1 + values) / 2, values), _SURE, 1 - _SURE)
        logits: NDArray[np.float64] = np.log(share / (1 - share))
        return logits

    known = scale(draws)
    count = len(known)
    deviation = np.maximum(known.std(axis=0, ddof=1), _LEAST)
    t = (scale(score) - known.mean(axis=0)) / (deviation * np.sqrt(1 + 1 / count))
    p: NDArray[np.float64] = scipy.special.stdtr(count - 1, -t)
    return p
