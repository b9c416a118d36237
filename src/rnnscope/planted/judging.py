"""How good a ranking of units is, given the truth."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from rnnscope.exceptions import InputError
from rnnscope.planted.networks import HYPOTHESES
from rnnscope.planted.tasks import Truth

RANKING = ("hypothesis", "network", "signal", "unit", "score")
"""What a ranking has to have: a row for each unit, signal and hypothesis; the higher the score, the better."""
COLUMNS = ("network", "cell", "seed", "task", "hypothesis", "kind", "unit", "polarity", "rank", "score", "found")


def judge(ranking: pd.DataFrame, truths: Sequence[Truth]) -> pd.DataFrame:
    """Judge a ranking with the columns of `RANKING` and, if the method claims anything, a boolean `finding`.

    Returns a row for each planted unit and hypothesis: its `rank`, 1 where no unit that isn't planted for the hypothesis has as
    high a score, its score (the highest over the signals), and whether it was `found`, that is, ranked first. Helpers don't
    count as rivals: some of them tell a hypothesis, too. A unit that the ranking lacks has no rank. Tasks in which there is nothing
    to be found have a row for each hypothesis with the unit that scores highest; there `found` is a false finding.

    Raises `InputError` for a ranking that lacks a column, or names a network, hypothesis or unit that isn't there.
    """
    ranking = _checked(ranking, truths)
    rows = []
    for truth in truths:
        for name in HYPOTHESES:
            rows += _rows(truth, name, ranking[(ranking["network"] == truth.network) & (ranking["hypothesis"] == name)])
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"unit": "Int64", "polarity": "Int64", "rank": "Int64"})


def _rows(truth: Truth, name: str, ranking: pd.DataFrame) -> list[dict[str, Any]]:
    known: dict[str, Any] = {
        "network": truth.network, "cell": truth.cell, "seed": truth.seed, "task": truth.task, "hypothesis": name,
    }  # fmt: skip
    scores: dict[Any, float] = ranking.groupby("unit")["score"].max().to_dict()
    planted = [p for p in truth.planted if p.hypothesis == name]
    rivals = {unit: score for unit, score in scores.items() if unit not in {*truth.helpers, *(p.unit for p in planted)}}
    if truth.task != "planted":
        best = max(rivals, key=rivals.__getitem__, default=None)
        score = np.nan if best is None else rivals[best]
        return [known | {"unit": best, "score": score, "found": bool(ranking["finding"].any())}]
    rows = []
    for p in planted:
        score = scores.get(p.unit, np.nan)
        rank = 1 + sum(rival >= score for rival in rivals.values()) if p.unit in scores else None
        rows.append(
            known | {"kind": p.kind, "unit": p.unit, "polarity": p.polarity, "rank": rank, "score": score, "found": rank == 1}
        )
    return rows


def _checked(ranking: pd.DataFrame, truths: Sequence[Truth]) -> pd.DataFrame:
    if lacking := [name for name in RANKING if name not in ranking]:
        raise InputError(f"the ranking has no column {', '.join(lacking)}; expected {', '.join(RANKING)}")
    sizes = {truth.network: truth.units for truth in truths}
    for column, known in (("network", list(sizes)), ("hypothesis", list(HYPOTHESES))):
        if strange := sorted({str(v) for v in ranking[column]} - set(known)):
            raise InputError(
                f"the ranking names the {column} {strange[0]!r}, which isn't there; expected one of {', '.join(known)}"
            )
    signals = {truth.network: truth.signals for truth in truths}
    for network, name in ranking[["network", "signal"]].drop_duplicates().itertuples(index=False):
        if name not in signals[network]:
            raise InputError(
                f"the ranking names the signal {str(name)!r} of {network}, which isn't there; "
                f"expected one of {', '.join(signals[network])}"
            )
    found = ranking.assign(finding=_claimed(ranking["finding"]) if "finding" in ranking else False)
    number = pd.to_numeric(found["score"], errors="coerce")
    if (wrong := found["score"][number.isna() & found["score"].notna()]).size:
        raise InputError(
            f"the ranking has the score {wrong.iloc[0]!r}, which is no number; expected numbers, the higher the better"
        )
    unit = pd.to_numeric(found["unit"], errors="coerce")
    absent = ~(unit.ge(0) & unit.lt(found["network"].map(sizes)) & unit.mod(1).eq(0))
    if absent.any():
        raise InputError(
            f"the ranking names the unit {found['unit'][absent].iloc[0]}, which isn't there; "
            "expected whole numbers from 0 to below the number of the network's units"
        )
    return found.assign(score=number, unit=unit.astype(int)).dropna(subset="score")


def _claimed(finding: "pd.Series[Any]") -> "pd.Series[bool]":
    """True and false in any of the ways that a CSV file has them; nothing is false."""
    said = finding.fillna(False).astype(str).str.strip().str.lower()
    known = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False, "": False}
    if (strange := said[~said.isin(list(known))]).size:
        raise InputError(f"the ranking has the finding {strange.iloc[0]!r}; expected true or false, 1 or 0, or nothing")
    return said.map(known).astype(bool)
