"""How alike models predict: the map of models. Source: PAPER section 6, figure 1."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import squareform

from rnnscope.comparison.readings import Readings
from rnnscope.exceptions import UsageError

_FEWEST = 5  # models that t-SNE makes anything of


def agreement(readings: Readings) -> pd.DataFrame:
    """The share of symbols at which two models hold the same symbol for likeliest, (models, models).

    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 20)
    >>> ngram = rs.NGramLM.fit(text.split("train"), context=5)
    >>> from rnnscope.comparison import read_all
    >>> said = read_all({"5-gram": ngram, "4-gram": ngram.shorter(4), "0-gram": ngram.shorter(0)}, text.split("test"))
    >>> agreement(said).loc["5-gram"].round(2).tolist()
    [1.0, 1.0, 0.27]
    """
    said = readings.likeliest
    shares = np.array([(one == said).mean(axis=1) for one in said])
    return pd.DataFrame(shares, index=list(readings.names), columns=list(readings.names))


def tree(table: pd.DataFrame) -> NDArray[np.float64]:
    """Hierarchical clustering of 1 − agreement by average linkage: SciPy's linkage matrix, (models − 1, 4).

    Raises `UsageError` for fewer than 2 models.

    >>> table = pd.DataFrame([[1, 0.9, 0.2], [0.9, 1, 0.2], [0.2, 0.2, 1]], ["a", "b", "c"], ["a", "b", "c"])
    >>> tree(table).round(2).tolist()  # a and b meet at 0.1; with c, which is number 2, at 0.8
    [[0.0, 1.0, 0.1, 2.0], [2.0, 3.0, 0.8, 3.0]]
    """
    if len(table) < 2:
        raise UsageError(f"a tree of {len(table)} model has no branch; expected at least 2 models")
    found: NDArray[np.float64] = linkage(squareform(_distances(table), checks=False), "average")
    return found


def branches(table: pd.DataFrame) -> pd.DataFrame:
    """The same tree as rows, the nearest first: what `one` and the `other` branch are (a model, or `branch` and the number of a
    row before), the mean `distance` between their models, how many `models` they have together.

    >>> table = pd.DataFrame([[1, 0.9, 0.2], [0.9, 1, 0.2], [0.2, 0.2, 1]], ["a", "b", "c"], ["a", "b", "c"])
    >>> branches(table).round(2).values.tolist()
    [['a', 'b', 0.1, 2], ['c', 'branch 0', 0.8, 3]]
    """
    names = [*table.index, *(f"branch {k}" for k in range(len(table)))]
    rows = [(names[int(a)], names[int(b)], distance, int(size)) for a, b, distance, size in tree(table)]
    return pd.DataFrame(rows, columns=["one", "other", "distance", "models"])


def layout(table: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Models on a plane, near where they agree: `model`, `x`, `y`.

    By t-SNE of 1 − agreement, at a third of the models as perplexity (30 at most); fewer than five models by principal
    coordinates of the same distances.

    >>> table = pd.DataFrame([[1, 0.9, 0.2], [0.9, 1, 0.2], [0.2, 0.2, 1]], ["a", "b", "c"], ["a", "b", "c"])
    >>> places = layout(table).set_index("model")[["x", "y"]]
    >>> round(float(np.linalg.norm(places.loc["a"] - places.loc["c"])), 2)  # as far apart as they disagree
    0.8
    """
    distances = _distances(table)
    if len(table) < _FEWEST:
        places = _principal(distances)
    else:
        from sklearn.manifold import TSNE  # slow to import

        perplexity = min(30.0, (len(table) - 1) / 3)
        places = TSNE(metric="precomputed", init="random", perplexity=perplexity, random_state=seed).fit_transform(distances)
    return pd.DataFrame({"model": list(table.index), "x": places[:, 0].astype(float), "y": places[:, 1].astype(float)})


def _distances(table: pd.DataFrame) -> NDArray[np.float64]:
    distances = 1 - table.to_numpy(np.float64)
    np.fill_diagonal(distances, 0.0)
    return distances


def _principal(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    size = len(distances)
    centre = np.eye(size) - 1 / size
    values, vectors = np.linalg.eigh(-0.5 * centre @ distances**2 @ centre)
    found = vectors[:, ::-1] * np.sqrt(np.maximum(values[::-1], 0))
    return np.concatenate([found, np.zeros((size, 2))], axis=1)[:, :2]
