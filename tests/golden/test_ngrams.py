"""N-grams against their definition, and against KenLM."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnscope as rs
from rnnscope.ngrams.contexts import sorted_contexts
from tests.conftest import real
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


def test_war_and_peace() -> None:
    """The paper's row of Table 2, recomputed to four digits (PAPER section 5), and its shares of errors (section 7)."""
    corpus = rs.Corpus.from_file(real("warpeace_input.txt"), symbols="bytes", rule=rs.StreamSplit())
    contexts = [*range(1, 10), 20]
    model = rs.NGramLM.fit(corpus.split("train"))
    log_prob = model.log_prob(corpus.split("test"), contexts)
    errors = (log_prob < np.log(0.5)).mean(1)
    assert errors.round(3).tolist() == pytest.approx(
        [0.928, 0.785, 0.643, 0.540, 0.493, 0.474, 0.464, 0.459, 0.458, 0.464], abs=0.0011
    )
