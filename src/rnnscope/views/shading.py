"""What a prediction or a unit rests on: the text before it, each symbol shaded by its part, and the parts by distance."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnscope.views import ticks
from rnnscope.views.canvas import THEMED, legend, plain, themed
from rnnscope.views.figures import ADVANCE, LINE, paint, rows_of
from rnnscope.views.palette import BLUE, INK, PAPER, RED
from rnnscope.views.signs import glyphs
from rnnscope.views.stretch import Stretch

_COLUMNS, _SIZE, _CURVE = 92, 8.0, 2.3  # characters in a line; points; inches


def shaded(table: pd.DataFrame, part: str, kind: str) -> Stretch:
    """The text of a table of `attribution` (part `share`) or `writes` (part `part`), in reading order.

    The largest part in size is −1 or 1. `kind` is the vocabulary's, `bytes` or `characters`.
    """
    rows = table[table["symbol"] != ""].iloc[::-1]  # what was there before the first symbol has none
    values = rows[part].to_numpy(np.float64)
    values = values / max(float(np.abs(values).max()), np.finfo(np.float64).tiny)
    return Stretch(int(rows["position"].iloc[0]), glyphs("".join(rows["symbol"]), kind), values.astype(np.float32), None)


def resting(table: pd.DataFrame, part: str, kind: str, target: str, unit: str) -> Figure:
    """The text shaded by the parts over a panel of the parts by distance and their sum so far.

    `target` says what rests on them, `unit` what they are measured in.
    """
    rows = rows_of(shaded(table, part, kind), _COLUMNS)
    em, lines = _SIZE / 72, LINE * len(rows) + 2.2
    width, height = (_COLUMNS * ADVANCE + 2) * em, lines * em + _CURVE
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    text = figure.add_axes((0, 1 - lines * em / height, 1, lines * em / height))
    text.axis("off")
    text.text(0, 1.2, target, fontsize=_SIZE - 0.5, color=INK, weight="bold", va="baseline", parse_math=False)
    paint(text, rows, 1.7, _SIZE)
    text.set_xlim(-1 / ADVANCE, _COLUMNS + 1 / ADVANCE)
    text.set_ylim(lines, 0)
    curve = figure.add_axes((0.12, 0.52 / height, 0.85, (_CURVE - 0.68) / height))
    plain(curve)
    _curve(curve, table, part, unit)
    curve.legend(frameon=False, labelcolor=THEMED, fontsize=9, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
    return figure


def by_distance(table: pd.DataFrame, part: str, unit: str) -> Figure:
    """The lower panel alone."""
    figure, [axes] = themed(6.4, _CURVE)
    _curve(axes, table, part, unit)
    legend(axes)
    return figure


def _curve(curve: Axes, table: pd.DataFrame, part: str, unit: str) -> None:
    values = table[part].to_numpy(np.float64)
    distance = np.arange(1, len(values) + 1)
    curve.vlines(distance, 0, values, colors=[BLUE if value > 0 else RED for value in values], linewidth=1.4)
    curve.step(distance, np.cumsum(values), where="post", color=THEMED, linewidth=1.2, label="all up to there")
    curve.set_xscale("log")
    ticks.logarithmic(curve.xaxis)
    curve.set_xlim(0.9, max(len(values), 2) * 1.1)
    curve.set_xlabel("symbols back, 1 the last one read")
    curve.set_ylabel(unit)
