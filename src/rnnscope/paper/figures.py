"""The paper's figures and its error breakdown, from the networks at hand: tables as CSV, pictures as SVG."""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from rnnscope.analysis.saturation import saturation
from rnnscope.analysis.timescales import timescales
from rnnscope.breakdown import errors, gained, oracles
from rnnscope.comparison import compare, read_all
from rnnscope.comparison.agreement import agreement, branches, layout, tree
from rnnscope.comparison.contexts import contexts
from rnnscope.comparison.distances import distances
from rnnscope.comparison.venn import venn
from rnnscope.paper.entries import best_loss
from rnnscope.paper.figure2 import figure2
from rnnscope.paper.material import NETWORK, NGRAM, Material
from rnnscope.paper.provenance import commit, machine
from rnnscope.paper.resting import resting
from rnnscope.progress import Progress, silent
from rnnscope.protocol import LanguageModel
from rnnscope.recording import record
from rnnscope.views import comparisons as draw
from rnnscope.views.drawn import Drawn, write
from rnnscope.views.figures import saturation_scatter


def figure1(material: Material) -> Drawn:
    """The map and the tree of models: how often they hold the same symbol for likeliest."""
    models: dict[str, LanguageModel] = {one.name: one.run.model() for one in material.kept}
    table = agreement(read_all(models | material.ngrams, material.test, progress=material.progress))
    places = layout(table)
    for column, of_ngrams in (("kind", "n-gram"), ("layers", 0), ("size", 0)):
        places[column] = [getattr(one, column) for one in material.kept] + [of_ngrams] * len(material.ngrams)
    places.loc[places["kind"] == "n-NN", ["layers", "size"]] = 0  # neither is what Table 1 calls by these names
    tables = {"agreement": table.rename_axis("model").reset_index(), "map": places, "tree": branches(table)}
    return Drawn(tables, {"map": draw.model_map(places), "tree": draw.model_tree(tree(table), list(table.index))})


def figure3(material: Material) -> Drawn:
    """How often gates are saturated, and how long units keep what they hold: of the deepest LSTM and the deepest GRU, the better
    one of several, and of the best LSTM."""
    drawn, seen = Drawn(), set()
    deepest = {
        kind.lower(): min(some, key=lambda one: (-one.layers, best_loss(one.run)))
        for kind in ("LSTM", "GRU")
        if (some := material.of_kind(kind))
    }
    for word, one in {**deepest, "best-lstm": material.best}.items():
        if one.name in seen:
            continue
        seen.add(one.name)
        with TemporaryDirectory() as folder:
            trace = record(one.run.model(), material.test, Path(folder) / "trace", ["log_prob"], progress=material.progress)
            table, units = saturation(trace), timescales(trace)
        drawn.figures[f"{word}-saturation"] = saturation_scatter(table)
        for name, found in (("saturation", table), ("timescales", units)):
            found.insert(0, "model", one.name)
            drawn.tables[f"{word}-{name}"] = found
    return drawn


def figure4(material: Material) -> Drawn:
    """Which errors the best LSTM, the best n-NN (where none is kept: the 6-gram) and the 20-gram share, and which symbols the first
    and the last know better."""
    models: dict[str, LanguageModel] = {NETWORK: material.network}
    if windows := material.of_kind("n-NN"):
        best = min(windows, key=lambda one: best_loss(one.run))
        models[best.name] = best.run.model()
    else:
        models["6-gram"] = material.ngrams["6-gram"]
    found = compare({**models, NGRAM: material.ngram}, material.test, progress=material.progress)
    gained = found.gains(NETWORK, NGRAM)
    figures = {"overlap": draw.venn(venn(found.overlap, found.readings.names)), "gains": draw.gains(gained, NETWORK, NGRAM)}
    return Drawn({"models": found.models, "overlap": found.overlap, "gains": gained}, figures)


def figure5(material: Material) -> Drawn:
    """How likely the closing brace (in prose: quote) is by how long it has been open, and what a shorter context costs."""
    pair = "{}" if material.whole.language else '""'
    table = distances(material.comparison.readings, pair)
    table = table[table["model"].isin([NETWORK, NGRAM])].reset_index(drop=True)
    models: dict[str, LanguageModel] = {NETWORK: material.network, NGRAM: material.ngram}
    lost = contexts(models, material.test, progress=material.progress)
    figures = {"distances": draw.distances(table, pair), "contexts": draw.contexts(lost)}
    return Drawn({"distances": table, "contexts": lost}, figures)


def figure6(material: Material) -> Drawn:
    """What kind each error is: of the best LSTM, of the smallest, of the 20-gram; and what the best one got rid of."""
    models: dict[str, LanguageModel] = {NETWORK: material.network, NGRAM: material.ngram}
    smallest = min(material.of_kind("LSTM"), key=lambda one: (one.size, one.layers))
    if smallest != material.best:
        models |= {"smallest LSTM": smallest.run.model()}
    drawn, broken = Drawn(), {}
    for name, model in models.items():
        broken[name] = errors(model, material.whole, oracles(), progress=material.progress)
        word = name.lower().replace(" ", "-")
        drawn.tables[word] = broken[name].table
        drawn.figures[f"{word}-waterfall"] = draw.waterfall(broken[name].categories)
    if smallest != material.best:
        drawn.tables["gained"] = gained(broken["smallest LSTM"], broken[NETWORK])
    drawn.figures["pies"] = draw.pie([(name, one.categories) for name, one in broken.items()])
    return drawn


FIGURES: dict[str, Callable[[Material], Drawn]] = {
    "figure1": figure1,
    "figure2": lambda material: figure2(material.network, material.test, material.progress),
    "figure3": figure3,
    "figure4": figure4,
    "figure5": figure5,
    "figure6": figure6,
    "resting": lambda material: resting(material.network, material.test, material.progress),
}


def make(results: Path, text: str, names: Sequence[str], progress: Progress = silent) -> list[Path]:
    """Make some of `FIGURES` for a text and keep them below `results`, beside how they were made."""
    material = Material(text, results / "weights", progress)
    written = []
    for name in names:
        written += write(FIGURES[name](material), results / name, text)
        about = pd.DataFrame([{"text": text, "network": material.network.fingerprint, "commit": commit(), "machine": machine()}])
        written += write(Drawn({"about": about}), results / name, text)
    return written
