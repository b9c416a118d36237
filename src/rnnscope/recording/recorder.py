"""The recorder: lets a model read a text and keeps what it computes."""

from collections.abc import Iterable
from pathlib import Path

from rnnscope.corpora import Corpus
from rnnscope.exceptions import OccupiedError, expect
from rnnscope.files import claim, replacing
from rnnscope.models import LanguageModel, Recurrent
from rnnscope.models.threads import computing
from rnnscope.progress import Progress, silent
from rnnscope.signal import select
from rnnscope.traces import Trace, TraceWriter
from rnnscope.traces.layout import MARKER
from rnnscope.traces.writer import Dtype

_VERIFIED = 256


def record(
    model: LanguageModel,
    corpus: Corpus,
    into: str | Path,
    signals: str | Iterable[str] = ("layer*/*", "log_prob"),
    *,
    block: int = 256,
    dtype: Dtype = "float32",
    overwrite: bool = False,
    progress: Progress = silent,
) -> Trace:
    """Read a corpus with a model and write the signals that match the glob patterns to the folder `into`.

    Values are float32; `float16` halves the size, and the trace then states the largest rounding for each signal.
    A network is first verified on the first 256 symbols: its kernel against its equations. `block` never changes a
    value. Raises `OccupiedError` for a folder that holds something else (or a trace, unless `overwrite`),
    `UnknownNameError` for a pattern that matches nothing, `VerificationError` for a network that can't be trusted.
    """
    expect(model, LanguageModel, "a language model; rs.load(path) loads a run's")
    expect(corpus, Corpus, "a Corpus; rs.Corpus.from_file(path) reads one")
    into = Path(into)
    chosen = select(list(model.signals), signals)
    claim(into, MARKER, "a trace")
    if (into / MARKER).exists() and not overwrite:
        raise OccupiedError(f"{into} holds a trace already; remove it, or choose another folder")
    described = {"name": model.name, "fingerprint": model.fingerprint}
    with computing(), replacing(into) as folder:
        if isinstance(model, Recurrent):
            model.verify(corpus.head(_VERIFIED))
        writer = TraceWriter(folder, corpus, chosen, described, dtype=dtype)
        done = 0
        for piece in model.read(corpus, [s.name for s in chosen], block=block):
            writer.write(piece.start, piece.arrays)
            done += piece.stop - piece.start
            progress(done, len(corpus))
        writer.finish()
    return Trace.open(into)
