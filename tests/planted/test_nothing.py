"""Where nothing is to be found nothing is found more often than is allowed: findings, and the p-values they rest on."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import rnnscope as rs
from rnnscope.analysis.labels import Labels
from rnnscope.analysis.sources import FromModel
from rnnscope.models.threads import computing
from rnnscope.planted import own, planted_corpus, planted_network, random_network
from rnnscope.planted.networks import HYPOTHESES
from rnnscope.planted.tasks import Task, Truth
from rnnscope.planted.texts import shuffled

SYMBOLS, SEGMENT = 12_288, 1_024
RATE = 0.05
INDEPENDENT = ("double_quotes", "round_depth", "column", "indentation")
"""Of the hypotheses, those that don't follow from each other."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with computing():
        yield


def segmented(corpus: rs.Corpus) -> rs.Corpus:
    """In segments, which are read side by side: the same test in a fraction of the time."""
    return rs.Corpus(corpus.name, corpus.vocabulary, corpus.ids, bounds=np.arange(0, len(corpus) + 1, SEGMENT))


def at_most(tries: int, rate: float) -> int:
    """So many of the tries hit at most, except in one of a thousand experiments, if each does so at this rate."""
    return int(scipy.stats.binom.isf(1e-3, tries, rate))


@pytest.mark.slow
def test_random_networks() -> None:
    corpus = segmented(planted_corpus(SYMBOLS, seed=100))
    labels = Labels(rs.hypotheses(list(INDEPENDENT)), corpus)
    tables = []
    for seed in range(200):
        model = random_network("lstm", 24, seed).model
        tables.append(rs.score(FromModel(model, corpus), labels=labels, controls=False, threads=1))
    found = 0
    for k, table in enumerate(tables):
        others = [tables[(k + j) % len(tables)] for j in range(1, 6)]
        found += bool(rs.best_units(table, others)["significant"].any())
    assert found <= at_most(len(tables), RATE), found


@pytest.mark.slow
def test_shuffled_texts() -> None:
    found, rows = 0, 0
    for seed in range(20):
        made = planted_network("lstm" if seed % 2 else "gru", 32, seed)
        corpus = planted_corpus(SYMBOLS, seed)
        read = segmented(shuffled(corpus, seed))
        ranking = own(Task(Truth("shuffled", made.cell, seed, "shuffled", 32, ()), made, read, segmented(corpus)))
        found += bool(ranking["finding"].any())
        rows += ranking["hypothesis"].nunique()
    assert rows == 20 * len(HYPOTHESES)
    assert found <= at_most(20, RATE), found


@pytest.mark.slow
def test_p_values_of_labels_that_have_nothing_to_do_with_the_units() -> None:
    """Labels of one text, units of a network that reads another: the smallest p-value of all units is uniform."""
    best, chosen = [], []
    for k in range(30):
        made = planted_network("lstm", 24, k) if k % 2 else random_network("lstm", 24, k)
        labels = Labels(rs.hypotheses(list(INDEPENDENT)), segmented(planted_corpus(SYMBOLS, 2000 + k)))
        source = FromModel(made.model, segmented(planted_corpus(SYMBOLS, 1000 + k)))
        table: pd.DataFrame = rs.score(source, labels=labels, controls=False, threads=1)
        by_hypothesis = table.groupby("hypothesis", sort=False)["p_value"]
        best += by_hypothesis.min().tolist()
        chosen += by_hypothesis.first().tolist()
    assert len(best) == 30 * len(INDEPENDENT)
    for level in (0.01, 0.05):
        assert sum(p <= level for p in best) <= at_most(len(best), level), level
        assert sum(p <= level for p in chosen) <= at_most(len(chosen), level), level
    # and no more careful than they have to be: half of the time the smallest is below a half
    assert scipy.stats.binom.cdf(sum(p <= 0.5 for p in best), len(best), 0.5) > 1e-3
