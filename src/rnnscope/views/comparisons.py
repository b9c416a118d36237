"""Figures of comparisons, from the tables of `comparison` and `breakdown`; `canvas` writes them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from numpy.typing import NDArray
from scipy.cluster.hierarchy import dendrogram

from rnnscope.comparison.gains import largest
from rnnscope.comparison.venn import Venn
from rnnscope.views import ticks
from rnnscope.views.canvas import FAINT, THEMED, drawable, legend, named, nothing, themed
from rnnscope.views.palette import BLUE, RED, SERIES

_DASHES: tuple[Any, ...] = ("solid", (0, (4, 2)), (0, (1, 1.5)))
_MOST = 10
_LABEL, _APART = 0.055, 0.5
"""Half of a label's width as a share of the picture's; radians between labels outside."""
_EXACT = 1e-3
"""Of the whole: areas that are nearer to their numbers than this are those numbers, as far as can be seen and measured."""
_RIGHT = "no symbol of this text is got wrong"


def venn(data: Venn) -> Figure:
    """Errors of two or three models, as circles with the shares of all that any of them gets wrong.

    Where areas aren't those shares to a thousandth, as three circles can't always make them, the picture says by how much.
    """
    if not any(data.counts.values()):
        return nothing(_RIGHT)
    figure, [axes] = themed(4.6, 3.2)
    axes.axis("off")
    total = sum(data.counts.values())
    for k, ((x, y, r), name) in enumerate(zip(data.circles, data.names, strict=True)):
        axes.add_patch(Circle((x, y), r, facecolor=SERIES[k], alpha=0.22))
        axes.add_patch(Circle((x, y), r, fill=False, edgecolor=SERIES[k], linewidth=1.6, label=named(name)))
    ends = np.array([(x - r, y - r, x + r, y + r) for x, y, r in data.circles])
    low, high = ends[:, :2].min(axis=0), ends[:, 2:].max(axis=0)
    room, middle = _LABEL * float((high - low).max()), (low + high) / 2
    angles: list[float] = []
    for chosen, place in data.places.items():
        share = data.counts[chosen] / total
        if not place or share < 0.005:
            continue
        label = f"{share:.0%}" if share >= 0.02 else f"{share:.1%}"
        said: Any = {"ha": "center", "va": "center", "color": THEMED, "fontsize": 9}
        if min(abs(float(np.hypot(place[0] - x, place[1] - y)) - r) for x, y, r in data.circles) >= room:
            axes.text(*place, label, **said)
            continue
        outside = _outside(data.circles, place, middle, angles, 1.8 * room)
        axes.annotate(
            label, place, outside, **said, arrowprops={"arrowstyle": "-", "color": THEMED, "linewidth": 0.8, "shrinkB": 0}
        )
        low, high = np.minimum(low, np.subtract(outside, room)), np.maximum(high, np.add(outside, room))
    axes.set_xlim(low[0] - 0.02, high[0] + 0.02)
    axes.set_ylim(low[1] - 0.02, high[1] + 0.02)
    axes.set_aspect("equal")
    note = f"areas are off by up to {100 * data.off:.1f} % of the whole" if data.off >= _EXACT else None
    below = figure.legend(
        *axes.get_legend_handles_labels(), frameon=False, labelcolor=THEMED, fontsize=9, loc="outside lower center", ncols=3,
        title=note, title_fontsize=8,
    )  # fmt: skip
    below.get_title().set_color(THEMED)
    return figure


def _outside(
    circles: Sequence[tuple[float, float, float]], place: tuple[float, float], middle: Any, angles: list[float], away: float
) -> tuple[float, float]:
    """A place for the label of a part that is too small for it: beyond the circles, in a direction that no other label has."""
    angle = float(np.arctan2(place[1] - middle[1], place[0] - middle[0]))
    while any(abs(np.angle(np.exp(1j * (angle - other)))) < _APART for other in angles):
        angle += _APART
    angles.append(angle)
    way = np.array([np.cos(angle), np.sin(angle)])
    steps = np.array(place) + np.linspace(0, 4 * max(r for _, _, r in circles), 400)[:, None] * way
    free = np.min([np.hypot(*(steps - (x, y)).T) - r for x, y, r in circles], axis=0) >= away
    x, y = steps[np.argmax(free)].tolist()
    return x, y


def gains(table: pd.DataFrame, model: str, other: str, *, least: int = 20) -> Figure:
    """The symbols with the largest gains of one model over another, ten each way, with 95 % intervals; `least` counts of each."""
    common = table[table["count"] >= least]
    if not len(common):
        return nothing(f"no symbol came {least} times, too few to say what {model} gains over {other}")
    shown = largest(common)
    if not len(shown):
        return nothing(f"{model} and {other} hold every symbol for equally likely")
    figure, [axes] = themed(5.2, max(1.2, 0.24 * len(shown) + 0.9))
    rows = np.arange(len(shown))[::-1]
    colours = [BLUE if gain > 0 else RED for gain in shown["gain"]]
    errors = np.abs(shown[["low", "high"]].to_numpy().T - shown["gain"].to_numpy())
    axes.barh(rows, shown["gain"], color=colours, height=0.7)
    axes.errorbar(shown["gain"], rows, xerr=np.nan_to_num(errors), fmt="none", ecolor=THEMED, elinewidth=1)
    axes.set_yticks(rows, [_sign(symbol) for symbol in shown["symbol"]], family="DejaVu Sans Mono")
    axes.set_xlabel(f"mean probability: {model} less {other}")
    return figure


def distances(table: pd.DataFrame, pair: str | None = None) -> Figure:
    """Mean probability of the closing symbol by how long it has been open, a line with its 95 % band for each model.

    `pair` is what was looked for, which the table doesn't say where there is none; any pair, if left out.
    """
    if not len(table):
        return nothing(f"no pair of {pair or 'brackets or quotes'} is opened and closed again in this text")
    opening, closing = table["pair"].iloc[0]
    figure, [axes] = themed(5.2, 3.0)
    for k, (name, part) in enumerate(table.groupby("model", sort=False)):
        colour = SERIES[k % len(SERIES)]
        style = _DASHES[k % len(_DASHES)]
        axes.plot(
            part["distance"], part["probability"], color=colour, linestyle=style, linewidth=1.8, marker="o", markersize=3,
            label=named(str(name)),
        )  # fmt: skip
        axes.fill_between(part["distance"], part["low"], part["high"], color=colour, alpha=0.15, linewidth=0)
    axes.set_xlabel(f"symbols since the opening {opening}")
    axes.set_ylabel(f"probability of the closing {closing}")
    axes.set_ylim(0, 1)
    legend(axes)
    return figure


def contexts(table: pd.DataFrame) -> Figure:
    """The rise of the loss by how much of the context is left, a line for each model and what happens to the rest."""
    figure, [axes] = themed(5.6, 3.2)
    ways = list(dict.fromkeys(table["way"]))
    for k, (name, part) in enumerate(table.groupby("model", sort=False)):
        for way, some in part.groupby("way", sort=False):
            style = _DASHES[ways.index(str(way)) % len(_DASHES)]
            axes.plot(
                some["context"], some["rise"], color=SERIES[k % len(SERIES)], linestyle=style, marker="os^D"[k % 4], markersize=3,
                label=named(f"{name}, {way}"),
            )  # fmt: skip
            axes.fill_between(some["context"], some["low"], some["high"], color=SERIES[k % len(SERIES)], alpha=0.08, linewidth=0)
    axes.set_xscale("log")
    ticks.logarithmic(axes.xaxis)
    axes.set_xlabel("symbols of the context that are left as they were")
    axes.set_ylabel("rise of the loss, nats")
    legend(axes)
    return figure


def model_map(places: pd.DataFrame) -> Figure:
    """Models on a plane, near where they agree, as the paper draws them.

    `places` has `model`, `x`, `y` and, where they are known, `kind` (the colour), `layers` (the marker) and `size` (the area);
    what has no layers or no size (0) is a small circle.
    """
    known: dict[str, Any] = {"kind": "", "layers": 0, "size": 0}
    places = places.assign(**{name: places.get(name, default) for name, default in known.items()})
    figure, [axes] = themed(*((4.8, 3.8) if len(places) <= _MOST else (6.4, 5.2)))
    kinds = list(dict.fromkeys(places["kind"]))
    largest = max(places["size"].max(), 1)
    for k, kind in enumerate(kinds):
        for layers in places.loc[places["kind"] == kind, "layers"].unique().tolist():
            part = places[(places["kind"] == kind) & (places["layers"] == layers)]
            areas = 32 + 160 * part["size"] / largest
            axes.scatter(
                part["x"],
                part["y"],
                s=areas,
                color=SERIES[k % len(SERIES)],
                marker="oos^D"[min(layers, 4)],
                alpha=0.8,
                linewidths=0,
            )
    for name, x, y in zip(places["model"].tolist(), places["x"].tolist(), places["y"].tolist(), strict=True):
        axes.annotate(name, (x, y), xytext=(6, 4), textcoords="offset points", fontsize=8, color=THEMED)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.margins(0.18)
    if len(kinds) > 1:
        for k, kind in enumerate(kinds):
            axes.scatter([], [], s=40, color=SERIES[k % len(SERIES)], marker="o", label=named(str(kind)))
        legend(axes)
    return figure


def model_tree(linkage: NDArray[np.float64], names: Sequence[str]) -> Figure:
    """The tree of models by `agreement.tree`: branches meet at the mean share of symbols on which their models disagree."""
    found = dendrogram(linkage, labels=[name.replace("$", r"\$") for name in names], orientation="left", no_plot=True)
    figure, [axes] = themed(4.8, max(1.4, 0.26 * len(names) + 0.8))
    for places, shares in zip(found["icoord"], found["dcoord"], strict=True):
        axes.plot(shares, places, color=BLUE, linewidth=1.6)
    axes.set_yticks(5 + 10 * np.arange(len(names)), found["ivl"])
    axes.yaxis.tick_right()
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.set_xlim(max(float(linkage[:, 2].max()), 1e-6) * 1.05, 0)
    axes.set_xlabel("share of the symbols on which they disagree")
    return figure


def waterfall(categories: pd.DataFrame) -> Figure:
    """The share of a model's errors that each category takes away, one after the other."""
    if not categories["errors"].any():
        return nothing(_RIGHT)
    figure, [axes] = themed(5.6, 2.8)
    left = 1.0
    for k, share in enumerate(categories["share"].tolist()):
        axes.bar(k, share, bottom=left - share, color=SERIES[k % len(SERIES)], width=0.72)
        axes.text(k, left + 0.015, f"{share:.0%}", ha="center", va="bottom", fontsize=9, color=THEMED)
        if k:
            axes.plot([k - 0.64, k - 0.36], [left, left], color=FAINT, linewidth=1)
        left -= share
    axes.set_xticks(range(len(categories)), [str(name).replace(" ", "\n") for name in categories["category"]])
    axes.set_ylabel("share of the errors")
    axes.set_ylim(0, 1.1)
    return figure


def pie(breakdowns: Sequence[tuple[str, pd.DataFrame]]) -> Figure:
    """The errors of one or several models by category, as the paper draws them; each with its table of categories."""
    figure, panels = themed(3.4 * len(breakdowns), 3.2, len(breakdowns))
    for (name, categories), axes in zip(breakdowns, panels, strict=True):
        some = categories[categories["errors"] > 0]
        axes.set_title(name, fontsize=10, color=THEMED)
        if not len(some):
            axes.axis("off")
            axes.text(0.5, 0.5, _RIGHT, ha="center", va="center", fontsize=8, color=THEMED, transform=axes.transAxes)
            continue
        colours = [SERIES[k % len(SERIES)] for k in some.index]
        labels = [f"{category} {share:.0%}" for category, share in zip(some["category"], some["share"], strict=True)]
        axes.pie(
            some["errors"], labels=labels, colors=colours, startangle=90, counterclock=False,
            textprops={"fontsize": 8, "color": THEMED}, wedgeprops={"alpha": 0.75, "linewidth": 1, "edgecolor": "white"},
        )  # fmt: skip
    return figure


def _sign(symbol: str) -> str:
    """A symbol as a label of an axis: something to see for each."""
    return "␣" if symbol == " " else drawable(symbol)


def gained(table: pd.DataFrame, worse: str, better: str) -> Figure:
    """By category how many errors fewer one of two models makes than the other; below the line are those it makes more of.

    The columns beside `category`, `gained` and `share` are the errors of each, whatever they are called.
    """
    if not table.drop(columns=["category", "gained", "share"], errors="ignore").any(axis=None):
        return nothing(_RIGHT)
    figure, [axes] = themed(5.6, 2.8)
    for k, count in enumerate(table["gained"].tolist()):
        axes.bar(k, count, color=BLUE if count >= 0 else RED, width=0.72)
        axes.annotate(
            f"{count:+,}" if count else "0", (k, count), xytext=(0, 3 if count >= 0 else -3), textcoords="offset points",
            ha="center", va="bottom" if count >= 0 else "top", fontsize=9, color=THEMED,
        )  # fmt: skip
    axes.axhline(0, color=THEMED, linewidth=1)
    axes.set_xticks(range(len(table)), [str(name).replace(" ", "\n") for name in table["category"]])
    axes.set_ylabel(f"errors of {worse}\nless those of {better}")
    axes.margins(y=0.15)
    return figure
