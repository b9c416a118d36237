"""What figures are drawn on: axes that follow the page's colours, and how a figure becomes SVG or PNG."""

import io
from functools import cache
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text

from rnnscope.views import ticks
from rnnscope.views.palette import BLUE, INK, RED
from rnnscope.views.signs import in_line

# Placeholder colours that the page's style sheet replaces, so that one SVG serves light, dark and print.
THEMED, FAINT = "#010203", "#040506"
_PLAIN = {THEMED: INK, FAINT: "#d9dde2"}
_THEME = {THEMED: f"var(--ink, {INK})", FAINT: "var(--line, #d9dde2)", BLUE: f"var(--blue, {BLUE})", RED: f"var(--red, {RED})"}
_NO_SIGN = "\u2060"  # a word joiner
_STYLE: Any = {"svg.fonttype": "none", "svg.hashsalt": "rnnscope", "font.family": ["DejaVu Sans"], "font.size": 10}


def themed(width: float, height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure without a background, of so many inches, and its panels side by side."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    grid: list[Axes] = list(figure.subplots(1, panels, squeeze=False)[0])
    for axes in grid:
        plain(axes)
    return figure, grid


def nothing(why: str) -> Figure:
    """What stands in place of a figure that has nothing to show: a sentence that says so."""
    figure, [axes] = themed(5.2, 0.8)
    axes.axis("off")
    axes.text(0.5, 0.5, why, ha="center", va="center", fontsize=9, color=THEMED, transform=axes.transAxes, wrap=True)
    return figure


def plain(axes: Axes) -> None:
    """Axes without a background and a box, in the page's colours."""
    axes.patch.set_alpha(0)
    axes.tick_params(colors=THEMED, labelsize=ticks.SIZE)
    axes.xaxis.label.set_color(THEMED)
    axes.yaxis.label.set_color(THEMED)
    axes.grid(color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(FAINT)


def named(name: str) -> str:
    """A name as a label: matplotlib leaves out of legends what begins with an underscore, so it gets a sign that isn't drawn."""
    return f"{_NO_SIGN}{name}" if name.startswith("_") else name


def legend(axes: Axes) -> None:
    """Below all panels, where it hides nothing."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, labelcolor=THEMED, fontsize=9, loc="outside lower center", ncols=3)


def _svg(figure: Figure, style: Any = _STYLE) -> str:
    out = io.StringIO()
    _as_it_is(figure)
    with rc_context(style):
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def written(figure: Figure) -> str:
    """SVG with the page's own colours, and ours where there is no page."""
    return _coloured(_svg(figure), _THEME)


def to_svg(figure: Figure) -> str:
    """A picture that stands alone, as SVG; letters are outlines, so that they keep to their cells with any fonts."""
    return _coloured(_svg(figure, {**_STYLE, "svg.fonttype": "path"}), _PLAIN)


def _coloured(svg: str, colours: dict[str, str]) -> str:
    for placeholder, colour in colours.items():
        svg = svg.replace(placeholder, colour)
    return svg


def _as_it_is(figure: Figure) -> None:
    """Names of models and texts are no formulas (matplotlib's numbers on logarithmic axes are), and are shown in signs that the
    font has."""
    for text in figure.findobj(Text):
        shown = text.get_text().replace(_NO_SIGN, "")
        if not shown.startswith(r"$\mathdefault"):
            text.set_parse_math("$" not in shown)
            text.set_text("".join(c if c == "\n" or ord(c) in _font() else "▯" for c in shown))


def to_png(figure: Figure, dpi: int = 160) -> bytes:
    out = io.BytesIO()
    _as_it_is(figure)
    # Hinting would round each letter's width to whole pixels, and a line would drift off its cells.
    with rc_context({"text.hinting": "no_hinting"}):
        figure.savefig(out, format="png", dpi=dpi, metadata={"Software": None})
    return out.getvalue()


@cache
def _font() -> frozenset[int]:
    return frozenset(get_font(findfont("DejaVu Sans Mono")).get_charmap())


def drawable(text: str) -> str:
    """What a picture shows of a text on one line: signs, also for what its font doesn't have."""
    return "".join(c if ord(c) in _font() else "▯" for c in in_line(text))
