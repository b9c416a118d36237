"""N-grams against their definition, and against KenLM."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnscope as rs
from rnnscope.ngrams.contexts import sorted_contexts
from rnnscope.ngrams.ladder import ladder
from tests.conftest import real
from tests.golden import kenlm
from tests.golden.kneser_ney import KneserNey

texts = st.one_of(
    st.text("ab", min_size=1, max_size=60),
    st.text("abcde", min_size=1, max_size=60),
    st.builds(lambda piece, times: piece * times, st.text("abc", min_size=1, max_size=9), st.integers(1, 9)),  # long repeats
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),  # any symbols, most of them once
)


@settings(deadline=None, max_examples=300)
@given(texts, st.text("abcde", max_size=12), st.integers(0, 9))
def test_every_order_is_its_definition(learned: str, read: str, context: int) -> None:
    vocabulary = rs.Vocabulary.of(learned + read + "a")
    corpus = rs.Corpus.from_text(learned, vocabulary=vocabulary)
    model = rs.NGramLM.fit(corpus, context)
    told = vocabulary.encode(read).tolist()
    read_corpus = rs.Corpus.from_text(read, vocabulary=vocabulary) if read else None
    for shorter in range(context + 1):
        reference = KneserNey(corpus.ids.tolist(), len(vocabulary), shorter)
        for at in range(len(told) + 1):
            expected = [reference.probability(symbol, told[:at]) for symbol in range(len(vocabulary))]
            found = np.exp(model.after(np.array(told[:at], np.int64), shorter))
            np.testing.assert_allclose(found, expected, rtol=1e-9)
            assert found.sum() == pytest.approx(1, abs=1e-9)
        if read_corpus is not None:
            (log_prob,) = model.log_prob(read_corpus, [shorter])
            expected = [reference.probability(told[at + 1], told[: at + 1]) for at in range(len(told) - 1)]
            np.testing.assert_allclose(np.exp(log_prob[:-1]), expected, rtol=1e-5)


@settings(deadline=None)
@given(texts, st.integers(0, 30))
def test_contexts_are_sorted_and_share_what_they_share(text: str, depth: int) -> None:
    corpus = rs.Corpus.from_text(text)
    order, shared = sorted_contexts(corpus.ids, len(corpus.vocabulary), depth)
    contexts = [[*(corpus.ids[:at][::-1].astype(int) + 1).tolist(), 0] for at in range(len(corpus))]
    assert sorted(order.tolist()) == list(range(len(corpus)))
    for k in range(1, len(order)):
        a, b = contexts[order[k - 1]][:depth], contexts[order[k]][:depth]
        assert a <= b
        equal = [x == y for x, y in zip(a, b, strict=False)]
        assert shared[k] == (equal.index(False) if False in equal else len(equal))


def as_kenlm_counts(learned: list[int], context: int) -> rs.NGramLM:
    """The model of the same events as KenLM's: the end of the text is one, and a word that it doesn't know is a symbol.

    Of each length but the longest, `lmplz` takes the last string in its order with how often it occurs, where all others count
    after how many symbols, into the statistics that discounts come from. That shows in small texts only, and is done here, too.
    """
    end = max(learned) + 1
    told = np.array([*learned, end], np.uint8)
    vocabulary = rs.Vocabulary("bytes", tuple(range(end + 2)))
    tree = rs.NGramLM.fit(rs.Corpus("text", vocabulary, told), context).tree
    repeats = tree.continuation_repeats.copy()
    ordered = [0, *(told[:-1] + 2).tolist(), 1]  # the start and the end of the text come before all words
    for length in range(1, context + 1):
        grams = [tuple(ordered[i : i + length][::-1]) for i in range(len(ordered) - length + 1)]
        last = max(grams)
        places = [i for i, gram in enumerate(grams) if gram == last]
        for count, change in ((len({ordered[i - 1] for i in places if i}), -1), (len(places), 1)):
            if count <= 4:
                repeats[length - 1, count - 1] += change
    return rs.NGramLM(replace(tree, continuation_repeats=repeats), vocabulary)


def told(model: rs.NGramLM, read: list[int], context: int) -> np.ndarray:
    """log p of each symbol, the first from nothing."""
    (log_prob,) = model.log_prob(rs.Corpus("text", model.vocabulary, np.array(read, np.uint8)), [context])
    return np.array([model.after(b"", context)[read[0]], *log_prob[:-1]])


@pytest.mark.parametrize("context", kenlm.CONTEXTS)
def test_kenlm(context: int) -> None:
    learned, read = kenlm.texts()
    golden = np.array(json.loads(kenlm.FILE.read_text())["log_prob"][str(context)])
    np.testing.assert_allclose(told(as_kenlm_counts(learned, context), read, context), golden, atol=1e-5)
    plain = rs.NGramLM.fit(rs.Corpus("text", rs.Vocabulary("bytes", tuple(range(30))), np.array(learned, np.uint8)), context)
    assert told(plain, read, context).mean() == pytest.approx(golden.mean(), abs=1e-3)  # without an end and unknown words


@pytest.mark.skipif(shutil.which("lmplz") is None, reason="lmplz, of KenLM, isn't on the path")
def test_kenlm_as_it_is_here() -> None:
    learned, read = kenlm.texts()
    for context in (1, 4):
        found = kenlm.log_probs(learned, read, context)
        np.testing.assert_allclose(told(as_kenlm_counts(learned, context), read, context), found, atol=1e-5)


def test_war_and_peace() -> None:
    """The paper's row of Table 2, which `lmplz` gives, too (PAPER section 5, decision 0012), and the errors of section 7."""
    corpus = rs.Corpus.from_file(real("warpeace_input.txt"), symbols="bytes", rule=rs.StreamSplit())
    contexts = [*range(1, 10), 20]
    model, test = rs.NGramLM.fit(corpus.split("train")), corpus.split("test")
    found = ladder(model, test, contexts).nats.tolist()
    by_lmplz = [2.398724, 1.927836, 1.520640, 1.313742, 1.231598, 1.203340, 1.193958, 1.193576, 1.194298, 1.195145]
    assert found == pytest.approx(by_lmplz, abs=1e-5)
    published = [2.3987, 1.9277, 1.5206, 1.3137, 1.2316, 1.2033, 1.1940, 1.1936, 1.1943, 1.1952]
    assert found == pytest.approx(published, abs=1.5e-4)
    apart = ladder(model, test, contexts, apart=True).nats.tolist()
    assert apart == pytest.approx(
        [2.397932, 1.926482, 1.518629, 1.311511, 1.229293, 1.201047, 1.191620, 1.191218, 1.191935, 1.192823], abs=1e-5
    )
    # As section 7 has them, places know the text before their segment
    whole = model.log_prob(corpus, contexts)
    shares = [0.928, 0.785, 0.643, 0.540, 0.493, 0.474, 0.464, 0.459, 0.458, 0.464]
    tested = np.concatenate([np.arange(start, start + 3300) for start in test.origins])
    assert (whole[:, tested - 1] < np.log(0.5)).mean(1).tolist() == pytest.approx(shares, abs=6e-4)
