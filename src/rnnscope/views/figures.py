"""Figures: SVG that follows the page's colours, and pictures that stand alone."""

import io
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.ticker import MaxNLocator

from rnnscope.views.palette import BLUE, INK, PAPER, RED, SERIES, blend
from rnnscope.views.stretch import Stretch

# Placeholder colours that the page's style sheet replaces, so that one SVG serves light, dark and print.
_INK, _FAINT = "#010203", "#040506"
_THEME = {_INK: f"var(--ink, {INK})", _FAINT: "var(--line, #d9dde2)", BLUE: f"var(--blue, {BLUE})", RED: f"var(--red, {RED})"}
_ADVANCE = 0.602  # of DejaVu Sans Mono, in em
_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "rnnscope", "font.family": ["DejaVu Sans"], "font.size": 10}


def learning_curve(history: Sequence[dict[str, Any]]) -> str:
    """Training and validation loss after every epoch, as SVG."""
    figure, [axes] = _themed(6.4, 3.2)
    epochs = [entry["epoch"] for entry in history]
    for k, (name, title) in enumerate((("train_nats", "training"), ("validation_nats", "validation"))):
        losses = [entry[name] for entry in history]
        axes.plot(epochs, losses, color=SERIES[k], marker="o", markersize=3.5, linewidth=1.8, label=title)
    axes.set_xlabel("epoch")
    axes.set_ylabel("nats per symbol")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(axes)
    return _theme(_svg(figure))


def value_histogram(histogram: dict[str, Any]) -> str:
    """How a unit's values lie for each group of labels; `histogram` is a card's, as JSON."""
    figure, [axes] = _themed(4.2, 2.3)
    edges = np.array(histogram["edges"])
    for k, (name, shares) in enumerate(histogram["shares"].items()):
        axes.stairs(shares, edges, color=SERIES[k % len(SERIES)], linewidth=1.6, label=name)
        axes.stairs(shares, edges, color=SERIES[k % len(SERIES)], alpha=0.15, fill=True)
    axes.set_xlabel("value of the unit")
    axes.set_ylabel("share of the symbols")
    _legend(axes)
    return _theme(_svg(figure))


def around_event(event: dict[str, Any]) -> str:
    """A unit's mean around an event with the band in which 80 % of its values lie; `event` is a card's, as JSON."""
    figure, [axes] = _themed(4.2, 2.3)
    axes.fill_between(event["at"], event["low"], event["high"], color=SERIES[0], alpha=0.18, linewidth=0)
    axes.plot(event["at"], event["mean"], color=SERIES[0], linewidth=1.8)
    axes.axvline(0, color=_INK, linewidth=1, linestyle=(0, (3, 3)))
    axes.set_xlabel("symbols after the event")
    axes.set_ylabel("value of the unit")
    return _theme(_svg(figure))


def saturation_scatter(table: pd.DataFrame) -> str:
    """One panel per gate: a circle per unit at (fraction right-saturated, fraction left-saturated), coloured by layer."""
    gates = list(dict.fromkeys(table["gate"]))
    figure, panels = _themed(3.1 * len(gates), 3.2, len(gates))
    for gate, axes in zip(gates, panels, strict=True):
        axes.plot([0, 1], [1, 0], color=_FAINT, linewidth=1)
        for layer, part in table[table["gate"] == gate].groupby("layer"):
            axes.scatter(
                part["right"], part["left"], s=22, facecolors="none", edgecolors=SERIES[int(layer) % len(SERIES)],
                linewidths=1.1, label=f"layer {layer}",
            )  # fmt: skip
        axes.set_title(f"{gate} gate", fontsize=10, color=_INK)
        axes.set_xlim(-0.03, 1.03)
        axes.set_ylim(-0.03, 1.03)
        axes.set_aspect("equal")
        axes.set_xlabel("right-saturated (> 0.9)")
    panels[0].set_ylabel("left-saturated (< 0.1)")
    if table["layer"].nunique() > 1:
        _legend(panels[-1])
    return _theme(_svg(figure))


def units_picture(rows: Sequence[tuple[str, str, Stretch]], *, columns: int = 92, lines: int = 6) -> Figure:
    """Text coloured by units, a claim and a score over each stretch; where the claim holds the text is underlined."""
    size, line, gap = 8.0, 1.5, 2.6  # points; line and gap in em
    blocks = [(claim, score, _rows(stretch, columns, lines)) for claim, score, stretch in rows]
    height = sum(gap + line * len(block) for _, _, block in blocks) + 0.6
    em = size / 72
    figure = Figure(figsize=((columns * _ADVANCE + 2) * em, height * em), facecolor=PAPER)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    y = 0.0
    for claim, score, block in blocks:
        axes.text(0, y + gap - 0.75, claim, fontsize=size - 0.5, color=INK, weight="bold", va="baseline")
        axes.text(columns, y + gap - 0.75, score, fontsize=size - 1, color=INK, ha="right", va="baseline")
        y += gap
        for text, values, marks in block:
            shown = np.array([[_channels(blend(float(v))) for v in values]])
            axes.imshow(shown, extent=(0, len(values), y + line * 0.96, y + 0.02), aspect="auto", interpolation="nearest")
            axes.text(0, y + line * 0.7, text, fontsize=size, family="DejaVu Sans Mono", color=INK, va="baseline", parse_math=False)
            for k in np.flatnonzero(marks):
                axes.plot([k, k + 1], [y + line * 0.93] * 2, color=INK, linewidth=0.9, solid_capstyle="butt")
            y += line
    axes.set_xlim(-1 / _ADVANCE, columns + 1 / _ADVANCE)
    axes.set_ylim(height, 0)
    return figure


def _rows(stretch: Stretch, columns: int, lines: int) -> list[tuple[str, Any, Any]]:
    marks = np.zeros(len(stretch.text), bool) if stretch.marks is None else stretch.marks
    rows, start = [], 0
    for k, character in enumerate(stretch.text):
        if character == "\n" or k + 1 - start == columns or k + 1 == len(stretch.text):
            text = _drawable(stretch.text[start : k + 1])
            rows.append((text, stretch.values[start : k + 1], marks[start : k + 1]))
            start = k + 1
    return rows[:lines]


@cache
def _font() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans Mono")).get_charmap())


def _drawable(text: str) -> str:
    """What a picture shows of a text: signs for line ends and tabs, and for what its font doesn't have."""
    shown = text.replace("\n", "↵").replace("\t", "→")
    return "".join(c if ord(c) in _font() else "▯" for c in shown)


def _channels(colour: str) -> tuple[float, float, float]:
    r, g, b = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return r, g, b


def _themed(width: float, height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    grid: list[Axes] = list(figure.subplots(1, panels, squeeze=False)[0])
    for axes in grid:
        axes.patch.set_alpha(0)
        axes.tick_params(colors=_INK, labelsize=9)
        axes.xaxis.label.set_color(_INK)
        axes.yaxis.label.set_color(_INK)
        axes.grid(color=_FAINT, linewidth=0.6)
        axes.set_axisbelow(True)
        for name, spine in axes.spines.items():
            spine.set_visible(name in ("left", "bottom"))
            spine.set_color(_FAINT)
    return figure, grid


def _legend(axes: Axes) -> None:
    axes.legend(frameon=False, labelcolor=_INK, fontsize=9)


def _svg(figure: Figure, style: Any = _STYLE) -> str:
    out = io.StringIO()
    with rc_context(style):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def _theme(svg: str) -> str:
    """The same with the page's own colours, and ours where there is no page."""
    for placeholder, variable in _THEME.items():
        svg = svg.replace(placeholder, variable)
    return svg


def to_svg(figure: Figure) -> str:
    """A picture that stands alone, as SVG; letters are outlines, so that they keep to their cells with any fonts."""
    return _svg(figure, {**_STYLE, "svg.fonttype": "path"})


def to_png(figure: Figure, dpi: int = 160) -> bytes:
    out = io.BytesIO()
    # Hinting would round each letter's width to whole pixels, and a line would drift off its cells.
    with rc_context({"text.hinting": "no_hinting"}):
        figure.savefig(out, format="png", dpi=dpi, metadata={"Software": None})
    return out.getvalue()
