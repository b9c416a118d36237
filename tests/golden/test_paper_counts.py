"""PAPER section 1, exact: sizes, alphabets, checksums, splits."""

import hashlib

import pytest

import rnnscope as rs
from tests.conftest import real


@pytest.mark.parametrize(
    ("name", "filename", "symbols", "distinct", "sha256", "parts"),
    [
        (
            "warpeace", "warpeace_input.txt", 3_258_246, 87,
            "fb66ba999dafe24017cdd59e04c56d385a9c8466993d374fd4c6f08b2142985e", (2_600_000, 320_000, 330_000),
        ),
        (
            "linux", "linux_input.v4.1-rc6.txt", 6_206_996, 101,
            "c555f18bbf8488a5efc5c7d4057b49f443d356e4dabffc445f04a730815e938d", (5_580_000, 310_000, 310_000),
        ),
    ],
)  # fmt: skip
def test_counts(
    name: str, filename: str, symbols: int, distinct: int, sha256: str, parts: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = real(filename)
    monkeypatch.setenv("RNNSCOPE_DATA", str(path.parent))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    corpus = rs.corpus(name)
    assert (len(corpus), len(corpus.vocabulary)) == (symbols, distinct)
    assert tuple(len(corpus.split(part)) for part in ("train", "validation", "test")) == parts
    for part in ("train", "validation", "test"):
        piece = corpus.split(part)
        assert piece.segments == 100
        start, stop = int(piece.bounds[3]), int(piece.bounds[4])
        origin = int(piece.origins[3])
        assert piece.text(start, stop) == corpus.text(origin, origin + stop - start)
    columns = symbols // 10_000
    assert corpus.split("test").origins[1] == 2 * columns * 100 - parts[2] // 100


def test_war_and_peace_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    path = real("warpeace_input.txt")
    corpus = rs.Corpus.from_file(path, symbols="bytes")
    text = corpus.text()
    assert isinstance(text, bytes)
    assert text.startswith(b"\xef\xbb\xbf")
    assert b"\r\n" in text
    assert not text.endswith(b"\n")


def test_tiny_shakespeare(monkeypatch: pytest.MonkeyPatch) -> None:
    path = real("tinyshakespeare.txt")
    monkeypatch.setenv("RNNSCOPE_DATA", str(path.parent))
    corpus = rs.corpus("tinyshakespeare")
    assert (len(corpus), len(corpus.vocabulary), corpus.vocabulary.kind) == (1_115_394, 65, "characters")
