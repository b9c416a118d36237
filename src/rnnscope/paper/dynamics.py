"""Training dynamics, the second half of the paper's figure 5: how near a 3-layer LSTM is to n-NNs and n-grams at first, and (not
in the paper) when its units appear."""

from pathlib import Path

import pandas as pd

from rnnscope.comparison.dynamics import closest, dynamics
from rnnscope.corpora import Corpus
from rnnscope.corpora.named import corpus as named
from rnnscope.findings.emergence import appearances, emergence
from rnnscope.models import Architecture
from rnnscope.ngrams import NGramLM
from rnnscope.paper.material import kept
from rnnscope.paper.provenance import commit, machine
from rnnscope.progress import Progress, silent
from rnnscope.protocol import LanguageModel
from rnnscope.training import Recipe, Run, recipe, train
from rnnscope.training.trainer import divided
from rnnscope.views import dynamics as draw
from rnnscope.views.drawn import Drawn, write

EPOCHS = 3
CONTEXTS = range(10)
"""Of the n-grams; after no symbol at all, too."""
_DRAWN = range(7)  # longer ones lie on the line of the 6-gram
_CLAIMS = (
    "in_word", "newline", "word_position", "column", "double_quotes", "capital_word",
    "comment", "string", "condition", "curly_depth",
)  # fmt: skip
"""Of which units are drawn; the tables have all that the text can test."""
_SIZE, _LAYERS, _SNAPSHOTS = 256, 3, 4


def protocol(symbols: int, epochs: int = EPOCHS) -> Recipe:
    """The paper's protocol for its 3-layer LSTM of size 256 on a text of so many distinct symbols, with snapshots."""
    shape = Architecture.matched("lstm", _LAYERS, _SIZE, symbols)
    return recipe("karpathy2015", architecture=shape, epochs=epochs, snapshots=_SNAPSHOTS)


def trained(text: str, runs: Path, epochs: int = EPOCHS, progress: Progress = silent) -> Run:
    """The run in `runs`, trained or trained to its end if it isn't there; two minutes on one core for three epochs."""
    corpus = named(text)
    return train(protocol(len(corpus.vocabulary), epochs), corpus, runs / f"{text}-{epochs}", resume=True, progress=progress)


def references(text: str, weights: Path, train_part: Corpus) -> dict[str, LanguageModel]:
    """The n-NNs of a text among the weights, and n-grams of its training part."""
    ngram = NGramLM.fit(train_part, max(CONTEXTS))
    windows: dict[str, LanguageModel] = {one.name: one.run.model() for one in kept(text, weights) if one.kind == "n-NN"}
    return windows | {f"{n}-gram": ngram.shorter(n) for n in CONTEXTS}


def figure(run: Run, text: str, weights: Path, progress: Progress = silent) -> Drawn:
    """Divergences and differences of loss on the whole test part: all in tables, contexts of up to six symbols drawn."""
    whole = divided(named(text), run.recipe)
    table = dynamics(run, references(text, weights, whole.split("train")), whole.split("test"), progress=progress)
    drawn = Drawn({"dynamics": table, "dynamics-closest": closest(table)})
    number, kind = (table["reference"].str.split("-").str[k] for k in (0, 1))
    for name in kind.unique():
        some = table[(kind == name) & number.astype(int).isin(_DRAWN)]
        drawn.figures[f"dynamics-n-{name}-kl"] = draw.divergence(some)
        drawn.figures[f"dynamics-n-{name}-difference"] = draw.differences(some)
    return drawn


def units(run: Run, text: str, progress: Progress = silent) -> Drawn:
    """How well the units that are best in the end tell their claims at each snapshot, and when they appear."""
    table = emergence(run, None, divided(named(text), run.recipe).split("test"), progress=progress)
    shown = table[table["hypothesis"].isin(_CLAIMS)]
    return Drawn({"dynamics-units": table, "dynamics-appearances": appearances(table)}, {"dynamics-units": draw.units(shown)})


def make(run: Run, results: Path, text: str, progress: Progress = silent) -> list[Path]:
    """Keep the tables and pictures in `results/figure5`, beside how they were made. Returns the files."""
    drawn, appear = figure(run, text, results / "weights", progress), units(run, text, progress)
    drawn = Drawn(drawn.tables | appear.tables, drawn.figures | appear.figures)
    last = run.snapshots[-1]
    about = {"text": text, "network": run.model(at=last.update).fingerprint, "commit": commit(), "machine": machine()}
    drawn.tables["dynamics-about"] = pd.DataFrame([about])
    return write(drawn, results / "figure5", text)
