"""All pictures of a comparison and of error breakdowns, with their tables."""

from collections.abc import Mapping

import pandas as pd

from rnnscope.breakdown import Breakdown, by_errors, gained
from rnnscope.comparison import Comparison
from rnnscope.comparison.agreement import branches, layout, tree
from rnnscope.comparison.distances import closing
from rnnscope.comparison.venn import venn
from rnnscope.views import comparisons as draw
from rnnscope.views.drawn import Drawn


def comparison(found: Comparison, pair: str | None = None) -> Drawn:
    """Which errors models share (circles of two or three), what the first knows better than the second, their map and tree, and
    how likely each holds a closing symbol by how long it has been open (of a `pair`, or the most frequent one). One model has the
    last alone; a picture with nothing to show says why."""
    names, near = found.readings.names, closing(found.readings, pair)
    drawn = Drawn({"models": found.models, "distances": near}, {"distances": draw.distances(near, pair)})
    if len(names) > 1:
        gained, places = found.gains(), layout(found.agreement)
        drawn.tables |= {"overlap": found.overlap, "agreement": found.agreement.rename_axis("model").reset_index()}
        drawn.tables |= {"gains": gained, "map": places, "tree": branches(found.agreement)}
        drawn.figures |= {"gains": draw.gains(gained, *names[:2]), "map": draw.model_map(places)}
        drawn.figures["tree"] = draw.model_tree(tree(found.agreement), names)
    if len(names) in (2, 3):
        drawn.figures["overlap"] = draw.venn(venn(found.overlap, names))
    return drawn


def breakdowns(found: Mapping[str, Breakdown]) -> Drawn:
    """What kind the errors of each model are: a table, a waterfall of each, and all as pies; of two, what the better one gained."""
    table = pd.concat([each.table.assign(model=name) for name, each in found.items()], ignore_index=True)
    drawn = Drawn({"errors": table}, {f"errors-{name}": draw.waterfall(each.categories) for name, each in found.items()})
    drawn.figures["errors"] = draw.pie([(name, each.categories) for name, each in found.items()])
    if len(found) == 2:
        worse, better = by_errors(found)
        drawn.tables["gained"] = gained(found[worse], found[better])
        drawn.figures["gained"] = draw.gained(drawn.tables["gained"], worse, better)
    return drawn
