"""What pictures say in words: every name, whatever it begins with."""

import pandas as pd
from matplotlib.legend import Legend

from rnnscope.comparison.venn import Venn
from rnnscope.views import canvas, comparisons, dynamics
from rnnscope.views.figures import value_histogram


def test_a_name_that_begins_with_an_underscore_is_in_every_legend() -> None:
    """matplotlib leaves such labels out."""
    name, when = "_mine", {"update": 1, "epochs": 0.5}
    near = pd.DataFrame({"model": [name, "b"], "distance": 1, "probability": 0.5, "low": 0.4, "high": 0.6})
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
        shown = [text.get_text() for legend in figure.findobj(Legend) for text in legend.get_texts()]  # type: ignore[attr-defined]
        assert {name, f"{name}, cut"} & set(shown), (what, shown)
    assert ">_a<" in value_histogram({"edges": [0, 1], "shares": {"_a": [1.0]}})
