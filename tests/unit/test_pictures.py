"""What pictures say in words: every name, whatever it begins with, and why there is nothing to see."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.text import Text

import rnnscope as rs
from rnnscope.cli.compare import _marked
from rnnscope.comparison.venn import Venn, venn
from rnnscope.views import canvas, compared, comparisons, dynamics
from rnnscope.views.drawn import Drawn, write
from rnnscope.views.figures import memories, value_histogram
from rnnscope.views.signs import glyphs, in_line
from tests.unit.test_comparison import Told


def test_a_name_that_begins_with_an_underscore_is_in_every_legend() -> None:
    """matplotlib leaves such labels out."""
    name, when = "_mine", {"update": 1, "epochs": 0.5}
    near = pd.DataFrame({"model": [name, "b"], "pair": "()", "distance": 1, "probability": 0.5, "low": 0.4, "high": 0.6})
    lost = pd.DataFrame({"model": [name, "b"], "way": "cut", "context": 2, "rise": 0.1, "low": 0.0, "high": 0.2})
    kinds = pd.DataFrame({"model": ["a", "b"], "x": [0, 1], "y": 0, "kind": [name, "b"]})
    trained = pd.DataFrame({"reference": [name], "kl": 1.0, "difference": 0.1, **when})
    units = pd.DataFrame({"hypothesis": [name], "signal": "s", "unit": 0, "measure": "auroc", "score": 0.7, **when})
    drawn = {
        "venn": comparisons.venn(Venn((name, "b"), [(0, 0, 1), (1, 0, 1)], {(name,): 1}, {(name,): (0, 0)}, 0.0)),
        "distances": comparisons.distances(near),
        "contexts": comparisons.contexts(lost),
        "map": comparisons.model_map(kinds),
        "kl": dynamics.divergence(trained),
        "difference": dynamics.differences(trained),
        "units": dynamics.units(units),
    }
    for what, figure in drawn.items():
        canvas.to_svg(figure)
        shown = [text.get_text() for legend in figure.findobj(Legend) for text in legend.get_texts()]
        assert {name, f"{name}, cut"} & set(shown), (what, shown)
    assert ">_a<" in value_histogram({"edges": [0, 1], "shares": {"_a": [1.0]}})


def words(figure: Figure) -> list[str]:
    """What a figure says, which has to be all that there is in it."""
    for svg in (canvas.written(figure), canvas.to_svg(figure)):
        assert "nan" not in svg.lower().replace("dominant", "")
    assert all(not (axes.lines or axes.patches or axes.collections or axes.axison) for axes in figure.axes)
    return [text.get_text() for axes in figure.axes for text in (axes.title, *axes.texts) if text.get_text()]


def test_a_figure_with_nothing_to_show_says_so() -> None:
    corpus = rs.Corpus.from_text("so it was not seen there again")  # no symbol twenty times, nothing in brackets
    told = {name: Told(name, corpus, [p] * len(corpus)) for name, p in (("one", 0.9), ("two", 0.8))}
    drawn = compared.comparison(rs.compare(told, corpus), "()").figures
    assert words(drawn["distances"]) == ["no pair of () is opened and closed again in this text"]
    assert words(compared.comparison(rs.compare(told, corpus)).figures["distances"]) == [
        "no pair of brackets or quotes is opened and closed again in this text"
    ]
    assert words(drawn["gains"]) == ["no symbol came 20 times, too few to say what one gains over two"]
    assert words(drawn["overlap"]) == ["no symbol of this text is got wrong"]
    found = {name: rs.errors(model, corpus, part="train") for name, model in told.items()}
    drawn = compared.breakdowns(found).figures
    assert words(drawn["errors-one"]) == words(drawn["gained"]) == ["no symbol of this text is got wrong"]
    assert words(drawn["errors"]) == ["one", "no symbol of this text is got wrong", "two", "no symbol of this text is got wrong"]


@pytest.mark.parametrize("column", ["kl", "difference"])
def test_what_is_infinite_is_said_and_not_drawn(column: str) -> None:
    draw = {"kl": dynamics.divergence, "difference": dynamics.differences}[column]
    table = pd.DataFrame({"reference": ["a", "b"], "update": 1, "epochs": 0.5, "kl": [1.0, float("inf")], "difference": 0.0})
    table.loc[1, "difference"] = -float("inf")
    figure = draw(table)
    rings = ["where it was nearest"] if column == "kl" else []
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["a", "b (infinite)", *rings]  # type: ignore[union-attr]
    [said] = words(draw(table[1:]))
    assert "rules out what" in said
    units = pd.DataFrame(columns=["hypothesis", "measure", "signal", "unit", "update", "epochs", "score"])
    assert words(dynamics.units(units)) == ["none of the units' claims can be tested on this text"]


@pytest.mark.parametrize("longest", [3, 20, 3e3, 1e6])
def test_numbers_of_a_logarithmic_axis_keep_apart(longest: float) -> None:
    memory = np.geomspace(0.2 if longest > 3 else 2.1, longest, 50)
    units = pd.DataFrame({"layer": 0, "unit": range(50), "memory": memory, "kind": ""})
    kept = pd.DataFrame({"reference": "a", "update": range(50), "epochs": np.geomspace(1e-4, 50, 50), "kl": memory})
    for figure, across in ((memories(units), True), (dynamics.divergence(kept), False), (dynamics.divergence(kept), True)):
        figure.draw_without_rendering()
        axis = figure.axes[0].xaxis if across else figure.axes[0].yaxis
        low, high = axis.get_view_interval()
        ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
        labels = [label for at, label in ticks if low <= at <= high]
        boxes = [label.get_window_extent() for label in labels]
        assert len(boxes) >= 2
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes)), [label.get_text() for label in labels]


def test_a_symbol_has_one_sign_wherever_it_is_shown() -> None:
    assert in_line("a\r\n\tb\x1b") == "a←↵→b␛"
    assert (glyphs("\r\n\té", "bytes"), glyphs("\r\n\té", "characters")) == ("←\n\t�", "←\n\té")
    assert canvas.drawable("\r\n") == canvas.drawable(glyphs("\r\n", "bytes")) == "←↵"
    table = pd.DataFrame({"symbol": ["\r", "\n", " ", "a"], "count": 30, "gain": 0.1, "low": 0.0, "high": 0.2})
    shown = comparisons.gains(table, "one", "two").axes[0].get_yticklabels()
    assert sorted(label.get_text() for label in shown) == sorted("←↵␣a")
    assert _marked("a\r\nb", [1], "characters") == "a[←]↵b"


def test_a_number_that_has_no_room_in_its_part_stands_outside() -> None:
    names, counts = ("a", "b"), {("a",): 900, ("a", "b"): 80, ("b",): 20}
    rows = [{name: name in chosen for name in names} | {"symbols": count} for chosen, count in counts.items()]
    found = venn(pd.DataFrame(rows), names)
    figure = comparisons.venn(found)
    figure.draw_without_rendering()
    [axes] = figure.axes
    assert sorted(text.get_text() for text in axes.texts) == ["2%", "8%", "90%"]
    for text in axes.texts:
        box = Text.get_window_extent(text).transformed(axes.transData.inverted())
        ends = [(x, y) for x in (box.x0, box.x1) for y in (box.y0, box.y1)]
        for x, y, r in found.circles:  # no edge goes through it
            inside = {bool(np.hypot(end[0] - x, end[1] - y) < r) for end in ends}
            assert len(inside) == 1, text.get_text()
    small = next(text for text in axes.texts if text.get_text() == "2%")
    assert all(np.hypot(small.get_position()[0] - x, small.get_position()[1] - y) > r for x, y, r in found.circles)


def test_names_of_files_have_no_blanks(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": [1]})
    made = write(Drawn({"my table": table, "b c": table, "b-c": table}), tmp_path, "text")
    assert [path.name for path in made] == ["text-my-table.csv", "text-b c.csv", "text-b-c.csv"]
