"""What share of all units can be read, by how strictly one asks."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

THRESHOLDS = (0.7, 0.8, 0.9, 0.95, 0.99)


def interpretable(
    tables: Mapping[str, pd.DataFrame], claims: Iterable[str], thresholds: Sequence[float] = THRESHOLDS
) -> pd.DataFrame:
    """Which share of the units tells some yes-or-no claim, from the tables of `score` of several networks on one text.

    `claims` are those that count: the significant ones of `best_units`, or else every claim about the last symbol makes any unit
    readable. For each unit the claim is chosen that it tells best on the first half; the unit counts where its AUROC on the second
    is at least the threshold. A row for each network and threshold: `network`, `threshold`, `units`, `share`.
    """
    wanted, rows = list(claims), []
    for name, table in tables.items():
        units = len(table[["signal", "unit"]].drop_duplicates())
        known = table[(table["kind"] == "binary") & table["hypothesis"].isin(wanted)]
        known = known.sort_values("auroc_selection", ascending=False, kind="stable").groupby(["signal", "unit"]).head(1)
        rows += [(name, t, units, float((known["auroc"] >= t).sum()) / max(units, 1)) for t in thresholds]
    return pd.DataFrame(rows, columns=["network", "threshold", "units", "share"])
