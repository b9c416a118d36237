"""Every planted unit does what it is said to do, to the value, and with a rank correlation of 1 on any text."""

import numpy as np
import pytest
import scipy.stats
from numpy.typing import NDArray

import rnnscope as rs
from rnnscope.analysis.hypotheses.base import label
from rnnscope.analysis.hypotheses.language import language_of
from rnnscope.exceptions import UsageError
from rnnscope.planted import gru, lstm, planted_corpus, planted_network
from rnnscope.planted.networks import CLAIMS, COPIES, HYPOTHESES, PlantedNetwork
from rnnscope.planted.tasks import tasks

TEXT = '\n  ab "c(d\n\n   e" ((f)) g)\n\nh "i" j'
STATE = {"lstm": "layer0/cell", "gru": "layer0/hidden"}


def states(made: PlantedNetwork, corpus: rs.Corpus) -> NDArray[np.float32]:
    name = STATE[made.cell]
    return np.concatenate([block.arrays[name] for block in made.model.read(corpus, [name])])


def counted() -> dict[str, NDArray[np.float64]]:
    """By hand, symbol by symbol: whether a quote is open, the open brackets, the column and the indentation of `TEXT`."""
    inside, depth, column, indent, leading, rows = 0, 0, 0, 0, True, []
    for symbol in TEXT:
        inside ^= symbol == '"'
        depth += {"(": 1, ")": -1}.get(symbol, 0)
        leading = symbol == "\n" or (leading and symbol == " ")
        column = 0 if symbol == "\n" else column + 1
        indent = 0 if symbol == "\n" else indent + (leading and symbol == " ")
        rows.append((inside, depth, column, indent))
    return dict(zip(("inside", "depth", "column", "indent"), np.array(rows, float).T, strict=True))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_states_are_what_is_said(cell: str) -> None:
    made = planted_network(cell, seed=4)
    found, known = states(made, rs.Corpus.from_text(TEXT, vocabulary=made.model.vocabulary)), counted()
    first_quote = np.arange(len(TEXT)) >= TEXT.index('"')
    wanted = {
        "lstm": {
            "latch": known["inside"],
            "counter": known["depth"] / 2,
            "ramp": lstm.STEP * (known["column"] + 1),
            "decay": lstm.KEPT ** known["column"],
            "memory": lstm.BLANK * known["indent"],
        },
        "gru": {
            "latch": np.where(first_quote, 2 * known["inside"] - 1, 0),
            "counter": np.tanh(gru.LEVEL * known["depth"]),
            "ramp": 1 - gru.RAMP ** known["column"],
            "decay": gru.KEPT ** known["column"],
            "memory": 1 - gru.BLANK ** known["indent"],
        },
    }[cell]
    for unit in made.truth:
        sign = unit.polarity * CLAIMS[unit.kind][unit.hypothesis]
        np.testing.assert_allclose(sign * found[:, unit.unit], wanted[unit.kind], atol=3e-6, err_msg=str(unit))
    assert sorted({unit.kind for unit in made.truth}) == sorted(CLAIMS)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_equal_labels_have_equal_values(cell: str) -> None:
    made, corpus = planted_network(cell, seed=1), planted_corpus(10_000, seed=1)
    found, labels = states(made, corpus), label(rs.hypotheses(list(HYPOTHESES)), corpus)
    binary = {h.name for h in rs.hypotheses(list(HYPOTHESES)) if h.kind == "binary"}
    for unit in made.truth:
        value = unit.polarity * found[:, unit.unit]
        if unit.hypothesis in binary:
            holds = labels[unit.hypothesis] > 0
            assert value[holds].min() > value[~holds].max() + 0.1, unit
        else:
            assert scipy.stats.spearmanr(value, labels[unit.hypothesis])[0] > 0.9999, unit


def test_half_of_the_units_are_flipped_and_places_are_random() -> None:
    places = []
    for seed in range(3):
        made = planted_network("gru", seed=seed)
        for hypothesis in HYPOTHESES:
            signs = [unit.polarity for unit in made.truth if unit.hypothesis == hypothesis]
            assert len(signs) % COPIES == 0
            assert sum(signs) == 0
        units = [*{unit.unit for unit in made.truth}, *made.helpers]
        assert len(units) == len(set(units)) == COPIES * len(CLAIMS) + 5
        places.append(sorted(units))
    assert places[0] != places[1] != places[2]


def test_kernels_agree_with_the_equations() -> None:
    for cell in STATE:
        made = planted_network(cell, seed=2)
        made.model.verify(planted_corpus(1000, seed=2))


def test_text_has_no_period_and_no_language() -> None:
    corpus = planted_corpus(20_000, seed=5)
    lines = [line for line in corpus.to_str().split("\n") if len(line) > 10]
    assert len(set(lines)) == len(lines)
    assert all(language_of(planted_corpus(n, seed)) is None for seed in range(3) for n in (1000, 8000))
    labels = label(rs.hypotheses(list(HYPOTHESES)), corpus)
    assert {4.0} <= set(labels["round_depth"]) <= {0.0, 1.0, 2.0, 3.0, 4.0}
    assert len(set(labels["indentation"])) > 8


def test_what_makes_no_sense_is_refused_in_one_line() -> None:
    with pytest.raises(UsageError, match="too few to hide"):
        planted_network("lstm", units=10)
    with pytest.raises(UsageError, match="expected one of lstm, gru"):
        planted_network("rnn")
    with pytest.raises(UsageError, match=r"at least 1,000 symbols, not 10"):
        planted_corpus(10)
    with pytest.raises(UsageError, match="expected at least 1"):
        next(tasks(["lstm"], 0, 64, 1000, 0))
