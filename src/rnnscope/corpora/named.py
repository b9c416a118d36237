"""Corpora with a name, a checksum, and a place where they can be had.

A named corpus is looked for in the folder `$RNNSCOPE_DATA`, then in the user's cache, then downloaded.
Wherever it is found, its checksum is compared first.
"""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from rnnscope.corpora import stdlib
from rnnscope.corpora.corpus import Corpus
from rnnscope.corpora.splits import ContiguousSplit, SplitRule, StreamSplit
from rnnscope.corpora.vocabulary import Symbols
from rnnscope.exceptions import CorpusError, UnknownNameError, UsageError, expect
from rnnscope.files import replacing


@dataclass(frozen=True)
class NamedCorpus:
    """What is known of a corpus before it is read.

    `files` maps the names under which it may lie in a folder to checksums, `sha256:…`, or `git:…` for the object
    name that git gives a file. The first one is the original, to be had at `url`.
    """

    name: str
    sentence: str
    symbols: Symbols
    rule: SplitRule
    files: dict[str, str] = field(default_factory=dict)
    url: str | None = None
    language: str | None = None

    def find(self) -> Path | None:
        """The file on this machine, checked, or None."""
        for folder in _folders():
            for filename, checksum in self.files.items():
                path = folder / filename
                if path.is_file():
                    _check(path, checksum)
                    return path
        return None

    def load(self, symbols: Symbols | None = None) -> Corpus:
        """Read it, downloading it first if need be. Raises `CorpusError` where it can't be had or isn't the right one."""
        if self.url is None:
            data = stdlib.text()
        else:
            data = (self.find() or self._download()).read_bytes()
        return Corpus.from_text(
            data,
            name=self.name,
            symbols=symbols or self.symbols,
            rule=self.rule,
            language=self.language,
            source=self.name,
        )

    def _download(self) -> Path:
        import pooch  # only where something has to be fetched

        assert self.url is not None
        filename, checksum = next(iter(self.files.items()))
        target = _cache() / filename
        with replacing(target) as new:
            try:
                pooch.retrieve(self.url, known_hash=None, fname=new.name, path=new.parent, progressbar=False)
            except (OSError, ValueError) as error:
                raise CorpusError(
                    f"{self.name} is neither in $RNNSCOPE_DATA nor in {_cache()}, and can't be downloaded from {self.url} "
                    f"({type(error).__name__}); put {filename} into a folder and set RNNSCOPE_DATA to it"
                ) from error
            _check(new, checksum)
        return target


_CORPORA = {
    entry.name: entry
    for entry in (
        NamedCorpus(
            "python-stdlib",
            "2 MB of the running interpreter's own standard library; needs no download",
            "characters",
            ContiguousSplit(),
            language="python",
        ),
        NamedCorpus(
            "warpeace",
            "War and Peace as in the paper: 3,258,246 bytes, with its byte order mark and CRLF line ends",
            "bytes",
            StreamSplit(0.80, 0.10),
            {"warpeace_input.txt": "sha256:fb66ba999dafe24017cdd59e04c56d385a9c8466993d374fd4c6f08b2142985e"},
            "https://cs.stanford.edu/people/karpathy/char-rnn/warpeace_input.txt",
        ),
        NamedCorpus(
            "linux",
            "Linux kernel sources as in the paper, or its near-twin from v4.1-rc6: 6,206,996 bytes, GPL-2.0",
            "bytes",
            StreamSplit(0.90, 0.05),
            {
                "linux_input.txt": "git:6277447c2510ae2d0c4abb2a8dcc1fefaa40060b",
                "linux_input.v4.1-rc6.txt": "sha256:c555f18bbf8488a5efc5c7d4057b49f443d356e4dabffc445f04a730815e938d",
            },
            "https://cs.stanford.edu/people/karpathy/char-rnn/linux_input.txt",
            language="c",
        ),
        NamedCorpus(
            "tinyshakespeare",
            "1 MB of Shakespeare's plays, 65 distinct symbols, for quick runs on prose",
            "characters",
            ContiguousSplit(),
            {"tinyshakespeare.txt": "sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"},
            "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        ),
    )
}


def named_corpora() -> dict[str, NamedCorpus]:
    """Every named corpus, by name."""
    return dict(_CORPORA)


def corpus(name: str, *, symbols: Symbols | None = None) -> Corpus:
    """A named corpus, read with the symbols and the split that belong to it, or with other symbols.

    Raises `UnknownNameError` for a name that nothing has and `CorpusError` where the file can't be had.

    >>> len(corpus("python-stdlib"))
    2000000
    """
    expect(name, str, "the name of a text; rnnscope corpora lists those that are known")
    if name not in _CORPORA:
        raise UnknownNameError("corpus", name, _CORPORA)
    return _CORPORA[name].load(symbols)


def find(text: str, *, symbols: Symbols | None = None, language: str | None = None) -> Corpus:
    """What a user means by TEXT: a file, `-` for standard input, or the name of a known corpus.

    A file is read as characters unless `symbols` says otherwise. Raises `UsageError` for another `language` than the one that a
    known corpus is in.
    """
    if text in _CORPORA and not Path(text).exists():
        if language not in (None, _CORPORA[text].language):
            written = _CORPORA[text].language
            raise UsageError(f"{text} is {f'written in {written}' if written else 'prose'}, not in {language}; leave that out")
        return corpus(text, symbols=symbols)
    if text != "-" and not Path(text).exists():
        raise CorpusError(
            f"there is no file {text} and no corpus of that name; expected a text file, '-' for standard input, or one of: "
            + ", ".join(_CORPORA)
        )
    return Corpus.from_file(text, symbols=symbols or "characters", language=language)


def _folders() -> list[Path]:
    named = os.environ.get("RNNSCOPE_DATA")
    return ([Path(named)] if named else []) + [_cache()]


def _cache() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("rnnscope")) / "corpora"


def _check(path: Path, checksum: str) -> None:
    kind, _, wanted = checksum.partition(":")
    data = path.read_bytes()
    if kind == "git":
        found = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    else:
        found = hashlib.sha256(data).hexdigest()
    if found != wanted:
        raise CorpusError(
            f"{path} is not the expected text: its {kind} checksum is {found[:12]}…, expected {wanted[:12]}…; "
            "replace the file or remove it"
        )
