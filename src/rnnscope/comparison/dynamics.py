"""Training dynamics: how near a network is to simpler models after more and more updates.

A network that learns becomes like a model that sees one symbol first, then like models that see two, three, …, and leaves them
behind. This looks at the snapshots that a training kept (`Recipe.snapshots`). Source: PAPER section 6, figure 5.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from rnnscope.comparison.divergence import check_references, divergences
from rnnscope.corpora import Corpus
from rnnscope.exceptions import UsageError, expect, expect_table, expect_whole
from rnnscope.progress import Progress, silent
from rnnscope.protocol import LanguageModel
from rnnscope.training import Run
from rnnscope.training.run import TO_KEEP
from rnnscope.training.snapshots import Snapshot
from rnnscope.training.texts import text_of

COLUMNS = ("model", "reference", "update", "epochs", "symbols", "kl", "nats", "difference")
_WEIGHTS = 2**26  # that are in memory at once


def dynamics(
    run: Run | str | Path,
    references: Mapping[str, LanguageModel],
    corpus: Corpus | None = None,
    *,
    symbols: int | None = None,
    progress: Progress = silent,
) -> pd.DataFrame:
    """The network of a run at each of its snapshots beside some references (n-NNs, n-grams, any language models by their names).

    Read is `corpus`, or the test part of the run's own text, or only its first `symbols`. A row for each snapshot and reference, in
    this order:

    - `model`: the run's name; `reference`; `update` and `epochs`: when the weights were kept; `symbols`: predicted.
    - `kl`: the symmetric Kullback-Leibler divergence D(p‖q) + D(q‖p) of the next symbol's distributions, not halved, mean over the
      text, nats. Infinite where a reference rules out what the network holds for possible (n-grams of tiny texts do).
    - `nats`: the network's loss per symbol; `difference`: that less the reference's, negative once the network is better.

    See `nearest` and `closest` for what follows from it. Memory doesn't grow with the text. The networks' reading takes most of
    the time: all snapshots read the text once; references read it once for every 2²⁶ weights of all snapshots.

    Raises `UsageError` for a run without snapshots, no references, other vocabularies, and a text with nothing to predict.

    >>> import tempfile
    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 30)
    >>> recipe = rs.Recipe(architecture=rs.Architecture("lstm", 1, 6), epochs=1, batch=4, length=100, warmup=1, snapshots=1)
    >>> ngram = rs.NGramLM.fit(text.split("train"), context=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = rs.train(recipe, text, folder + "/run")
    ...     table = rs.dynamics(run, {"2-gram": ngram, "0-gram": ngram.shorter(0)}, text.split("test"))
    >>> rs.nearest(table)["reference"].tolist()[0]  # a network that has learned nothing
    '0-gram'
    """
    run = opened(run)
    kept = snapshots_of(run)
    check_references(references)
    text = text_to_read(run, corpus, symbols)
    tables, done = [], 0
    for some in _batches(run, kept):
        models: dict[str, LanguageModel] = {str(each.update): run.model(at=each.update) for each in some}
        table = divergences(models, references, text, progress=_share(progress, done, len(some), len(kept)))
        at = {str(each.update): each for each in some}
        table["update"] = [at[name].update for name in table["model"]]
        table["epochs"] = [at[name].epochs for name in table["model"]]
        tables.append(table.assign(model=run.path.resolve().name))
        done += len(some)
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)]


def _share(progress: Progress, before: int, some: int, all_: int) -> Progress:
    """What tells how far reading by some of all networks is, as part of the whole."""

    def share(done: int, total: int, note: str = "") -> None:
        progress(before * total + done * some, all_ * total, note)

    return share


def opened(run: Run | str | Path) -> Run:
    expect(run, Run | str | Path, "a run or its folder, as rs.train gives it")
    return run if isinstance(run, Run) else Run.open(run)


def snapshots_of(run: Run) -> list[Snapshot]:
    """Raises `UsageError` where a run has none."""
    kept = run.snapshots
    if not kept:
        raise UsageError(f"{run.path} keeps no weights on the way; {TO_KEEP}")
    return kept


def text_to_read(run: Run, corpus: Corpus | None, symbols: int | None) -> Corpus:
    """A corpus, or the test part of a run's own text; or the beginning of it."""
    text = text_of(run)[0].split("test") if corpus is None else corpus
    expect(text, Corpus, "a Corpus; rs.Corpus.from_file(path) reads one")
    if symbols is None:
        return text
    expect_whole("symbols", symbols, 2)
    return text.head(symbols)


def _batches(run: Run, kept: list[Snapshot]) -> Iterator[list[Snapshot]]:
    size = max(1, _WEIGHTS // run.recipe.architecture.parameters(len(run.vocabulary)))
    return (kept[at : at + size] for at in range(0, len(kept), size))


def nearest(table: pd.DataFrame) -> pd.DataFrame:
    """To which reference the network is nearest at each snapshot of a table of `dynamics`: `update epochs nats reference kl`.

    >>> rows = [("run", "1-gram", 0, 0.0, 9, 2.0, 3.0, 0.5), ("run", "2-gram", 0, 0.0, 9, 3.0, 3.0, 1.0),
    ...         ("run", "1-gram", 8, 1.0, 9, 1.5, 2.0, -0.5), ("run", "2-gram", 8, 1.0, 9, 0.5, 2.0, 0.1)]  # fmt: skip
    >>> table = pd.DataFrame(rows, columns=list(COLUMNS))
    >>> nearest(table)["reference"].tolist()
    ['1-gram', '2-gram']
    """
    expect_table(table, ("update", "reference", "kl"), "rs.dynamics")
    rows = table.loc[table.groupby("update", sort=True)["kl"].idxmin()]
    return rows[["update", "epochs", "nats", "reference", "kl"]].reset_index(drop=True)


def closest(table: pd.DataFrame) -> pd.DataFrame:
    """When the network is closest to each reference of a table of `dynamics`.

    Columns: `reference update epochs kl nats difference`, of the snapshot with the least divergence from it, and `overtaken`, in
    epochs: at the first snapshot from which on the network's loss stays below the reference's, NaN where there is none.

    >>> rows = [("run", "1-gram", 0, 0.0, 9, 2.0, 3.0, 0.5), ("run", "2-gram", 0, 0.0, 9, 3.0, 3.0, 1.0),
    ...         ("run", "1-gram", 8, 1.0, 9, 1.5, 2.0, -0.5), ("run", "2-gram", 8, 1.0, 9, 0.5, 2.0, 0.1)]  # fmt: skip
    >>> table = pd.DataFrame(rows, columns=list(COLUMNS))
    >>> closest(table)[["reference", "update", "kl", "overtaken"]].values.tolist()
    [['1-gram', 8, 1.5, 1.0], ['2-gram', 8, 0.5, nan]]
    """
    expect_table(table, ("update", "reference", "kl"), "rs.dynamics")
    rows = table.loc[table.groupby("reference", sort=False)["kl"].idxmin()].set_index("reference", drop=False)
    ahead = {}
    for name, part in table.groupby("reference", sort=False):
        behind = ~(part.sort_values("update")["difference"] < 0).to_numpy()  # two infinite losses have none
        first = len(behind) - int(behind[::-1].argmax()) if behind.any() else 0
        ahead[name] = float(part.sort_values("update")["epochs"].iloc[first]) if first < len(behind) else float("nan")
    rows["overtaken"] = pd.Series(ahead)
    return rows[["reference", "update", "epochs", "kl", "nats", "difference", "overtaken"]].reset_index(drop=True)
