"""Laws that hold for every input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import rnnscope as rs
from rnnscope.analysis import ranks
from rnnscope.analysis.hypotheses import base
from rnnscope.analysis.hypotheses.base import label, labelled
from rnnscope.analysis.hypotheses.passage import Passage
from rnnscope.corpora.batches import Streams
from rnnscope.views.signs import glyphs

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200)
programs = st.text("ab(){}[]'\"#\n\r\t 1_.,:;=/*\\é", min_size=1, max_size=120)


@given(texts)
def test_decoding_undoes_encoding(text: str) -> None:
    corpus = rs.Corpus.from_text(text)
    assert corpus.text() == text
    assert rs.Vocabulary.from_json(corpus.vocabulary.to_json()) == corpus.vocabulary
    assert rs.Corpus.from_text(text, symbols="bytes").text() == text.encode()


@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_a_corpus(data: bytes) -> None:
    corpus = rs.Corpus.from_text(data)
    assert corpus.text() == data
    assert len(corpus.to_str()) == len(corpus) == len(data)


@given(st.integers(1, 6), st.integers(1, 9), st.integers(0, 500), st.sampled_from([(0.5, 0.25), (0.8, 0.1), (0.9, 0.05)]))
def test_a_stream_split_parts_the_text(batch: int, length: int, more: int, shares: tuple[float, float]) -> None:
    rule = rs.StreamSplit(*shares, batch=batch, length=length)
    symbols = 3 * batch * length + more
    spans = [tuple(row) for part in ("train", "validation", "test") for row in rule.spans(part, symbols).tolist()]
    used = symbols // (batch * length) * batch * length
    covered = [k for start, stop in sorted(spans) for k in range(start, stop)]
    assert covered == list(range(used))


@given(st.integers(1, 400), st.integers(1, 40), st.integers(1, 120))
def test_streams_drop_less_than_one_row(symbols: int, batch: int, length: int) -> None:
    corpus = rs.Corpus.from_text("".join(chr(33 + k % 60) for k in range(symbols)))
    streams = Streams.of(corpus, batch, length)
    assert symbols - streams.symbols < streams.inputs.shape[1]
    assert sum(x.size for x, _ in streams) == streams.symbols
    assert all(len(x) <= length for x, _ in streams)


def read(text: str) -> dict[str, np.ndarray]:
    """Signals as a model could have had them."""
    return {"entropy": np.arange(len(text)) % 3.0, "log_prob": -(np.arange(len(text)) % 4.0)}


@settings(deadline=None)
@given(programs, st.sampled_from(["python", "c", None]))
def test_every_hypothesis_labels_every_symbol_of_any_text(text: str, language: str | None) -> None:
    corpus = rs.Corpus.from_text(text, language=language)
    found = label(rs.hypotheses(), corpus, read(text))
    for hypothesis in rs.hypotheses():
        if not hypothesis.applies_to(language):
            continue
        labels = found[hypothesis.name]
        known = labels[~np.isnan(labels)]
        assert len(labels) == len(text)
        if hypothesis.kind == "binary":
            assert set(known.tolist()) <= {0.0, 1.0}
        else:
            assert (known >= 0).all()
        if hypothesis.kind == "categorical":
            assert (known == np.floor(known)).all()
            assert all(hypothesis.category(int(k)) for k in known)
        critical = hypothesis.critical(Passage(text, language), labels)
        assert critical.dtype == bool
        assert len(critical) == len(text)
        assert not critical[-1]


@settings(deadline=None)
@given(programs, st.integers(1, 119), st.sampled_from(["python", "c", None]))
def test_a_segment_has_the_labels_that_it_has_alone(text: str, cut: int, language: str | None) -> None:
    whole = rs.Corpus.from_text(text, language=language)
    bounds = np.unique([0, min(cut, len(text)), len(text)])
    parts = rs.Corpus("parts", whole.vocabulary, whole.ids, bounds=bounds, language=language)
    found = label(rs.hypotheses(), parts, read(text))
    for start, stop in parts.spans():
        signals = {name: values[start:stop] for name, values in read(text).items()}
        alone = label(rs.hypotheses(), rs.Corpus.from_text(text[start:stop], language=language), signals)
        assert alone.keys() == found.keys()
        for name, values in alone.items():
            np.testing.assert_array_equal(found[name][start:stop], values, err_msg=name)


@settings(deadline=None)
@given(programs, st.integers(1, 40), st.integers(1, 60), st.sampled_from(["python", "c", None]))
def test_stretches_of_labels_cover_a_text_once(text: str, longest: int, cut: int, language: str | None) -> None:
    whole = rs.Corpus.from_text(text, language=language)
    first = min(cut, len(text)) - 1
    corpus = rs.Corpus("part", whole.vocabulary, whole.ids[first:], origins=np.array([first]), language=language, whole=whole.ids)
    times = {h.name: np.zeros(len(corpus), int) for h in rs.hypotheses() if h.applies_to(language)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base, "LONGEST", longest)
        patch.setattr(base, "LONGEST_PROGRAM", longest)
        for name, start, values in labelled(rs.hypotheses(), corpus, read(text[first:])):
            assert 0 < len(values) <= longest
            times[name][start : start + len(values)] += 1
    assert all((count == 1).all() for count in times.values())


prose = st.text("aB' \"“’(){}[]<>/!.,1_\n\t:w", min_size=1, max_size=60)  # what a carriage return means hangs on what follows


@settings(deadline=None)
@given(prose, st.integers(1, 59))
def test_a_label_does_not_look_ahead_unless_it_says_so(text: str, cut: int) -> None:
    cut = min(cut, len(text))
    signals = {name: values[:cut] for name, values in read(text).items()}
    chosen = [h for h in rs.hypotheses() if not h.ahead and not h.languages]
    whole = label(chosen, rs.Corpus.from_text(text), read(text))
    begun = label(chosen, rs.Corpus.from_text(text[:cut]), signals)
    for name, values in begun.items():
        np.testing.assert_array_equal(whole[name][:cut], values, err_msg=name)


def test_few_labels_look_ahead() -> None:
    ahead = {h.name for h in rs.hypotheses() if h.ahead and h.family != "prediction"}
    apostrophes = {"in_word", "word_position", "capital_word", "sentence_start"}  # whether one is inside a word
    assert ahead == {"line_end", "single_quotes"} | apostrophes


values = arrays(np.float32, (30, 3), elements=st.floats(-4, 4, width=16))
truths = arrays(np.bool_, (30, 2))


@given(values, truths)
def test_a_flipped_unit_has_the_mirrored_score(values: np.ndarray, labels: np.ndarray) -> None:
    area = ranks.auroc(ranks.midranks(ranks.dense(values)), labels)
    mirrored = ranks.auroc(ranks.midranks(ranks.dense(-values)), labels)
    np.testing.assert_allclose(area, 1 - mirrored, atol=1e-12)


@given(values, truths, st.permutations(range(30)))
def test_the_order_of_symbols_does_not_matter_to_a_score(values: np.ndarray, labels: np.ndarray, order: list[int]) -> None:
    area = ranks.auroc(ranks.midranks(ranks.dense(values)), labels)
    shuffled = ranks.auroc(ranks.midranks(ranks.dense(values[order])), labels[order])
    np.testing.assert_allclose(area, shuffled, atol=1e-12)


@given(values)
def test_half_precision_has_the_same_ranks_as_the_same_values_in_single(values: np.ndarray) -> None:
    half = values.astype(np.float16)
    np.testing.assert_array_equal(ranks.midranks(ranks.dense(half)), ranks.midranks(ranks.dense(half.astype(np.float32))))


@given(st.binary(min_size=1, max_size=60))
def test_every_symbol_has_one_glyph(data: bytes) -> None:
    shown = glyphs(data.decode("latin-1"), "bytes")
    assert len(shown) == len(data)
    assert all(c.isprintable() or c in "\n\t" for c in shown)
