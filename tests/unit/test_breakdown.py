"""Oracles one by one on texts that can be checked by hand, and the breakdown that they make."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rnnscope as rs
from rnnscope.breakdown import Mistakes, gained
from rnnscope.breakdown.oracles import Boost, Memory, NGrams, Punctuation, RareWord, WordModel
from rnnscope.breakdown.words import WORD, Words
from rnnscope.exceptions import UsageError
from tests.unit.test_comparison import Told


def mistakes(text: str, at: list[int] | None = None, p: float = 0.2, train: str = "") -> Mistakes:
    whole = rs.Corpus.from_text(text + train)
    learned = rs.Corpus.from_text(train or text, vocabulary=whole.vocabulary)
    places = np.arange(len(text)) if at is None else np.array(at)
    return Mistakes(whole, learned, places, np.full(len(places), p), len(text))


def removed(oracle: rs.Oracle, given_: Mistakes) -> str:
    """The symbols that an oracle removes, the others as dots."""
    said = oracle.removes(given_)
    assert said.dtype == bool
    return "".join(c if yes else "." for c, yes in zip(given_.characters, said, strict=True))


def test_a_memory_of_n_symbols() -> None:
    text = "the cat, then the Cat's cat the"
    assert removed(Memory(100), mistakes(text)) == "...............he........at..he"
    # 'cat' at 24 began 4 behind; its symbols at 25 and 26 are 21 and 22 behind that
    assert removed(Memory(21), mistakes(text)) == "...............he........a...he"
    assert removed(Memory(15), mistakes(text)) == "." * 15 + "h" + "." * 13 + "h."
    assert removed(Memory(1), mistakes(text)) == "." * len(text)


@given(st.text("ab '\r\n,", min_size=1, max_size=60), st.integers(1, 30))
def test_memory_is_its_definition(text: str, symbols: int) -> None:
    spans = [m.span() for m in WORD.finditer(text)]
    expected = []
    for at in range(len(text)):
        inside = [(a, b) for a, b in spans if a < at < b]
        expected.append(any(a <= at < b and text[c:d] == text[a:b] for a, b in inside for c, d in spans if at - symbols <= c < a))
    assert Memory(symbols).removes(mistakes(text)).tolist() == expected


def test_rare_words() -> None:
    given_ = mistakes("dog cat bird x", train="dog dog dog cat cats a dog cat")
    assert removed(RareWord(0), given_) == "........bird.x"
    assert removed(RareWord(2), given_) == "....cat.bird.x"
    assert removed(RareWord(4), given_) == "dog.cat.bird.x"


def test_words_of_a_training_text_end_with_its_segments() -> None:
    whole = rs.Corpus.from_text("sunflower")
    cut = whole.pieces(np.array([[0, 3], [3, 9]]))
    known = Mistakes(whole, cut, np.arange(9), np.full(9, 0.1), 9)
    assert removed(RareWord(0), known) == "sunflower"
    assert known.train_counts.tolist() == [0] * 9


def test_the_training_text_of_streams_is_counted_piece_by_piece() -> None:
    """A word that ends a piece is whole there, whatever follows it in the text or begins the next piece."""
    text = "the  cats o cat dog the x y dog."
    rule = rs.StreamSplit(0.5, 0.25, batch=2, length=4)
    corpus = rs.Corpus.from_text(text, rule=rule)
    assert [corpus.split("train").to_str(a, b) for a, b in corpus.split("train").spans()] == ["the  cat", "dog the "]
    assert corpus.split("test").to_str() == "cat dog."
    whole = Mistakes(corpus, corpus.split("train"), np.arange(len(text)), np.full(len(text), 0.1), len(text))
    counted = {text[a:b]: int(whole.train_counts[a]) for a, b in zip(whole.words.starts, whole.words.stops, strict=True)}
    assert counted == {"the": 2, "cats": 0, "o": 0, "cat": 1, "dog": 1, "x": 0, "y": 0}
    assert removed(RareWord(0), whole) == ".....cats.o.............x.y....."


def test_word_model_and_punctuation() -> None:
    text = 'He said, "go (now)!"\r\nIt\'s—_fine_.'
    after = [i for i in range(1, len(text)) if text[i - 1] in ' "\r\n']
    assert np.flatnonzero(WordModel().removes(mistakes(text))).tolist() == after
    assert removed(Punctuation(), mistakes(text)).replace(".", "") == ",()!—__"
    assert removed(Punctuation(), mistakes(text))[-1] == "."


def test_boost() -> None:
    given_ = Mistakes(rs.Corpus.from_text("abcd"), rs.Corpus.from_text("abcd"), np.arange(4), np.array([0.0, 0.1, 0.41, 0.49]), 4)
    assert Boost(0.1).removes(given_).tolist() == [False, False, True, True]
    assert Boost(0.5).removes(given_).tolist() == [False, True, True, True]


def test_an_n_gram_knows_what_stands_before_the_part() -> None:
    text = "abcabcabcabcabcabcabcabc"
    known = mistakes(text)
    assert NGrams([2]).removes(known).tolist()[2:] == [True] * (len(text) - 2)
    assert not NGrams([2]).removes(known)[0]
    model = rs.NGramLM.fit(known.train, 3)
    oracle = NGrams([1, 3], model)
    log_prob = model.log_prob(known.whole, [1, 3])[:, :-1]
    assert oracle.removes(known)[1:].tolist() == (log_prob > np.log(0.5)).any(0).tolist()
    assert oracle.name == "1-3-gram"
    assert oracle._fitted(known) is model
    with pytest.raises(UsageError, match="needs a context"):
        NGrams([])


@given(st.text("ab' ,é1_", max_size=40))
def test_words_stand_where_they_are(text: str) -> None:
    words = Words.of(text)
    found = [(int(a), int(b), words.spelled[k]) for a, b, k in zip(words.starts, words.stops, words.numbers, strict=True)]
    assert found == [(*m.span(), m[0]) for m in WORD.finditer(text)]
    assert words.at(np.arange(len(text))).tolist() == [
        next((k for k, (a, b, _) in enumerate(found) if a <= i < b), -1) for i in range(len(text))
    ]
    assert [b if b >= 0 else None for b in words.before().tolist()] == [
        max((a for a, _, w in found[:k] if w == word), default=None) for k, (_, _, word) in enumerate(found)
    ]


@pytest.fixture(scope="module")
def prose() -> rs.Corpus:
    generator = np.random.default_rng(0)
    words = ["the", "cat", "sat", "on", "a", "mat,", '"yes"', "and", "then.\r\n"]
    return rs.Corpus.from_text(" ".join(generator.choice(words, 3_000)))


@pytest.fixture(scope="module")
def breakdown(prose: rs.Corpus) -> rs.Breakdown:
    test = prose.split("test")
    return rs.errors(Told("told", test, np.random.default_rng(1).uniform(size=len(test))), prose)


def test_every_error_has_one_reason(breakdown: rs.Breakdown, prose: rs.Corpus) -> None:
    table = breakdown.table
    assert table["oracle"].tolist() == [o.name for o in rs.oracles()]
    assert table["errors"].sum() == len(breakdown.mistakes)
    assert table["share"].sum() == pytest.approx(1)
    assert table["left"].iloc[-1] == 0
    assert breakdown.rate == pytest.approx(0.5, abs=0.05)
    assert breakdown.mistakes.symbols == len(prose.split("test")) - 1
    bits = -np.log2(breakdown.mistakes.probability).sum() / breakdown.mistakes.symbols
    assert table["bits"].sum() == pytest.approx(bits)
    assert breakdown.categories["errors"].sum() == len(breakdown.mistakes)
    later = rs.oracles()[1]
    removes = later.removes(breakdown.mistakes)
    assert (breakdown.removed[removes] <= 1).all()


def test_errors_stand_where_they_were_made(breakdown: rs.Breakdown, prose: rs.Corpus) -> None:
    test = prose.split("test")
    right = np.random.default_rng(1).uniform(size=len(test))
    expected = int(test.origins[0]) + 1 + np.flatnonzero(right[:-1] < 0.5)
    assert breakdown.mistakes.at.tolist() == expected.tolist()


def test_excerpts_mark_the_errors_of_their_category(breakdown: rs.Breakdown) -> None:
    whole, mistakes_ = breakdown.mistakes.text, breakdown.mistakes
    rows = np.flatnonzero(breakdown.table["category"] == "word model")
    places = set(mistakes_.at[np.isin(breakdown.removed, rows)].tolist())
    for excerpt in breakdown.excerpts("word model", 4):
        assert whole[excerpt.position : excerpt.position + len(excerpt.text)] == excerpt.text
        here = {excerpt.position + mark for mark in excerpt.marks}
        assert here == {p for p in places if excerpt.position <= p < excerpt.position + len(excerpt.text)}
        assert here
    assert len(breakdown.excerpts("word model", 4)) == 4
    with pytest.raises(UsageError, match="no errors are called 'words'; there are n-gram, memory"):
        breakdown.excerpts("words")


def test_ones_own_oracles_in_ones_own_order(prose: rs.Corpus) -> None:
    test = prose.split("test")
    model = Told("told", test, np.full(len(test), 0.3))
    mine = [rs.oracle("vowel", lambda m: np.array([c in "aeiou" for c in m.characters])), Punctuation()]
    table = rs.errors(model, prose, mine).table
    text = test.to_str()[1:]
    assert table["oracle"].tolist() == ["vowel", "punctuation", "left"]
    assert table["errors"].tolist()[:2] == [sum(c in "aeiou" for c in text), sum(c in ",." for c in text)]
    assert table["left"].iloc[-1] == 0
    assert rs.errors(model, prose, []).table["oracle"].tolist() == ["left"]


def test_a_model_that_is_never_wrong(prose: rs.Corpus) -> None:
    test = prose.split("test")
    found = rs.errors(Told("perfect", test, np.full(len(test), 0.999)), prose)
    assert (found.table[["errors", "share", "bits", "left"]] == 0).all().all()
    assert found.rate == 0
    assert found.excerpts("memory") == []
    other = rs.errors(Told("worse", test, np.full(len(test), 0.4)), prose)
    table = gained(other, found)
    assert table["gained"].sum() == len(other.mistakes)
    assert table["share"].sum() == pytest.approx(1)
    assert (gained(found, found)["share"] == 0).all()


def test_a_trace_of_the_part_stands_for_the_model(prose: rs.Corpus, tmp_path: Any) -> None:
    ngram = rs.NGramLM.fit(prose.split("train"), 2)
    live = rs.errors(ngram, prose)
    kept = rs.errors(rs.record(ngram, prose.split("test"), tmp_path / "t", ["log_prob", "top1"]), prose)
    assert kept.table.equals(live.table)


def test_what_makes_no_sense_is_refused(prose: rs.Corpus) -> None:
    model = rs.NGramLM.fit(prose.split("train"), 2)
    wrong: list[tuple[list[rs.Oracle], str]] = [
        ([Punctuation(), Punctuation()], "two oracles are called 'punctuation'"),
        ([rs.oracle("few", lambda m: np.zeros(3, bool))], r"'few' gave bool of shape \(3,\); expected a boolean for each of"),
        ([rs.oracle("numbers", lambda m: np.ones(len(m)))], "'numbers' gave float64"),
    ]
    for oracles, said in wrong:
        with pytest.raises(UsageError, match=said):
            rs.errors(model, prose, oracles)
    with pytest.raises(rs.RnnscopeError):
        rs.errors(model, prose.split("test"))
