"""The text that a run was trained on, found again, or another one as the run's network reads it."""

from typing import Any

from rnnscope.corpora import Corpus, find
from rnnscope.exceptions import FormatError
from rnnscope.training.run import Run


def text_of(run: Run, text: str | None = None, unknown: Any = "error") -> tuple[Corpus, bool]:
    """A text with the run's own vocabulary and split, and whether it is the one that it was trained on, which is the default.

    `text` is a file or the name of a known corpus. Raises `FormatError` where the run's own text is no file, or has changed.
    """
    known = run.corpus
    source = text or known.get("source")
    if source is None:
        raise FormatError(f"{run.path} was trained on a text that was not a file; name the text to read")
    vocabulary = run.vocabulary
    whole = find(source, symbols=vocabulary.kind)
    own = len(whole) == known["length"] and whole.fingerprint == known["fingerprint"]
    if not own and text is None:
        raise FormatError(f"{source} has changed since {run.path} was trained on it; name the text to read")
    language = known.get("language") if own else whole.language
    corpus = Corpus.from_text(
        whole.text(), name=whole.name, vocabulary=vocabulary, unknown=unknown, rule=run.split, language=language
    )
    return corpus, own
