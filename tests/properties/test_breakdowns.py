"""Laws of what removes errors, on any text, each oracle against its sentence in plain Python."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import rnnscope as rs
from rnnscope.breakdown import gained
from rnnscope.breakdown.oracles import Boost, Memory, NGrams, Punctuation, RareWord, WordModel
from rnnscope.corpora.splits import SplitRule
from tests.unit.test_comparison import Told

some = settings(deadline=None, derandomize=True, max_examples=30)
seeds = st.integers(0, 10_000)
ORACLES = [NGrams([1, 2]), Memory(8), Memory(30), RareWord(0), RareWord(2), WordModel(), Punctuation(), Boost(0.1), Boost(0.3)]


@dataclass
class Case:
    """A text, and two models of what they say of its test part."""

    corpus: rs.Corpus
    right: NDArray[np.float64]

    def errors(self, oracles: list[rs.Oracle], k: int = 0) -> rs.Breakdown:
        return rs.errors(Told(str(k), self.corpus.split("test"), self.right[k]), self.corpus, oracles)

    @property
    def wrong(self) -> list[tuple[int, float]]:
        """Where the first model is wrong in the whole text, and its probability there."""
        at = [start + i for start, stop in self.corpus.rule.spans("test", len(self.corpus)).tolist() for i in range(stop - start)]
        said = zip(at, self.right[0].tolist(), strict=True)
        return [(place + 1, p) for place, p in said if p < 0.5 and place + 1 < len(self.corpus)]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rules: list[SplitRule] = [rs.ContiguousSplit(0.5, 0.1), rs.StreamSplit(0.5, 0.25, batch=2, length=3)]
    rule = draw(st.sampled_from(rules))
    corpus = rs.Corpus.from_text(draw(st.text("aab' \"’,é1_\n\r", min_size=40, max_size=120)), rule=rule)
    high = draw(st.sampled_from([0.5, 0.6, 0.99]))  # all wrong, most, half
    right = np.random.default_rng(draw(seeds)).uniform(0.01, high, (2, len(corpus.split("test"))))
    right[1][right[1] < draw(st.sampled_from([0.0, 0.2, 0.5]))] = 0.8
    return Case(corpus, right)


@some
@given(cases(), st.permutations(range(len(ORACLES))), st.integers(0, len(ORACLES)))
def test_every_error_is_removed_once_by_the_first_that_does(case: Case, order: list[int], count: int) -> None:
    oracles = [ORACLES[k] for k in order[:count]]
    found = case.errors(list(oracles))
    table, mistakes = found.table, found.mistakes
    assert list(zip(mistakes.at.tolist(), np.round(mistakes.probability, 5).tolist(), strict=True)) == [
        (at, round(p, 5)) for at, p in case.wrong
    ]
    said = [oracle.removes(mistakes).tolist() for oracle in oracles]
    first = [next((k for k, each in enumerate(said) if each[i]), len(oracles)) for i in range(len(mistakes))]
    assert found.removed.tolist() == first
    assert table["oracle"].tolist() == [o.name for o in oracles] + ["left"] * (len(oracles) in first)
    assert table["errors"].tolist() == [first.count(k) for k in range(len(table))]
    assert table["left"].tolist() == [sum(each > k for each in first) for k in range(len(table))]
    bits = -np.log2(mistakes.probability) / mistakes.symbols
    np.testing.assert_allclose(table["bits"], [bits[found.removed == k].sum() for k in range(len(table))])
    for each in (table, found.categories):
        assert each["errors"].sum() == len(mistakes)
        assert each["share"].sum() == pytest.approx(1 if len(mistakes) else 0)
        assert each["bits"].sum() == pytest.approx(bits.sum())
    assert mistakes.symbols == int((case.corpus.split("test").next_ids() >= 0).sum())
    assert found.rate == len(mistakes) / mistakes.symbols


@some
@given(cases(), st.permutations(range(len(ORACLES))))
def test_what_no_oracle_removes_does_not_depend_on_their_order(case: Case, order: list[int]) -> None:
    one, other = case.errors(list(ORACLES)), case.errors([ORACLES[k] for k in order])
    np.testing.assert_array_equal(one.removed == len(ORACLES), other.removed == len(ORACLES))


@some
@given(cases(), st.integers(0, len(ORACLES)), st.integers(0, len(ORACLES)))
def test_what_is_gained_adds_up_to_the_difference(case: Case, few: int, many: int) -> None:
    worse, better = case.errors(list(ORACLES[:few])), case.errors(list(ORACLES[:many]), 1)  # each with categories of its own
    table = gained(worse, better)
    difference = len(worse.mistakes) - len(better.mistakes)
    assert (table["worse"].sum(), table["better"].sum()) == (len(worse.mistakes), len(better.mistakes))
    assert (table["gained"] == table["worse"] - table["better"]).all()
    assert table["gained"].sum() == difference
    assert table["share"].sum() == pytest.approx(1 if difference else 0)
    assert table["category"].is_unique
    turned = gained(better, worse).set_index("category")["gained"]
    assert turned.to_dict() == (-table.set_index("category")["gained"]).to_dict()


def words(text: str) -> list[str]:
    """The word that each symbol is in, or nothing."""
    letters = [c.isalnum() or c in "'’" for c in text]
    found = []
    for i in range(len(text)):
        start, stop = i, i
        while letters[i] and start and letters[start - 1]:
            start -= 1
        while stop < len(text) and letters[i] and letters[stop]:
            stop += 1
        found.append(text[start:stop])
    return found


def often(case: Case) -> Counter[str]:
    """How often each word begins in each piece of the training part."""
    counted: Counter[str] = Counter()
    for start, stop in case.corpus.rule.spans("train", len(case.corpus)).tolist():
        piece = case.corpus.to_str(start, stop)
        inside = words(piece)
        counted.update(word for i, word in enumerate(inside) if word and not (i and inside[i - 1]))
    return counted


QUOTES = '"“”«»„‟‹›`'


def rare(case: Case, at: int, _: float, times: int) -> bool:
    word = words(case.corpus.to_str())[at]
    return bool(word) and often(case)[word] <= times


def after_a_blank(case: Case, at: int, _: float) -> bool:
    return case.corpus.to_str()[at - 1] in " \r\n" + QUOTES


def no_letter(case: Case, at: int, _: float) -> bool:
    c = case.corpus.to_str()[at]
    return not c.isalnum() and not c.isspace() and c not in QUOTES + "'’‘"


SENTENCES: list[tuple[rs.Oracle, Callable[[Case, int, float], bool]]] = [
    (RareWord(0), lambda case, at, p: rare(case, at, p, 0)),
    (RareWord(1), lambda case, at, p: rare(case, at, p, 1)),
    (RareWord(3), lambda case, at, p: rare(case, at, p, 3)),
    (WordModel(), after_a_blank),
    (Punctuation(), no_letter),
    (Boost(0.1), lambda _, at, p: p + 0.1 > 0.5),
    (Boost(0.5), lambda _, at, p: p + 0.5 > 0.5),
]


@some
@given(cases())
def test_oracles_do_what_their_sentences_say(case: Case) -> None:
    mistakes = case.errors([]).mistakes
    for oracle, says in SENTENCES:
        assert oracle.removes(mistakes).tolist() == [says(case, at, p) for at, p in case.wrong], oracle.name
