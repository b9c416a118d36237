"""Vocabularies, corpora and their splits, on texts small enough to check by hand."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

import rnnscope as rs
from rnnscope.corpora import find, named, stdlib
from rnnscope.corpora.batches import Streams, shape_for
from rnnscope.corpora.splits import split_rule
from rnnscope.exceptions import CorpusError, FormatError, UnknownNameError, UnknownSymbolError, UsageError


def test_bytes_and_characters_count_differently() -> None:
    assert len(rs.Corpus.from_text("naïve €")) == 7
    assert len(rs.Corpus.from_text("naïve €", symbols="bytes")) == 10
    assert rs.Corpus.from_text("naïve").vocabulary.kind == "characters"
    assert rs.Corpus.from_text(b"naive").vocabulary.kind == "bytes"


def test_nothing_in_a_file_is_changed(tmp_path: Path) -> None:
    data = "\ufeffone\r\ntwo\rthree\n\0end".encode()
    path = tmp_path / "odd.txt"
    path.write_bytes(data)
    assert rs.Corpus.from_file(path).text() == data.decode()
    assert rs.Corpus.from_file(path, symbols="bytes").text() == data


def test_invalid_utf8_names_the_offset_and_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(b"caf\xe9 noir")
    with pytest.raises(CorpusError, match=r"latin\.txt is not UTF-8: byte 0xe9 at offset 3; read it as bytes .*--symbols bytes"):
        rs.Corpus.from_file(path)
    assert len(rs.Corpus.from_file(path, symbols="bytes")) == 9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "nowhere.txt", "there is no file .*nowhere.txt"),
        (lambda p: p, "is a folder; expected one text file"),
    ],
)
def test_files_that_cannot_be_read(make, message: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CorpusError, match=message):
        rs.Corpus.from_file(make(tmp_path))


def test_empty_text_and_lone_surrogate() -> None:
    with pytest.raises(CorpusError, match="is empty"):
        rs.Corpus.from_text("")
    with pytest.raises(CorpusError, match="lone surrogate at position 2"):
        rs.Corpus.from_text("ab\ud800")


def test_unknown_symbols_are_named_skipped_or_replaced() -> None:
    vocabulary = rs.Vocabulary.of("abc ?")
    with pytest.raises(UnknownSymbolError, match="symbol 'z' at position 3") as caught:
        vocabulary.encode("abcz")
    assert (caught.value.symbol, caught.value.position) == (ord("z"), 3)
    assert vocabulary.decode(vocabulary.encode("abzca", unknown="skip")) == "abca"
    assert vocabulary.decode(vocabulary.encode("abzca", unknown="replace")) == "ab?ca"
    with pytest.raises(CorpusError, match="can't be replaced"):
        rs.Vocabulary.of("abc").encode("z", unknown="replace")


def test_nothing_left_and_unknown_languages() -> None:
    with pytest.raises(CorpusError, match="has no symbol that the vocabulary knows"):
        rs.Corpus.from_text("xyz", vocabulary=rs.Vocabulary.of("abc"), unknown="skip")
    with pytest.raises(UsageError, match="no language is called 'pyton'; known are: python, c"):
        rs.Corpus.from_text("x = 1", language="pyton")
    with pytest.raises(UsageError, match="at least 1 symbol"):
        rs.Corpus.from_text("abc").head(0)


def test_five_thousand_distinct_characters() -> None:
    text = "".join(chr(0x4E00 + k) for k in range(5000)) * 2
    corpus = rs.Corpus.from_text(text)
    assert len(corpus.vocabulary) == 5000
    assert corpus.ids.dtype == np.uint16
    assert corpus.text() == text


def test_contiguous_split_is_the_text_in_order() -> None:
    corpus = rs.Corpus.from_text("".join(chr(33 + k % 90) for k in range(1000)))
    parts = [corpus.split(part) for part in ("train", "validation", "test")]
    assert [len(p) for p in parts] == [850, 50, 100]
    assert "".join(str(p.text()) for p in parts) == corpus.text()
    assert parts[0].next_ids()[-1] == corpus.ids[850]
    assert parts[2].next_ids()[-1] == -1


def test_stream_split_by_hand() -> None:
    # 2 streams of 4 columns of 3, one symbol too many: columns 0-1 train, 2 validation, 3 test
    rule = rs.StreamSplit(train=0.5, validation=0.25, batch=2, length=3)
    corpus = rs.Corpus.from_text("abcdefghijklmnopqrstuvwxy", rule=rule)
    assert corpus.split("train").text() == "abcdef" + "mnopqr"
    assert corpus.split("validation").text() == "ghi" + "stu"
    test = corpus.split("test")
    assert test.text() == "jkl" + "vwx"
    assert test.segments == 2
    assert test.origins.tolist() == [9, 21]
    assert [corpus.vocabulary.values[k] for k in test.following] == [ord("m"), ord("y")]
    assert split_rule(rule.to_json()) == rule


def test_parts_that_do_not_exist() -> None:
    corpus = rs.Corpus.from_text("x" * 100 + "y")
    with pytest.raises(UsageError, match="no part of a corpus is called 'dev'"):
        corpus.split("dev")
    with pytest.raises(UsageError, match="is a part already"):
        corpus.split("train").split("test")
    with pytest.raises(UsageError, match="shares for training"):
        rs.ContiguousSplit(0.9, 0.2)
    with pytest.raises(CorpusError, match="need at least 30,000"):
        rs.Corpus.from_text("ab" * 100, rule=rs.StreamSplit()).split("train")
    with pytest.raises(FormatError, match="no split rule"):
        split_rule({"rule": "random"})


def test_fractions_are_taken_as_written() -> None:
    assert rs.ContiguousSplit(0.29, 0.2).spans("train", 100).tolist() == [[0, 29]]  # floor(0.29 * 100) is 28 in binary


def test_head_keeps_whole_segments() -> None:
    corpus = rs.Corpus.from_text("abcdefghijklmnopqrstuvwx", rule=rs.StreamSplit(0.5, 0.25, 2, 3))
    head = corpus.split("train").head(8)
    assert head.text() == "abcdef" + "mn"
    assert head.segments == 2
    assert [corpus.vocabulary.values[k] for k in head.following] == [ord("g"), ord("o")]
    assert head.origins.tolist() == [0, 12]
    test = corpus.split("test").head(4)
    assert test.origins.tolist() == [9, 21]
    assert test.whole is corpus.ids


def test_streams_carry_on_from_column_to_column() -> None:
    corpus = rs.Corpus.from_text("".join(chr(97 + k % 26) for k in range(26 * 40)))
    streams = Streams.of(corpus, 4, 20)
    columns = list(streams)
    assert np.concatenate([x for x, _ in columns]).tolist() == streams.inputs.tolist()
    flat = streams.inputs.T.ravel()
    assert (flat == corpus.ids[: len(flat)]).all()
    assert (streams.targets.T.ravel()[:-1] == flat[1:]).all()
    assert streams.targets[-1, -1] == corpus.ids[0]  # nothing is left: the first symbol of the text, as in char-rnn


def test_short_texts_get_fewer_and_shorter_streams() -> None:
    assert shape_for(1_000_000, 32, 100) == (32, 100)
    assert shape_for(850, 32, 100) == (1, 100)
    assert shape_for(5, 32, 100) == (1, 1)


def test_stdlib_is_chosen_and_ordered_by_a_rule(tmp_path: Path) -> None:
    for name, content in {
        "a.py": b"x = 1\n",
        "b.py": b"y = 2\n",
        "test/c.py": b"no",
        "d.py": "é".encode(),
        "sub/e.py": b"z\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    order = [path.as_posix() for path in stdlib.files(tmp_path)]
    assert sorted(order) == ["a.py", "b.py", "d.py", "sub/e.py"]
    assert order == sorted(order, key=lambda n: hashlib.sha256(b"rnnscope python-stdlib\0" + n.encode()).digest())
    joined = b"".join((tmp_path / name).read_bytes() for name in order if name != "d.py")
    assert stdlib.text(tmp_path, 10) == joined[:10]
    with pytest.raises(CorpusError, match="expected at least 99"):
        stdlib.text(tmp_path, 99)


def test_named_corpora_are_found_by_folder_then_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = named.NamedCorpus(
        "tiny",
        "",
        "bytes",
        rs.ContiguousSplit(),
        {"tiny.txt": "sha256:" + hashlib.sha256(b"hello").hexdigest()},
        "http://127.0.0.1:1/tiny.txt",
    )
    data, cache = tmp_path / "data", tmp_path / "cache"
    data.mkdir()
    cache.mkdir()
    monkeypatch.setenv("RNNSCOPE_DATA", str(data))
    monkeypatch.setattr(named, "_cache", lambda: cache)
    assert entry.find() is None
    (cache / "tiny.txt").write_bytes(b"hello")
    assert entry.find() == cache / "tiny.txt"
    (data / "tiny.txt").write_bytes(b"hello")
    assert entry.find() == data / "tiny.txt"
    assert entry.load().text() == b"hello"
    (data / "tiny.txt").write_bytes(b"hallo")
    with pytest.raises(CorpusError, match="not the expected text: its sha256 checksum"):
        entry.load()


def test_a_corpus_that_cannot_be_downloaded_says_where_to_put_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = named.NamedCorpus("tiny", "", "bytes", rs.ContiguousSplit(), {"tiny.txt": "sha256:00"}, "http://127.0.0.1:1/tiny.txt")
    monkeypatch.delenv("RNNSCOPE_DATA", raising=False)
    monkeypatch.setattr(named, "_cache", lambda: tmp_path / "cache")
    with pytest.raises(CorpusError, match=r"can't be downloaded .*; put tiny\.txt into a folder and set RNNSCOPE_DATA"):
        entry.load()
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_git_object_name_is_a_checksum_too(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"hello\n")
    named._check(path, "git:ce013625030ba8dba906f756967f9e9ca394464a")  # git hash-object
    with pytest.raises(CorpusError):
        named._check(path, "git:ce013625030ba8dba906f756967f9e9ca394464b")


def test_find_takes_a_file_or_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find("python-stdlib").name == "python-stdlib"
    (tmp_path / "x.py").write_text("a = 1\n")
    corpus = find("x.py")
    assert (corpus.language, corpus.source) == ("python", str(tmp_path / "x.py"))
    with pytest.raises(CorpusError, match="there is no file pyhton-stdlib and no corpus of that name"):
        find("pyhton-stdlib")
    with pytest.raises(UnknownNameError, match="did you mean warpeace"):
        rs.corpus("warpiece")


def test_bytes_that_a_command_line_could_not_decode_are_read_as_they_were() -> None:
    vocabulary = rs.Vocabulary.of(b"caf\xe9 au lait")
    assert vocabulary.decode(vocabulary.encode(b"caf\xe9".decode("utf-8", "surrogateescape"))) == b"caf\xe9"
    with pytest.raises(CorpusError, match="lone surrogate at position 1"):
        vocabulary.encode("a\ud800")
