"""What share of all units can be read, by how strictly one asks."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

THRESHOLDS = (0.7, 0.8, 0.9, 0.95, 0.99)


def interpretable(tables: Mapping[str, pd.DataFrame], thresholds: Sequence[float] = THRESHOLDS) -> pd.DataFrame:
    """Which share of the units tells some yes-or-no claim, from tables of `score`, the first of which knows the last symbol's scores.

    For each unit the claim is chosen that it tells best on the first half of the text, among those that the last symbol alone
    tells worse; it counts where its AUROC on the second half is at least the threshold. A row for each table and threshold: `network`,
    `threshold`, `units`, `share`, and `last_symbol`, the share where claims about the last symbol count, too.
    """
    first = next(iter(tables.values()))
    alone = {claim["hypothesis"]: claim["last_symbol"] for claim in first.attrs["claims"]}
    rows = []
    for name, table in tables.items():
        binary = table[table["kind"] == "binary"]
        beats = binary[binary["auroc_selection"] > binary["hypothesis"].map(alone)]
        units = len(table[["signal", "unit"]].drop_duplicates())
        scores = [_best(part)["auroc"].to_numpy() for part in (beats, binary)]
        for threshold in thresholds:
            own, any_ = (float(np.sum(score >= threshold) / units) for score in scores)
            rows.append((name, threshold, units, own, any_))
    return pd.DataFrame(rows, columns=["network", "threshold", "units", "share", "last_symbol"])


def _best(table: pd.DataFrame) -> pd.DataFrame:
    """The row of each unit that is best on the first half."""
    return table.sort_values("auroc_selection", ascending=False, kind="stable").groupby(["signal", "unit"]).head(1)
