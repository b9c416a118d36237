"""How far back a network looks, and what a unit's state is made of, on average: pictures of `lookback` and `by_age`."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rnnscope.analysis.openings import SOON
from rnnscope.views.canvas import THEMED, legend, themed
from rnnscope.views.palette import SERIES

_STYLES: tuple[tuple[str, Any], ...] = (
    ("o", "solid"),
    ("s", (0, (4, 2))),
    ("^", (0, (1, 1.5))),
    ("D", (0, (5, 1, 1, 1))),
    ("v", (0, (8, 2))),
)
_PARTS = {
    "state": "the state",
    "opening": "of the opening",
    "soon": f"of the next {SOON}",
    "since": "written since",
    "before": "from before",
}


def lookback(table: pd.DataFrame) -> Figure:
    """Shares by distance with their 95 % bands, a line for each `target` of the table."""
    figure, [axes] = themed(5.6, 3.2)
    for k, (name, part) in enumerate(table.groupby("target", sort=False)):
        marker, dashes = _STYLES[k % len(_STYLES)]
        colour, at = SERIES[k % len(SERIES)], range(len(part))
        axes.plot(at, part["share"], color=colour, marker=marker, markersize=4, linestyle=dashes, linewidth=1.8, label=str(name))
        axes.fill_between(at, part["low"], part["high"], color=colour, alpha=0.15, linewidth=0)
    bins = table.drop_duplicates("first")
    axes.set_xticks(range(len(bins)), _bins(bins))
    axes.set_xlabel("symbols back, 1 the last one read")
    axes.set_ylabel("share of |gradient × input|")
    axes.set_ylim(bottom=0)
    figure.legend(*axes.get_legend_handles_labels(), frameon=False, labelcolor=THEMED, fontsize=9, loc="outside upper center")
    return figure


def openings(table: pd.DataFrame, unit: str) -> Figure:
    """The mean state and its parts by how long ago something was opened, a panel for each `inside` of the table."""
    names = list(dict.fromkeys(table["inside"]))
    figure, panels = themed(5.8 * len(names), 3.4, len(names))
    for name, axes in zip(names, panels, strict=True):
        part = table[table["inside"] == name]
        for k, (column, label) in enumerate(_PARTS.items()):
            marker, dashes = _STYLES[k]
            axes.plot(
                range(len(part)), part[column], color=SERIES[k], marker=marker, markersize=4, linestyle=dashes, linewidth=1.8,
                label=label,
            )  # fmt: skip
        axes.fill_between(
            range(len(part)), part["low"], part["high"], color=SERIES[list(_PARTS).index("since")], alpha=0.15, linewidth=0
        )
        axes.axhline(0, color=THEMED, linewidth=0.8)
        axes.set_xticks(range(len(part)), _bins(part), fontsize=8)
        axes.set_title(str(name), fontsize=10, color=THEMED)
        axes.set_xlabel("symbols since it was opened")
        axes.set_ylabel(f"mean of {unit}")
    legend(panels[0])
    return figure


def _bins(table: pd.DataFrame) -> list[str]:
    """Bins as labels of an axis."""
    ends = table[["first", "last"]].to_numpy(int).tolist()
    return [f"{a}" if a == b else f"{a}–{b}" for a, b in ends]
