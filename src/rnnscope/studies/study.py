"""`study`: one call from a text to a page that shows what a recurrent network learned from it."""

import platform
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from rnnscope import __version__
from rnnscope.analysis.hypotheses.base import Hypothesis
from rnnscope.analysis.hypotheses.catalogue import hypotheses
from rnnscope.analysis.labels import Labels
from rnnscope.analysis.saturation import COLUMNS, saturation
from rnnscope.analysis.timescales import COLUMNS as TIMESCALES
from rnnscope.analysis.timescales import timescales
from rnnscope.breakdown import errors, gained, oracles
from rnnscope.comparison import compare, read_all
from rnnscope.comparison.agreement import agreement
from rnnscope.comparison.contexts import COLUMNS as CONTEXTS
from rnnscope.comparison.contexts import LENGTHS, contexts, reach
from rnnscope.comparison.distances import PAIRS, of_all_pairs
from rnnscope.comparison.dynamics import dynamics
from rnnscope.corpora import Corpus, find
from rnnscope.exceptions import OccupiedError
from rnnscope.files import claim, clear_partial, read_json, write_json, write_text
from rnnscope.findings import examine
from rnnscope.findings.cards import cards
from rnnscope.findings.connections import connections
from rnnscope.findings.emergence import COLUMNS as EMERGENCE
from rnnscope.findings.emergence import READ, emergence
from rnnscope.models import Architecture, RecurrentLM
from rnnscope.models.sampling import sample
from rnnscope.models.threads import computing
from rnnscope.ngrams import NGramLM
from rnnscope.progress import Progress
from rnnscope.protocol import LanguageModel
from rnnscope.recording import record
from rnnscope.studies.resting import examples
from rnnscope.studies.steps import Step, Steps, Watch, nobody
from rnnscope.studies.tables import read_table, write_table
from rnnscope.traces import Trace
from rnnscope.training import Recipe, Run, train
from rnnscope.training.trainer import check_trainable
from rnnscope.views.report import ReportData, write_figures, write_report

MARKER = "study.json"
RECORDED = 131_072
"""Symbols of the test part that are recorded and scored."""
_SAMPLE = 1_000
_CONTEXT = 20
"""Symbols of context of the n-gram model that the network stands beside."""
_MAPPED = (1, 2, 3, 4, 6, 8)
"""Of the other n-grams on the map of models."""
_FARTHEST, _PLACES = 500, 200
"""Symbols of context that are read to see how far back the network looks, and places at which it is seen."""
_REFERENCES = range(1, 7)
"""Symbols of context of the n-grams that the network stands beside while it learns."""
_COMPARED = (
    "models", "overlap", "gains", "agreement", "distances", "errors", "others_errors", "gained", "contexts", "resting",
    "timescales", "dynamics", "emergence",
)  # fmt: skip


def default_recipe(
    architecture: Architecture | None = None, epochs: int = 100, updates: int = 5_000, seed: int = 0, snapshots: int = 0
) -> Recipe:
    """The recipe of a study: the same number of updates for a long text as for a short one, so that it takes minutes.

    With snapshots, the report says when the units appeared; each takes seconds to look at, so that there are none by default.
    """
    return Recipe(architecture=architecture or Architecture(), epochs=epochs, updates=updates, seed=seed, snapshots=snapshots)


@dataclass(frozen=True)
class Study:
    """A folder with everything about one text: run, traces, tables, figures, report."""

    path: Path

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def run(self) -> Run:
        return Run.open(self.path / "run")

    @property
    def trace(self) -> Trace:
        return Trace.open(self.path / "traces" / "trained")

    @cached_property
    def units(self) -> pd.DataFrame:
        """The best unit for each hypothesis, with its control; see `best_units`."""
        return read_table(self.path / "tables" / "units.parquet")

    @cached_property
    def saturation(self) -> pd.DataFrame:
        return read_table(self.path / "tables" / "saturation.parquet")

    @cached_property
    def errors(self) -> pd.DataFrame:
        """What kind each of the network's errors is; see `breakdown.Breakdown.table`."""
        return read_table(self.path / "tables" / "errors.parquet")

    @cached_property
    def gained(self) -> pd.DataFrame:
        """How many errors fewer the network makes than a 20-gram (`gained`), by `category`, and the errors of each."""
        return read_table(self.path / "tables" / "gained.parquet")

    @cached_property
    def distances(self) -> pd.DataFrame:
        """How likely a closing symbol is to the network and a 20-gram, for all pairs; see `comparison.distances`."""
        return read_table(self.path / "tables" / "distances.parquet")

    @cached_property
    def timescales(self) -> pd.DataFrame:
        """How long each unit keeps its state, where gates keep some; see `analysis.timescales`."""
        return read_table(self.path / "tables" / "timescales.parquet")

    @cached_property
    def dynamics(self) -> pd.DataFrame:
        """How near the network was to n-grams at each snapshot, where there are some; see `comparison.dynamics`."""
        return read_table(self.path / "tables" / "dynamics.parquet")

    @cached_property
    def emergence(self) -> pd.DataFrame:
        """How well the units of findings did at each snapshot, where there are some; see `findings.emergence`."""
        return read_table(self.path / "tables" / "emergence.parquet")

    @cached_property
    def contexts(self) -> pd.DataFrame:
        """How far back the network and a 20-gram look; see `comparison.contexts`."""
        return read_table(self.path / "tables" / "contexts.parquet")

    @cached_property
    def gains(self) -> pd.DataFrame:
        """Which symbols the network knows better than a 20-gram; see `comparison.gains`."""
        return read_table(self.path / "tables" / "gains.parquet")


def study(
    text: str | Path | Corpus = "python-stdlib",
    into: str | Path | None = None,
    *,
    recipe: Recipe | None = None,
    symbols: Any = None,
    language: str | None = None,
    watch: Watch = nobody,
) -> Study:
    """Train, record, score, and write a report on one text, into a folder (by default `studies/NAME`).

    `text` is a file, `-`, the name of a known corpus, or a corpus. A study that was stopped goes on where it stopped;
    what is done and still up to date isn't done again. Raises `CorpusError` for a text that can't be learned from and
    `OccupiedError` for a folder that holds something else or a study of another text.
    """
    corpus = text if isinstance(text, Corpus) else find(str(text), symbols=symbols, language=language)
    check_trainable(corpus)
    folder = Path(into) if into is not None else Path("studies") / (Path(corpus.name).stem.replace(" ", "-").strip(".") or "text")
    claim(folder, MARKER, "a study")
    _check_same(folder, corpus)
    clear_partial(folder, below=True)
    work = _Work(folder, corpus, recipe or default_recipe())
    steps = Steps(folder, work.steps())
    work.all_steps = steps
    steps.run(watch)
    return Study(folder)


def _check_same(folder: Path, corpus: Corpus) -> None:
    known = {"corpus": corpus.name, "fingerprint": corpus.fingerprint}
    path = folder / MARKER
    if path.exists():
        old = read_json(path, "the description of a study")
        if old.get("fingerprint") != corpus.fingerprint:
            raise OccupiedError(
                f"{folder} holds a study of another text ({old.get('corpus')}, {old.get('fingerprint')}); "
                "choose another folder with --out"
            )
    else:
        write_json(path, known)


class _Work:
    """The steps' work. Each method reads what earlier steps wrote, never what they held in memory."""

    all_steps: Steps

    def __init__(self, folder: Path, corpus: Corpus, recipe: Recipe) -> None:
        self.folder, self.corpus, self.recipe = folder, corpus, recipe
        self.study = Study(folder)
        self.hypotheses: list[Hypothesis] = hypotheses()

    def steps(self) -> list[Step]:
        claims = [(h.name, h.sentence, f"{type(h).__module__}:{type(h).__qualname__}") for h in self.hypotheses]
        known = {"version": __version__, "corpus": self.corpus.fingerprint, "language": self.corpus.language}
        scoring: Any = {"claims": claims}
        outputs = ("tables/dynamics.parquet", "tables/emergence.parquet")
        on_the_way = [Step("dynamics", self.dynamics, outputs, READ, ("score",))] if self.recipe.snapshots else []
        return [
            Step("train", self.train, ("run/model.safetensors",), {**known, "recipe": self.recipe.to_json()}),
            Step("record", self.record, ("traces/trained",), RECORDED, ("train",)),
            Step("score", self.score, ("tables/units.parquet", "tables/scores.parquet"), scoring, ("record",)),
            Step("cards", self.cards, ("cards.json",), None, ("score",)),
            Step("saturation", self.saturation, ("tables/saturation.parquet",), None, ("record",)),
            Step("timescales", self.timescales, ("tables/timescales.parquet",), None, ("record",)),
            Step(
                "compare",
                self.compare,
                tuple(f"tables/{name}.parquet" for name in ("models", "overlap", "gains", "agreement", "distances")),
                [_CONTEXT, _MAPPED, PAIRS],
                ("record",),
            ),
            Step("contexts", self.contexts, ("tables/contexts.parquet",), [_CONTEXT, _FARTHEST, _PLACES], ("train",)),
            Step("resting", self.resting, ("tables/resting.parquet",), _CONTEXT, ("score",)),
            Step(
                "errors",
                self.errors,
                ("tables/errors.parquet", "tables/others_errors.parquet", "tables/gained.parquet", "errors.json"),
                _CONTEXT,
                ("record",),
            ),
            Step("sample", self.sample, ("sample.json",), _SAMPLE, ("train",)),
            Step(
                "figures",
                self.figures,
                ("figures/units.png", "figures/units.svg", "figures/learning.svg"),
                None,
                ("score", "saturation", "timescales"),
            ),
            *on_the_way,
            Step(
                "report",
                self.report,
                ("report.html",),
                None,
                ("figures", "cards", "sample", "compare", "contexts", "resting", "errors", *(step.name for step in on_the_way)),
            ),
        ]

    def train(self, progress: Progress) -> None:
        train(self.recipe, self.corpus, self.folder / "run", resume=True, progress=progress)

    def record(self, progress: Progress) -> None:
        text = self.corpus.split("test").head(RECORDED)
        model, signals = self.study.run.model(), ("layer*/*", "log_prob", "entropy")
        # Not what memories are measured by: in half precision a gate that keeps all but 1/4096 of a state keeps all of it.
        half = [s.name for s in model.signals if s.name.startswith("layer") and not s.state and s.keeps <= 0]
        record(model, text, self.folder / "traces" / "trained", signals, half=half, overwrite=True, progress=progress)

    def score(self, progress: Progress) -> None:
        trace, run = self.study.trace, self.study.run
        best = examine(trace, self.hypotheses, ablated=isinstance(run.model(), RecurrentLM), progress=progress)
        about = {"model": trace.model, "corpus": trace.corpus.fingerprint, "left_out": best.attrs["left_out"]}
        write_table(self.folder / "tables" / "scores.parquet", best.attrs["scores"], about)
        write_table(self.folder / "tables" / "units.parquet", best, about)

    def cards(self, progress: Progress) -> None:
        trace, model, units = self.study.trace, self.study.run.model(), self.study.units
        found = units[units["finding"]]
        chosen = [h for h in self.hypotheses if h.name in set(found["hypothesis"])]
        made = [card.to_json() for card in cards(trace, found, chosen)]
        rows: Any = found.itertuples()
        for card, row in zip(made, rows, strict=True):
            card["connections"] = connections(model, row.signal, row.unit) if isinstance(model, RecurrentLM) else None
        write_json(self.folder / "cards.json", {"cards": made})

    def saturation(self, progress: Progress) -> None:
        trace = self.study.trace
        gates = any(s.gate for s in trace.signals)
        table = saturation(trace) if gates else pd.DataFrame(columns=list(COLUMNS))
        write_table(self.folder / "tables" / "saturation.parquet", table, {"model": trace.model})

    def timescales(self, progress: Progress) -> None:
        trace = self.study.trace
        keeps = any(s.keeps for s in trace.signals)
        table = timescales(trace) if keeps else pd.DataFrame(columns=list(TIMESCALES))
        write_table(self.folder / "tables" / "timescales.parquet", table, {"model": trace.model})

    def compare(self, progress: Progress) -> None:
        trace = self.study.trace
        ngram = self.ngram
        found = compare({"network": trace, ngram.name: ngram}, progress=progress)
        models: dict[str, LanguageModel | Trace] = {
            "network": trace,
            ngram.name: ngram,
            **{f"{n}-gram": ngram.shorter(n) for n in _MAPPED},
        }
        agreed = agreement(read_all(models, progress=progress)).rename_axis("model").reset_index()
        write_table(self.folder / "tables" / "agreement.parquet", agreed, {"model": trace.model})
        about = {"model": trace.model, "corpus": trace.corpus.fingerprint, "other": ngram.name}
        tables = {
            "models": found.models,
            "overlap": found.overlap,
            "gains": found.gains(),
            "distances": of_all_pairs(found.readings),
        }
        for name, table in tables.items():
            write_table(self.folder / "tables" / f"{name}.parquet", table, about)

    @cached_property
    def ngram(self) -> NGramLM:
        return NGramLM.fit(self.corpus.split("train"), _CONTEXT)

    def contexts(self, progress: Progress) -> None:
        text, ngram = self.corpus.split("test"), self.ngram
        lengths = [k for k in LENGTHS if k <= min(_FARTHEST, reach(text))]
        models: dict[str, LanguageModel] = {"network": self.study.run.model(), ngram.name: ngram}
        table = pd.DataFrame(columns=list(CONTEXTS))
        if lengths:
            table = contexts(models, text, lengths, places=_PLACES, progress=progress)
        write_table(self.folder / "tables" / "contexts.parquet", table, {"corpus": self.corpus.fingerprint})

    def resting(self, progress: Progress) -> None:
        trace = self.study.trace
        table = examples(self.study.run.model(), trace, self.ngram, self.study.units)
        write_table(self.folder / "tables" / "resting.parquet", table, {"model": trace.model})

    def errors(self, progress: Progress) -> None:
        trace = self.study.trace
        rules, about = oracles(), {"model": trace.model, "other": self.ngram.name}  # the same rules: n-grams are counted once
        found = errors(trace, self.corpus, rules, part=trace.corpus, progress=progress)
        other = errors(self.ngram, self.corpus, rules, part=trace.corpus)
        # The network's gain, whichever of the two is the better one.
        gain = gained(other, found).rename(columns={"worse": "other", "better": "network"}).drop(columns="share")
        for name, table in (("errors", found.table), ("others_errors", other.table), ("gained", gain)):
            write_table(self.folder / "tables" / f"{name}.parquet", table, about)
        seen = found.categories.query("errors > 0")["category"]
        excerpts = [{"category": name, "excerpts": [asdict(e) for e in found.excerpts(name)]} for name in seen]
        write_json(
            self.folder / "errors.json", {"errors": len(found.mistakes), "symbols": found.mistakes.symbols, "seen": excerpts}
        )

    def dynamics(self, progress: Progress) -> None:
        run, text = self.study.run, self.study.trace.corpus.head(READ)
        ngram = NGramLM.fit(self.corpus.split("train"), max(_REFERENCES))
        table = dynamics(run, {f"{n}-gram": ngram.shorter(n) for n in _REFERENCES}, text, progress=progress)
        found = self.study.units[self.study.units["finding"]]
        told = [h for h in self.hypotheses if h.name in set(found["hypothesis"])]
        untold = Labels(told, text).left_out  # by the beginning of the text, which is what is read so often
        found = found[~found["hypothesis"].isin(untold)]
        units = emergence(run, found, text, progress=progress) if len(found) else pd.DataFrame(columns=list(EMERGENCE))
        about = {"corpus": text.fingerprint, "left_out": untold}
        for name, each in (("dynamics", table), ("emergence", units)):
            write_table(self.folder / "tables" / f"{name}.parquet", each, about)

    def sample(self, progress: Progress) -> None:
        with computing():
            model = self.study.run.model()
            text = sample(model, length=_SAMPLE, temperature=0.7)
        shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        write_json(self.folder / "sample.json", {"temperature": 0.7, "seed": 0, "symbols": len(text), "text": shown})

    def figures(self, progress: Progress) -> None:
        write_figures(self.data(), self.folder / "figures")

    def report(self, progress: Progress) -> None:
        write_text(self.folder / "report.html", write_report(self.data()))

    def data(self) -> ReportData:
        sample_path, cards_path, errors_path = (self.folder / f"{name}.json" for name in ("sample", "cards", "errors"))
        return ReportData(
            corpus=self.corpus,
            run=self.study.run,
            parameters=self.study.run.model().parameter_count(),
            trace=self.study.trace,
            units=self.study.units,
            saturation=self.study.saturation,
            hypotheses={h.name: h for h in self.hypotheses},
            left_out=dict(self.study.units.attrs["left_out"]),
            tables={name: read_table(path) for name in _COMPARED if (path := self.folder / "tables" / f"{name}.parquet").exists()},
            errors=read_json(errors_path, "the errors of a study") if errors_path.exists() else {},
            cards=read_json(cards_path, "the cards of a study")["cards"] if cards_path.exists() else [],
            sample=read_json(sample_path, "a sample") if sample_path.exists() else {},
            # The page can't know how long it takes itself, also where it is made again.
            seconds={name: seconds for name, seconds in self.all_steps.seconds().items() if name != "report"},
            machine=f"{platform.machine()}, Python {platform.python_version()}, rnnscope {__version__}",
        )
