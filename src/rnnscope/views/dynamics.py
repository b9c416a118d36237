"""Figures of training dynamics, from the tables of `comparison.dynamics` and `findings.emergence`; `canvas` writes them."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnscope.views import ticks
from rnnscope.views.canvas import THEMED, named, nothing, themed
from rnnscope.views.palette import SERIES

_MARKERS = "os^DvPX<>*"
_DASHES: tuple[Any, ...] = ("solid", (0, (4, 1.5)), (0, (1, 1.5)))
_SPACED = 14  # markers on a line, at most: lines are told apart by them where colours aren't seen


def divergence(table: pd.DataFrame) -> Figure:
    """The symmetric divergence from each reference over the epochs, a line for each; the least of each is marked."""
    if not np.isfinite(table["kl"]).any():
        return nothing("the divergence from every reference is infinite: each rules out what the network holds for possible")
    figure, [axes] = themed(5.6, 3.6)
    for name, part, style in _lines(table, "reference"):
        epochs, kl = part["epochs"].to_numpy(float), part["kl"].to_numpy(float)
        axes.plot(epochs, kl, label=_told(name, kl), **style)
        if np.isfinite(kl).any():
            least = int(kl.argmin())
            axes.plot(epochs[least], kl[least], linestyle="none", marker="o", markersize=9, fillstyle="none", color=style["color"])
    axes.plot([], [], linestyle="none", marker="o", markersize=9, fillstyle="none", color=THEMED, label="where it was nearest")
    _over_epochs(axes, table["epochs"])
    axes.set_ylabel("symmetric KL divergence, nats")
    if (np.isfinite(table["kl"]) & (table["kl"] > 0)).any():
        axes.set_yscale("log")
        ticks.logarithmic(axes.yaxis, within=True)
    _beside(axes)
    return figure


def differences(table: pd.DataFrame) -> Figure:
    """The network's loss less each reference's over the epochs, a line for each; below 0 the network is the better one."""
    if not np.isfinite(table["difference"]).any():
        return nothing("no difference of losses is a number: every reference rules out what this text holds")
    figure, [axes] = themed(5.6, 3.6)
    for name, part, style in _lines(table, "reference"):
        axes.plot(part["epochs"], part["difference"], label=_told(name, part["difference"]), **style)
    axes.axhline(0, color=THEMED, linewidth=1)
    _over_epochs(axes, table["epochs"])
    axes.set_ylabel("loss less the reference’s, nats")
    _beside(axes)
    return figure


def units(table: pd.DataFrame) -> Figure:
    """The scores of units over the epochs, a panel for each measure, a line for each hypothesis."""
    measures = list(dict.fromkeys(table["measure"]))
    if not measures:
        return nothing("none of the units' claims can be tested on this text")
    figure, panels = themed(5.6 * len(measures), 3.6, len(measures))
    words = {"auroc": "AUROC", "correlation": "rank correlation", "information": "share of the information"}
    for measure, axes in zip(measures, panels, strict=True):
        some = table[table["measure"] == measure]
        twice = some.groupby("hypothesis")["unit"].nunique().max() > 1
        names = some["hypothesis"] + (" " + some["signal"] + "[" + some["unit"].astype(str) + "]" if twice else "")
        for name, part, style in _lines(some.assign(line=names), "line"):
            axes.plot(part["epochs"], part["score"], label=named(name), **style)
        _over_epochs(axes, some["epochs"])
        axes.set_ylabel(words.get(measure, measure))
        _beside(axes)
    return figure


def _lines(table: pd.DataFrame, by: str) -> list[tuple[str, pd.DataFrame, dict[str, Any]]]:
    """A part of the table for each value of a column, in the order of the training, and how its line is drawn."""
    found = []
    for k, (name, part) in enumerate(table.groupby(by, sort=False)):
        part = part.sort_values("update")
        style = {
            "color": SERIES[k % len(SERIES)], "linestyle": _DASHES[k // len(SERIES) % len(_DASHES)], "linewidth": 1.5,
            "marker": _MARKERS[k % len(_MARKERS)], "markersize": 3.5, "markevery": max(1, len(part) // _SPACED),
        }  # fmt: skip
        found.append((str(name), part, style))
    return found


def _told(name: str, values: Any) -> str:
    """A line's label; one without any number on it isn't seen."""
    return named(name if np.isfinite(values).any() else f"{name} (infinite)")


def _over_epochs(axes: Axes, epochs: "pd.Series[float]") -> None:
    """A logarithmic axis that has a place for 0: the stretch up to the first snapshot that isn't at 0 is linear."""
    after = epochs[epochs > 0]
    if len(after):
        axes.set_xscale("symlog", linthresh=float(after.min()), linscale=0.4)
        last = float(after.max())
        ticks.placed(axes.xaxis, [0.0, *(v for v in 10.0 ** np.arange(-4, 5) if after.min() <= v < 0.8 * last), last])
        axes.set_xlim(-0.2 * float(after.min()), last * 1.08)
    axes.set_xlabel("epochs")


def _beside(axes: Axes) -> None:
    """The legend to the right of the axes, where it hides no line."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, labelcolor=THEMED, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=3)
