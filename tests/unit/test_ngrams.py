"""N-grams as a language model: read, recorded, sampled from, kept on disk."""

from pathlib import Path

import numpy as np
import pytest

import rnnscope as rs
from rnnscope.exceptions import CorpusError, FormatError, OccupiedError, UnknownNameError, UsageError
from rnnscope.ngrams import model as ngram_model
from rnnscope.ngrams.kneser_ney import discounts
from rnnscope.ngrams.ladder import counted, ladder
from rnnscope.testing import check_language_model
from tests.golden.kneser_ney import KneserNey


@pytest.fixture(scope="module")
def ngram(corpus: rs.Corpus) -> rs.NGramLM:
    return rs.NGramLM.fit(corpus.split("train"), context=8)


def test_it_is_a_language_model(ngram: rs.NGramLM) -> None:
    assert isinstance(ngram, rs.LanguageModel)
    for context in (8, 3, 0):
        check_language_model(ngram.shorter(context))


def test_large_vocabularies(tmp_path: Path) -> None:
    text = "".join(chr(0x4E00 + int(k)) for k in np.random.default_rng(0).zipf(1.3, 4000) % 3000)
    corpus = rs.Corpus.from_text(text)
    check_language_model(rs.NGramLM.fit(corpus, context=4))
    assert len(corpus.vocabulary) > 255


@pytest.mark.parametrize("text", ["a", "ab", "aaaaaaaaaa", "abababab", bytes(range(256)) * 3])
def test_degenerate_texts(text: str | bytes) -> None:
    corpus = rs.Corpus.from_text(text)
    model = rs.NGramLM.fit(corpus, context=20)
    for _, log_probs in model.log_probs(corpus, range(21)):
        np.testing.assert_allclose(np.exp(log_probs.astype(np.float64)).sum(-1), 1, atol=1e-6)


def test_probabilities_sum_to_one(ngram: rs.NGramLM, corpus: rs.Corpus) -> None:
    test, contexts = corpus.split("test"), [8, 0, 3]
    following = test.next_ids()
    read, positions = ngram.log_prob(test, contexts), 0
    for start, log_probs in ngram.log_probs(test, contexts):
        assert start == positions
        positions += log_probs.shape[1]
        np.testing.assert_allclose(np.exp(log_probs.astype(np.float64)).sum(-1), 1, atol=1e-6)
        for at in np.flatnonzero(following[start:positions] >= 0):
            np.testing.assert_array_equal(log_probs[:, at, following[start + at]], read[:, start + at])
    assert positions == len(test)


def test_shorter_contexts_are_models_of_their_own(ngram: rs.NGramLM, corpus: rs.Corpus) -> None:
    test = corpus.split("test")
    for context in (0, 1, 5):
        alone = rs.NGramLM.fit(corpus.split("train"), context)
        (found,) = ngram.log_prob(test, [context])
        np.testing.assert_array_equal(found, alone.log_prob(test, [context])[0])
        assert rs.evaluate(ngram.shorter(context), test).nats == pytest.approx(-np.nanmean(found), abs=1e-6)
        assert ngram.shorter(context).fingerprint == alone.fingerprint != ngram.fingerprint
        assert ngram.shorter(context).name == alone.name == f"{context}-gram"


def test_contexts_in_any_order_and_of_any_kind(ngram: rs.NGramLM, corpus: rs.Corpus) -> None:
    test = corpus.split("test")
    five, two = ngram.log_prob(test, np.array([5, 2]))  # type: ignore[arg-type]
    np.testing.assert_array_equal(ngram.log_prob(test, (2, 5, 2)), [two, five, two])
    for _, log_probs in ngram.log_probs(test, [2, 5, 2]):
        np.testing.assert_array_equal(log_probs[0], log_probs[2])
    assert rs.NGramLM.fit(corpus, np.int64(3)).fingerprint == rs.NGramLM.fit(corpus, 3).fingerprint  # type: ignore[arg-type]


@pytest.mark.parametrize("symbols", [256, 65_536])
def test_vocabularies_that_fill_their_type(symbols: int) -> None:
    vocabulary = rs.Vocabulary("characters", tuple(range(symbols)))
    ids = np.array([symbols - 1, 0, symbols - 1, 1, symbols - 1, 0, 7, symbols - 1, 0], vocabulary.dtype)
    narrow, wide = (rs.Corpus("text", vocabulary, ids.astype(dtype)) for dtype in (vocabulary.dtype, np.uint32))
    found, other = (rs.NGramLM.fit(corpus, 3).log_prob(corpus, range(4)) for corpus in (narrow, wide))
    np.testing.assert_array_equal(found, other)
    reference = KneserNey(ids.tolist(), symbols, 2)
    expected = [reference.probability(int(ids[at + 1]), ids[: at + 1].tolist()) for at in range(len(ids) - 1)]
    np.testing.assert_allclose(np.exp(found[2, :-1]), expected, rtol=1e-5)


def test_long_repeats_and_long_contexts_are_no_trouble() -> None:
    for text in ("a" * 30_000, "ab" * 15_000, "the same again, " * 2_000):
        corpus = rs.Corpus.from_text(text)
        model = rs.NGramLM.fit(corpus, context=1000)
        assert model.match_length(corpus)[-2] == 1000
        check = model.after(text[:500])
        assert np.exp(check).sum() == pytest.approx(1)
        assert corpus.vocabulary.values[int(check.argmax())] == ord(text[500])


def test_match_length(ngram: rs.NGramLM, corpus: rs.Corpus) -> None:
    train, test = corpus.split("train").to_str(), corpus.split("test")
    text, found = test.to_str(), ngram.match_length(test)
    for at in range(len(text)):
        longest = max(n for n in range(min(8, at + 1) + 1) if text[at + 1 - n : at + 1] in train[:-1])
        assert found[at] == longest


def test_a_segment_begins_without_context(ngram: rs.NGramLM, corpus: rs.Corpus) -> None:
    ids = corpus.split("test").ids[:60]
    cut = rs.Corpus("cut", corpus.vocabulary, ids, bounds=np.array([0, 25, 60]))
    whole = np.concatenate([ngram.match_length(rs.Corpus("part", corpus.vocabulary, part)) for part in (ids[:25], ids[25:])])
    np.testing.assert_array_equal(ngram.match_length(cut), whole)


def test_recorded_and_written(ngram: rs.NGramLM, corpus: rs.Corpus, tmp_path: Path) -> None:
    test = corpus.split("test")
    trace = rs.record(ngram, test, tmp_path / "trace", ["log_prob", "match_length", "entropy", "top3"])
    np.testing.assert_array_equal(trace["log_prob"][:], ngram.log_prob(test, [8])[0])
    np.testing.assert_array_equal(trace["match_length"][:], ngram.match_length(test))
    assert trace["top3/ids"][:].shape == (len(test), 3)
    for name in ("log_probs", "top5/ids", "top5/log_probs"):  # not kept: looked up again
        (values,) = (block.arrays[name] for block in ngram.read(test, [name], block=len(test)))
        np.testing.assert_array_equal(trace[name][3:90:7], values[3:90:7])
    ngram.save(tmp_path / "index")
    kept = rs.record(ngram.shorter(3), test, tmp_path / "other trace")
    np.testing.assert_array_equal(kept["log_prob"][:], ngram.log_prob(test, [3])[0])
    np.testing.assert_array_equal(rs.open_trace(tmp_path / "other trace")["match_length"][:], ngram.shorter(3).match_length(test))
    with pytest.raises(UsageError, match="another model"):
        rs.open_trace(tmp_path / "other trace", ngram)
    with pytest.raises(UnknownNameError, match="signal"):
        rs.record(ngram, test, tmp_path / "other", ["layer0/cell"])
    written = rs.sample(ngram, "def ", length=40, temperature=0)
    assert str(written).startswith("f")
    assert rs.sample(ngram, length=40, seed=3) == rs.sample(ngram, length=40, seed=3) != rs.sample(ngram, length=40, seed=4)


def test_stretches_change_nothing(ngram: rs.NGramLM, corpus: rs.Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ngram.log_prob(corpus, [8, 2])
    dense = np.concatenate([each for _, each in ngram.log_probs(corpus, [8, 2])], axis=1)
    monkeypatch.setattr(ngram_model, "_PLACES", 37)
    monkeypatch.setattr(ngram_model, "_NEIGHBOURS", 1)
    np.testing.assert_array_equal(ngram.log_prob(corpus, [8, 2]), whole)
    np.testing.assert_array_equal(np.concatenate([each for _, each in ngram.log_probs(corpus, [8, 2])], axis=1), dense)


def test_an_index_is_mapped(ngram: rs.NGramLM, corpus: rs.Corpus, tmp_path: Path) -> None:
    ngram.save(tmp_path / "index")
    mapped = rs.NGramLM.open(tmp_path / "index")
    assert isinstance(mapped.tree.children, np.memmap)
    assert mapped.fingerprint == ngram.fingerprint
    np.testing.assert_array_equal(mapped.log_prob(corpus, range(9)), ngram.log_prob(corpus, range(9)))
    assert rs.NGramLM.open(tmp_path / "index", context=2).name == "2-gram"
    train = corpus.split("train")
    assert isinstance(counted(train, 5, tmp_path / "index").tree.ids, np.memmap)
    with pytest.raises(OccupiedError, match="contexts of 8 symbols, not of 9"):
        counted(train, 9, tmp_path / "index")
    with pytest.raises(OccupiedError, match="another text"):
        counted(corpus.split("test"), 5, tmp_path / "index")
    assert counted(train, 5, tmp_path / "new").context == 5
    assert isinstance(counted(train, 5, tmp_path / "new").tree.ids, np.memmap)


def test_damaged_indexes(ngram: rs.NGramLM, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is no n-gram index"):
        rs.NGramLM.open(tmp_path)
    ngram.save(tmp_path / "index")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(OccupiedError):
        ngram.save(tmp_path / "other")
    children = tmp_path / "index" / "children.npy"
    whole = children.read_bytes()
    for damaged in (whole[:-4], b"", whole[:40], whole[:-1] + bytes([whole[-1] ^ 1])):
        children.write_bytes(damaged)
        with pytest.raises(FormatError, match=r"children\.npy is missing or was altered"):
            rs.NGramLM.open(tmp_path / "index")
    children.unlink()
    with pytest.raises(FormatError, match=r"children\.npy is missing"):
        rs.NGramLM.open(tmp_path / "index")
    about = (tmp_path / "index" / "ngram.json").read_text()
    for word in ("vocabulary", "checksums"):
        (tmp_path / "index" / "ngram.json").write_text(about.replace(f'"{word}": {{', f'"{word}": 5, "other": {{'))
        with pytest.raises(FormatError, match=r"ngram\.json is damaged"):
            rs.NGramLM.open(tmp_path / "index")
    (tmp_path / "index" / "ngram.json").write_text('{"format": 7}')
    with pytest.raises(FormatError, match="format 7"):
        rs.NGramLM.open(tmp_path / "index")


def test_bad_input(ngram: rs.NGramLM, corpus: rs.Corpus) -> None:
    for context in (-1, 1.5, True, 10_000, "5"):
        with pytest.raises(UsageError, match="whole number of symbols"):
            rs.NGramLM.fit(corpus, context)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="from 0 to 8"):
        ngram.shorter(9)
    with pytest.raises(UsageError, match="at least one length"):
        ngram.log_prob(corpus, [])
    for contexts in (3, None, "12"):
        with pytest.raises(UsageError, match=r"several lengths of context|whole number of symbols"):
            ngram.log_prob(corpus, contexts)  # type: ignore[arg-type]
    for text in (None, 5, [0, len(corpus.vocabulary)], [-1], [0.5], [[1, 2]]):
        with pytest.raises(UsageError, match="is no text; expected one, or symbol numbers"):
            ngram.after(text)  # type: ignore[arg-type]
    np.testing.assert_array_equal(ngram.after([]), ngram.after(""))
    for position in (-1, len(corpus)):
        with pytest.raises(UsageError, match="positions run from"):
            ngram.at(corpus, np.array([position]), ["log_prob"])
    with pytest.raises(UsageError, match="another vocabulary"):
        ngram.match_length(rs.Corpus.from_text("another text"))
    for call in (rs.NGramLM.fit, ngram.match_length, lambda text: ngram.log_prob(text, [1])):
        with pytest.raises(UsageError, match="expected a Corpus"):
            call("a text")  # type: ignore[arg-type]
    nothing = rs.Corpus("nothing", corpus.vocabulary, corpus.ids[:0])
    assert len(ngram.match_length(nothing)) == ngram.log_prob(nothing, [1]).size == 0
    with pytest.raises(CorpusError, match="holds nothing to count"):
        rs.NGramLM.fit(nothing)


def test_discounts_fall_back_length_by_length() -> None:
    known = np.array([[10, 5, 3, 2], [10, 0, 3, 2], [1, 5, 1, 9]])
    found = discounts(known)
    y = 10 / 20
    np.testing.assert_allclose(found[0], [0, 1 - 2 * y * 5 / 10, 2 - 3 * y * 3 / 5, 3 - 4 * y * 2 / 3])
    np.testing.assert_array_equal(found[1:], [[0, 0.5, 1, 1.5]] * 2)


def test_what_is_ruled_out_costs_infinitely_much() -> None:
    vocabulary = rs.Vocabulary.of("abcd")
    model = rs.NGramLM.fit(rs.Corpus.from_text("ccbcabcccb", vocabulary=vocabulary), 2)  # its discounts leave nothing
    found = rs.evaluate(model, rs.Corpus.from_text("dadbdc", vocabulary=vocabulary))
    assert found.nats == np.inf
    assert np.isnan(found.deviation)


def test_the_ladder(ngram: rs.NGramLM, corpus: rs.Corpus) -> None:
    table = ladder(ngram, corpus.split("test"), [2, 1])
    assert list(table.columns) == ["context", "nats", "bits"]
    assert table.context.tolist() == [2, 1]
    assert table.nats[0] < table.nats[1]
    assert table.bits[0] == pytest.approx(table.nats[0] / np.log(2))
