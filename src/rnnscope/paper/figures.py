"""The paper's figures and its error breakdown, from the networks at hand: tables as CSV, pictures as SVG."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from rnnscope.analysis.saturation import saturation
from rnnscope.analysis.timescales import timescales
from rnnscope.breakdown import errors, oracles
from rnnscope.comparison import Comparison, compare
from rnnscope.comparison.agreement import branches, layout, tree
from rnnscope.comparison.contexts import contexts
from rnnscope.comparison.distances import distances
from rnnscope.comparison.venn import venn
from rnnscope.corpora import Corpus
from rnnscope.corpora.named import corpus as named
from rnnscope.exceptions import FormatError
from rnnscope.models import Network
from rnnscope.ngrams import NGramLM
from rnnscope.paper.figure2 import figure2
from rnnscope.paper.provenance import commit, machine
from rnnscope.progress import Progress, silent
from rnnscope.protocol import LanguageModel
from rnnscope.recording import record
from rnnscope.training import Run
from rnnscope.views import comparisons as draw
from rnnscope.views.drawn import Drawn as Drawn
from rnnscope.views.drawn import write as write
from rnnscope.views.figures import saturation_scatter

NETWORK, NGRAM = "LSTM", "20-gram"


class Material:
    """The best network of a text that is kept, n-grams of the same text, and what they say of its test part."""

    def __init__(self, text: str, weights: Path, progress: Progress = silent) -> None:
        folder = weights / f"{text}-lstm"
        if not folder.exists():
            raise FormatError(f"{folder} is missing; expected a run; train it, or give the folder of results with --results")
        self.name, self.run, self.progress = text, Run.open(folder), progress

    @cached_property
    def whole(self) -> Corpus:
        return named(self.name).ruled(self.run.split)

    @cached_property
    def test(self) -> Corpus:
        return self.whole.split("test")

    @cached_property
    def network(self) -> Network:
        return self.run.model()

    @cached_property
    def ngram(self) -> NGramLM:
        return NGramLM.fit(self.whole.split("train"), 20)

    @cached_property
    def comparison(self) -> Comparison:
        models: dict[str, LanguageModel] = {NETWORK: self.network, NGRAM: self.ngram}
        models.update({f"{n}-gram": self.ngram.shorter(n) for n in range(1, 10)})
        return compare(models, self.test, progress=self.progress)


def figure1(material: Material) -> Drawn:
    """The map and the tree of models: how often they hold the same symbol for likeliest."""
    table = material.comparison.agreement
    places = layout(table)
    places["kind"] = ["network" if name == NETWORK else "n-gram" for name in places["model"]]
    tables = {"agreement": table.rename_axis("model").reset_index(), "map": places, "tree": branches(table)}
    return Drawn(tables, {"map": draw.model_map(places), "tree": draw.model_tree(tree(table), list(table.index))})


def figure3(material: Material) -> Drawn:
    """How often gates are saturated, and how long units keep what they hold."""
    with TemporaryDirectory() as folder:
        trace = record(material.network, material.test, Path(folder) / "trace", ["log_prob"], progress=material.progress)
        table, units = saturation(trace), timescales(trace)
    return Drawn({"saturation": table, "timescales": units}, {"saturation": saturation_scatter(table)})


def figure4(material: Material) -> Drawn:
    """Which errors the network and the 20-gram share, and which symbols each knows better."""
    found = compare({NETWORK: material.network, NGRAM: material.ngram, "6-gram": material.ngram.shorter(6)}, material.test)
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
    figures = {"distances": draw.distances(table), "contexts": draw.contexts(lost)}
    return Drawn({"distances": table, "contexts": lost}, figures)


def figure6(material: Material) -> Drawn:
    """What kind each error is: of the network, and of the 20-gram."""
    chosen, found = oracles(), Drawn()
    pies = []
    for name, model in ((NETWORK, material.network), (NGRAM, material.ngram)):
        one = errors(model, material.whole, chosen, progress=material.progress)
        pies.append((name, one.categories))
        found.tables[name.lower()] = one.table
        found.figures[f"{name.lower()}-waterfall"] = draw.waterfall(one.categories)
    found.figures["pies"] = draw.pie(pies)
    return found


FIGURES: dict[str, Callable[[Material], Drawn]] = {
    "figure1": figure1,
    "figure2": lambda material: figure2(material.network, material.test, material.progress),
    "figure3": figure3,
    "figure4": figure4,
    "figure5": figure5,
    "figure6": figure6,
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
