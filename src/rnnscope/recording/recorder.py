"""The recorder: lets a model read a text and keeps what it computes."""

import os
import shutil
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rnnscope.corpora import Corpus
from rnnscope.exceptions import FormatError, OccupiedError, UnknownNameError, UsageError, expect, expect_whole
from rnnscope.files import claim, finish, locked, read_json, unfinished
from rnnscope.models import Recurrent
from rnnscope.models.threads import computing
from rnnscope.predictions import find
from rnnscope.progress import Progress, silent
from rnnscope.protocol import LanguageModel
from rnnscope.recording.reading import Place, Reading, noted
from rnnscope.signal import Signal, select
from rnnscope.traces import Recomputable, Trace, TraceWriter
from rnnscope.traces.layout import FORMAT, MARKER

_VERIFIED = 256
_NOTE = "recording.json"
_WORDS = {"format": "by another rnnscope", "model": "of another model", "corpus": "of another text"}


def record(
    model: LanguageModel,
    corpus: Corpus,
    into: str | Path,
    signals: str | Iterable[str] = ("log_prob",),
    *,
    half: str | Iterable[str] = (),
    streams: int = 1,
    tolerance: float = 1e-5,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Trace:
    """Read a corpus with a model and write the signals that match the glob patterns to the folder `into`.

    A recurrent model's states are kept as well, every 256 symbols of a segment: every other signal is computed from them when
    it is asked for (`trace["layer0/cell"]`), with the bits that recording it would have given on this machine. `top5`
    is the five likeliest next symbols. Values are float32; those that match `half` are kept in half precision, and the trace
    states the largest rounding of each.

    Segments are read side by side, each in exact order. `streams` cuts long ones into pieces, about so many in all, which are
    read side by side, too. Each is read again from where the one before it ended until its states agree with those of the
    first reading to `tolerance` (absolute, relative above 1) at two marks, one after the other; `trace.streams` says to what they
    did. That is no bound for what follows: a network that makes small differences larger goes on from there.

    A recurrent model is first verified on the first 256 symbols. A recording that was stopped goes on where it stopped when
    the same call is made again. Raises `OccupiedError` for a folder that holds something else (or a trace, unless
    `overwrite`), `UnknownNameError` for a pattern that matches nothing, `VerificationError` for a model that can't be trusted.
    """
    expect(model, LanguageModel, "a language model; rs.load(path) loads a run's")
    expect(corpus, Corpus, "a Corpus; rs.Corpus.from_file(path) reads one")
    _check(model, streams, tolerance)
    chosen = find(model.signals, signals, len(model.vocabulary))
    if not chosen:
        raise UsageError("no signal is named; expected at least one, such as 'log_prob' or 'layer*/cell'")
    halved = _halved(model, chosen, half)
    into = Path(into)
    claim(into, MARKER, "a trace", make=False)
    if (into / MARKER).exists() and not overwrite:
        raise OccupiedError(f"{into} holds a trace already; overwrite it (--overwrite), or choose another folder")
    identity = {
        "format": FORMAT,
        "model": model.fingerprint,
        "corpus": corpus.fingerprint,
        "choices": {"signals": [s.name for s in chosen], "half": halved, "streams": streams, "tolerance": tolerance},
    }
    with computing():
        if isinstance(model, Recurrent):
            model.accept(corpus)
            model.verify(corpus.head(_VERIFIED))
        room = unfinished(into)
        with locked(room, "a recording"):
            if (into / MARKER).exists() and not overwrite:  # another one that has ended since
                raise OccupiedError(f"{into} holds a trace already; overwrite it (--overwrite), or choose another folder")
            place = _place(room, identity, into, overwrite)
            folder = room / "trace"
            about: dict[str, Any] = {"model": _described(model, into)}
            others = [signal for signal in model.signals if signal not in chosen] if isinstance(model, Recomputable) else []
            if isinstance(model, Recurrent):
                plan = model.plan(corpus, streams)
                writer = TraceWriter(folder, corpus, chosen, others=others, half=halved, marks=plan.marks)
                reading = Reading(
                    model, corpus, plan, writer, list(writer.signals), tolerance=tolerance, place=place,
                    note=noted(room / _NOTE, identity), progress=progress,
                )  # fmt: skip
                reading.finish()
                about |= {"streams": reading.described(), "dtypes": place.dtypes}
            else:
                writer = TraceWriter(folder, corpus, chosen, others=others, half=halved)
                _read(model, corpus, writer, progress)
            writer.finish(about)
            finish(folder, into)
    trace = Trace.open(into)
    return trace.computed_by(model) if isinstance(model, Recomputable) else trace


def _check(model: LanguageModel, streams: Any, tolerance: Any) -> None:
    expect_whole("streams", streams, 1)
    if streams > 1 and not (isinstance(model, Recurrent) and model.causal):
        raise UsageError(f"{model.name} has no state to carry from piece to piece; expected streams=1")
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 <= tolerance < float("inf"):
        raise UsageError(f"the tolerance is a number of at least 0, not {tolerance!r}")


def _halved(model: LanguageModel, chosen: list[Signal], half: str | Iterable[str]) -> list[str]:
    """The kept signals that match; those that number something can't be rounded."""
    try:
        return [signal.name for signal in select(chosen, half) if not signal.integer]
    except UnknownNameError as error:
        if any(fnmatchcase(name, error.name) for s in model.signals for name in (s.name, s.kind)):
            raise UsageError(f"half names {error.name}, and no signal that is kept matches it; name it in signals, too") from None
        raise


def _read(model: LanguageModel, corpus: Corpus, writer: TraceWriter, progress: Progress) -> None:
    done = 0
    for block in model.read(corpus, list(writer.signals)):
        writer.write(block.start, block.arrays)
        done += block.stop - block.start
        progress(done, len(corpus))


def _described(model: LanguageModel, into: Path) -> dict[str, Any]:
    """Its name and fingerprint and, where it is known, where it came from, as seen from the trace."""
    origin = getattr(model, "origin", None)
    if origin is not None:
        origin = {**origin, "path": os.path.relpath(origin["path"], into.absolute().parent)}
    return {"name": model.name, "fingerprint": model.fingerprint, "origin": origin}


def _place(room: Path, identity: dict[str, Any], into: Path, overwrite: bool) -> Place:
    """Where an earlier recording into the same folder stopped; its beginning, where there is none."""
    path = room / _NOTE
    if path.exists():
        known = read_json(path, "how far a recording is")
        other = [name for name, value in identity.items() if known.get("identity", {}).get(name) != value]
        if not other:
            try:
                return Place.of(known["place"])
            except (KeyError, TypeError, ValueError) as error:
                raise FormatError(f"{path} is damaged ({error!r}); remove {room}, and record anew") from error
        if not overwrite:
            words = _WORDS.get(other[0], f"with other choices ({known.get('identity', {}).get('choices')})")
            raise OccupiedError(
                f"a recording into {into} was stopped that was {words}; finish that one, remove {room}, or record with overwrite"
            )
    shutil.rmtree(room / "trace", ignore_errors=True)
    place = Place()
    noted(path, identity)(place)
    return place
