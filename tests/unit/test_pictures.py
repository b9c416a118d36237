"""What pictures say in words: every name, whatever it begins with, and why there is nothing to see."""

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.legend import Legend

import rnnscope as rs
from rnnscope.comparison.venn import Venn
from rnnscope.views import canvas, compared, comparisons, dynamics
from rnnscope.views.figures import value_histogram
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
    assert words(drawn["errors one"]) == words(drawn["gained"]) == ["no symbol of this text is got wrong"]
    assert words(drawn["errors"]) == ["one", "no symbol of this text is got wrong", "two", "no symbol of this text is got wrong"]


@pytest.mark.parametrize("column", ["kl", "difference"])
def test_what_is_infinite_is_said_and_not_drawn(column: str) -> None:
    draw = {"kl": dynamics.divergence, "difference": dynamics.differences}[column]
    table = pd.DataFrame({"reference": ["a", "b"], "update": 1, "epochs": 0.5, "kl": [1.0, float("inf")], "difference": 0.0})
    table.loc[1, "difference"] = -float("inf")
    figure = draw(table)
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["a", "b (infinite)"]  # type: ignore[union-attr]
    [said] = words(draw(table[1:]))
    assert "rules out what" in said
    units = pd.DataFrame(columns=["hypothesis", "measure", "signal", "unit", "update", "epochs", "score"])
    assert words(dynamics.units(units)) == ["none of the units' claims can be tested on this text"]
