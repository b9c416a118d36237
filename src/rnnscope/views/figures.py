"""Figures: SVG that follows the page's colours, and pictures that stand alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rnnscope.views import ticks
from rnnscope.views.canvas import FAINT, THEMED, drawable, legend, named, themed, written
from rnnscope.views.palette import INK, PAPER, SERIES, blend
from rnnscope.views.stretch import Stretch

ADVANCE = 0.602  # of DejaVu Sans Mono, in em
LINE = 1.5  # in em
_DASHES: tuple[Any, ...] = ("solid", (0, (4, 2)), (0, (1, 1.5)))
_KINDS = {"dead": "X", "latch": "s", "counter": "^"}
Rows = list[tuple[str, Any, Any]]
"""Lines of text: characters, each one's value from −1 to 1, and whether it is underlined."""


def learning_curve(history: Sequence[dict[str, Any]]) -> Figure:
    """Training and validation loss after every epoch."""
    figure, [axes] = themed(6.4, 3.2)
    epochs = [entry["epoch"] for entry in history]
    for k, (name, title) in enumerate((("train_nats", "training"), ("validation_nats", "validation"))):
        losses = [entry[name] for entry in history]
        axes.plot(epochs, losses, color=SERIES[k], marker="o", markersize=3.5, linewidth=1.8, label=title)
    axes.set_xlabel("epoch")
    axes.set_ylabel("nats per symbol")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend(axes)
    return figure


def value_histogram(histogram: dict[str, Any]) -> str:
    """How a unit's values lie for each group of labels; `histogram` is a card's, as JSON."""
    figure, [axes] = themed(4.2, 2.3)
    edges = np.array(histogram["edges"])
    for k, (name, shares) in enumerate(histogram["shares"].items()):
        axes.stairs(shares, edges, color=SERIES[k % len(SERIES)], linewidth=1.6, label=named(name))
        axes.stairs(shares, edges, color=SERIES[k % len(SERIES)], alpha=0.15, fill=True)
    axes.set_xlabel("value of the unit")
    axes.set_ylabel("share of the symbols")
    legend(axes)
    return written(figure)


def around_event(event: dict[str, Any]) -> str:
    """A unit's mean around an event with the band in which 80 % of its values lie; `event` is a card's, as JSON."""
    figure, [axes] = themed(4.2, 2.3)
    axes.fill_between(event["at"], event["low"], event["high"], color=SERIES[0], alpha=0.18, linewidth=0)
    axes.plot(event["at"], event["mean"], color=SERIES[0], linewidth=1.8)
    axes.axvline(0, color=THEMED, linewidth=1, linestyle=(0, (3, 3)))
    axes.set_xlabel("symbols after the event")
    axes.set_ylabel("value of the unit")
    return written(figure)


def saturation_scatter(table: pd.DataFrame) -> Figure:
    """One panel per gate: a circle per unit at (fraction right-saturated, fraction left-saturated), coloured by layer."""
    gates = list(dict.fromkeys(table["gate"]))
    figure, panels = themed(3.1 * len(gates), 3.7, len(gates))
    for gate, axes in zip(gates, panels, strict=True):
        axes.plot([0, 1], [1, 0], color=FAINT, linewidth=1)
        for layer, part in table[table["gate"] == gate].groupby("layer"):
            axes.scatter(
                part["right"], part["left"], s=22, facecolors="none", edgecolors=SERIES[int(layer) % len(SERIES)],
                marker="os^D"[int(layer) % 4], linewidths=1.1, label=f"layer {layer}",
            )  # fmt: skip
        axes.set_title(f"{gate} gate", fontsize=10, color=THEMED)
        axes.set_xlim(-0.03, 1.03)
        axes.set_ylim(-0.03, 1.03)
        axes.set_aspect("equal")
        axes.set_xlabel("right-saturated (> 0.9)")
    panels[0].set_ylabel("left-saturated (< 0.1)")
    if table["layer"].nunique() > 1:
        legend(panels[-1])
    return figure


def memories(table: pd.DataFrame) -> Figure:
    """How many of each layer's units keep their state for how long, a line for each; `table` is `timescales`'.

    Units that are dead, latches or counters are marked on the line by the shape of their mark.
    """
    figure, [axes] = themed(5.6, 3.2)
    for k, (layer, part) in enumerate(table.groupby("layer")):
        part = part.sort_values(["memory", "unit"])
        memory, share = part["memory"].to_numpy(float), np.arange(1, len(part) + 1) / len(part)
        colour = SERIES[k % len(SERIES)]
        axes.plot(
            np.append(memory[:1], memory), np.append(0.0, share), color=colour, linewidth=1.8, drawstyle="steps-post",
            linestyle=_DASHES[k % len(_DASHES)],
            label=f"layer {layer}",
        )  # fmt: skip
        for kind, marker in _KINDS.items():
            here = (part["kind"] == kind).to_numpy()
            axes.plot(memory[here], share[here], linestyle="none", marker=marker, color=colour, markersize=7, fillstyle="none")
    for kind, marker in _KINDS.items():
        if count := int((table["kind"] == kind).sum()):
            axes.plot(
                [], [], linestyle="none", marker=marker, color=THEMED, markersize=7, fillstyle="none", label=f"{kind} ({count})"
            )
    axes.set_xscale("log")
    ticks.logarithmic(axes.xaxis)
    axes.set_xlabel("memory: characters until the state falls to 1/e")
    axes.set_ylabel("share of the units")
    axes.set_ylim(0, 1.03)
    axes.legend(frameon=False, labelcolor=THEMED, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=3)
    return figure


def units_picture(rows: Sequence[tuple[str, str, Stretch]], *, columns: int = 92, lines: int = 6) -> Figure:
    """Text coloured by units, a claim and a score over each stretch; where the claim holds the text is underlined."""
    size, line, gap = 8.0, LINE, 2.6  # points; line and gap in em
    blocks = [(claim, score, _most_to_see(rows_of(stretch, columns), lines)) for claim, score, stretch in rows]
    height = sum(gap + line * len(block) for _, _, block in blocks) + 0.6
    em = size / 72
    figure = Figure(figsize=((columns * ADVANCE + 2) * em, height * em), facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    y = 0.0
    for claim, score, block in blocks:
        axes.text(0, y + gap - 0.75, claim, fontsize=size - 0.5, color=INK, weight="bold", va="baseline")
        axes.text(columns, y + gap - 0.75, score, fontsize=size - 1, color=INK, ha="right", va="baseline")
        y += gap
        y = paint(axes, block, y, size)
    axes.set_xlim(-1 / ADVANCE, columns + 1 / ADVANCE)
    axes.set_ylim(height, 0)
    return figure


def _most_to_see(rows: Rows, lines: int) -> Rows:
    """So many lines one after the other: those in which a claim holds and doesn't hold the most."""

    def worth(first: int) -> float:
        marks = np.concatenate([marks for _, _, marks in rows[first : first + lines]] or [np.zeros(1)])
        return min(float(marks.mean()), 1 - float(marks.mean()))

    first = max(range(max(1, len(rows) - lines + 1)), key=worth)
    return rows[first : first + lines]


def paint(axes: Axes, rows: Rows, y: float, size: float) -> float:
    """Draw coloured lines from y down, in axes of characters and em, in points of `size`; where they end."""
    for text, values, marks in rows:
        shown = np.array([[_channels(blend(float(v))) for v in values]])
        axes.imshow(shown, extent=(0, len(values), y + LINE * 0.96, y + 0.02), aspect="auto", interpolation="nearest")
        axes.text(0, y + LINE * 0.7, text, fontsize=size, family="DejaVu Sans Mono", color=INK, va="baseline", parse_math=False)
        for k in np.flatnonzero(marks):
            axes.plot([k, k + 1], [y + LINE * 0.93] * 2, color=INK, linewidth=0.9, solid_capstyle="butt")
        y += LINE
    return y


def rows_of(stretch: Stretch, columns: int) -> Rows:
    """A stretch as lines of so many characters at most, broken where its own lines end."""
    marks = np.zeros(len(stretch.text), bool) if stretch.marks is None else stretch.marks
    rows, start = [], 0
    for k, character in enumerate(stretch.text):
        if character == "\n" or k + 1 - start == columns or k + 1 == len(stretch.text):
            text = drawable(stretch.text[start : k + 1])
            rows.append((text, stretch.values[start : k + 1], marks[start : k + 1]))
            start = k + 1
    return rows


def _channels(colour: str) -> tuple[float, float, float]:
    r, g, b = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return r, g, b
