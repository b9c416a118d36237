"""How a recurrent model reads a text into a trace: passage by passage, from any place on, in streams that mend themselves.

A row that continues another one (a piece of a segment that was cut into streams) is read beside it, so that its true first
state isn't known yet. It begins in the model's own first state, and all values are written. Then it is read again from
where the row before it ended, until its states agree with those that were kept: from there on what was written holds. They
have to agree at two marks, one after the other: what is left of a difference doesn't grow, there at least. A row that did not
agree before its end has given the next one another start, which is read again in turn.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnscope.corpora import Corpus
from rnnscope.exceptions import so_many
from rnnscope.files import write_json
from rnnscope.models import Recurrent
from rnnscope.models.arrivals import as_array
from rnnscope.models.passages import MARK, Passage, Plan
from rnnscope.models.recurrent import Carried, difference
from rnnscope.progress import Progress
from rnnscope.traces import TraceWriter

SECONDS = 30.0
"""Between two notes of how far a recording is, each of which waits until all before it is on disk."""


@dataclass
class Place:
    """How far a recording is: everything before it is on disk. `turn` 0 writes, later ones mend streams."""

    group: int = 0
    turn: int = 0
    offset: int = 0
    stale: list[int] = field(default_factory=list)
    """Rows that still disagree with what was kept."""
    next: list[int] = field(default_factory=list)
    """Rows that were given another start in this turn."""
    largest: float = 0.0
    """The largest difference at which states were taken to agree."""
    again: int = 0
    """Symbols that were read once more."""
    dtypes: dict[str, str] = field(default_factory=dict)
    rounding: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, noted: dict[str, Any]) -> "Place":
        """Raises `TypeError` for something else than was noted."""
        place, plain = cls(**noted), cls()
        for name, value in vars(plain).items():
            if not isinstance(getattr(place, name), int | float if isinstance(value, float) else type(value)):
                raise TypeError(f"{name} is {getattr(place, name)!r}")
        return place


class Reading:
    """One recording under way; `place` says how far it is, and is noted in a file."""

    def __init__(
        self, model: Recurrent, corpus: Corpus, plan: Plan, writer: TraceWriter, names: Sequence[str],
        *, tolerance: float, place: Place, note: Callable[[Place], None], progress: Progress,
    ) -> None:  # fmt: skip
        self.model, self.corpus, self.plan, self.writer, self.names = model, corpus, plan, writer, names
        self.tolerance, self.place, self._note, self._progress = tolerance, place, note, progress
        self._symbols = 0
        self._noted = time.monotonic()
        self._reached = place.offset
        self._alone = False  # whether all that is there was written by this process

    def finish(self) -> None:
        """Read all that is left."""
        self._take_up()
        place = self.place
        try:
            while place.group < self.plan.groups:
                if place.turn == 0:
                    self._write()
                while place.stale:
                    self._mend()
                place.group, place.turn, place.offset = place.group + 1, 0, 0
        except BaseException:  # Ctrl-C or a full disk: what is there stays, and is gone on with
            if place.turn == 0:
                place.offset = self._reached
                with suppress(OSError):  # the earlier note holds, too
                    self._save(safely=False)
            raise

    def described(self) -> dict[str, Any] | None:
        """How the streams were mended; None where there are none."""
        if not self.plan.continues.any():
            return None
        asked = {"rows": len(self.plan.starts), "streams": self.plan.streams, "tolerance": self.tolerance}
        return {**asked, "largest_difference": self.place.largest, "read_again": self.place.again}

    def _take_up(self) -> None:
        """Tell the writer what is there."""
        place, mended = self.place, bool(self.plan.continues.any())
        for group in range(min(place.group + 1, self.plan.groups)):
            stop = place.offset if (group, place.turn) == (place.group, 0) else None
            for passage in self.plan.passages(group, 0, stop):
                for start, length in zip(passage.starts.tolist(), passage.lengths.tolist(), strict=True):
                    self.writer.done(start, length, mended=mended)
                    self._symbols += length
        self.writer.rounding.update(place.rounding)
        self.writer.check()

    def _write(self) -> None:
        """Compute every passage of a group and write it."""
        carried = self._carried(guess=True)
        for passage in self.plan.passages(self.place.group, self.place.offset):
            if passage.offset % MARK == 0:
                self._reached = passage.offset
                if time.monotonic() - self._noted > SECONDS:
                    self.place.offset = passage.offset
                    self._save()
            self._put(passage, self.model.compute(self.corpus, passage, carried, self.names), passage.rows)
            at_mark = self.plan.marked(passage.stops)
            if at_mark.any():
                self._keep(passage.stops[at_mark], carried, passage.rows[at_mark])
            self._symbols += int(passage.lengths.sum())
            self._progress(self._symbols, len(self.corpus))
        rows = self.plan.rows(self.place.group)
        self.place.turn, self.place.offset, self.place.stale = 1, 0, rows[self.plan.continues[rows]].tolist()
        self._reached = 0
        self._alone = True

    def _mend(self) -> None:
        """One turn: read the stale rows again from the starts that they were given, until they agree.

        What was kept is written over, so that the place is noted at every mark, before that.
        """
        self._save()
        place, stale, given = self.place, set(self.place.stale), set(self.place.next)
        # Where another process was stopped in this turn, what was kept after the place may be this turn's already: it would
        # agree at once with itself.
        trusted = 0 if self._alone else self.place.offset + MARK
        near: set[int] = set()  # rows that agreed at their last mark
        carried = self._carried()
        for passage in self.plan.passages(self.place.group, self.place.offset):
            if passage.offset % MARK == 0 and passage.offset > self.place.offset:
                if not stale.intersection(passage.rows.tolist()):
                    break
                place.offset, place.stale, place.next = passage.offset, sorted(stale), sorted(given)
                self._save()
            arrays = self.model.compute(self.corpus, passage, carried, self.names)
            wrong = np.isin(passage.rows, list(stale))
            self._put(passage, arrays, passage.rows[wrong], again=True)
            self.place.again += int(passage.lengths[wrong].sum())
            marked = wrong & self.plan.marked(passage.stops)
            for row, stop in zip(passage.rows[marked].tolist(), passage.stops[marked].tolist(), strict=True):
                mark, this, ended = np.array([stop]), np.array([row]), stop == self.plan.stops[row]
                agree = passage.offset >= trusted and self._agree(carried, this, mark)
                if agree and not ended and row in near:
                    carried.restore(this, self.writer.states(mark), self.place.dtypes)
                    stale.discard(row)
                elif not (agree and ended):
                    self._keep(mark, carried, this)
                    given |= {row + 1} if ended else set()
                near = near | {row} if agree else near - {row}
            self._progress(self._symbols, len(self.corpus), f"mending {so_many(len(stale), 'streams')}, turn {self.place.turn}")
        self._alone = True
        mine = set(self.plan.rows(self.place.group).tolist())
        place.turn, place.offset, place.stale, place.next = place.turn + 1, 0, sorted(given & mine), []

    def _carried(self, *, guess: bool = False) -> Carried:
        """The states at the place."""
        rows = self.plan.rows(self.place.group)
        carried = Carried(self.model, rows, guess=guess)
        there = rows[self.plan.stops[rows] - self.plan.starts[rows] > self.place.offset]
        if self.place.offset == 0:
            there = there[self.plan.continues[there] & (not guess)]
        if len(there):
            carried.restore(there, self.writer.states(self.plan.starts[there] + self.place.offset), self.place.dtypes)
        return carried

    def _put(self, passage: Passage, arrays: dict[str, NDArray[Any]], rows: NDArray[np.int64], *, again: bool = False) -> None:
        """Write the values of some rows; those that follow one another in the text, as short segments do, at once."""
        places = np.flatnonzero(np.isin(passage.rows, rows))
        apart = 1 + np.flatnonzero(passage.stops[places[:-1]] != passage.starts[places[1:]])
        for run in np.split(places, apart) if len(places) else []:
            pieces = [(k, int(passage.lengths[k])) for k in run.tolist()]
            block = {name: _joined([value[:length, k] for k, length in pieces]) for name, value in arrays.items()}
            self.writer.write(int(passage.starts[run[0]]), block, again=again)

    def _keep(self, marks: NDArray[np.int64], carried: Carried, rows: NDArray[np.int64]) -> None:
        states = carried.at(rows)
        self.place.dtypes = {name: str(value.dtype).removeprefix("torch.") for name, value in states.items()}
        self.writer.keep(marks, {name: as_array(value) for name, value in states.items()})

    def _agree(self, carried: Carried, row: NDArray[np.int64], mark: NDArray[np.int64]) -> bool:
        """Whether a row's states are those that were kept, to the tolerance."""
        kept = self.writer.states(mark)
        largest = max(difference(as_array(value), kept[name]) for name, value in carried.at(row).items())
        if largest <= self.tolerance:
            self.place.largest = max(self.place.largest, largest)
        return largest <= self.tolerance

    def _save(self, *, safely: bool = True) -> None:
        """Note the place, once all before it is on disk; without `safely` the machine has to stay on until it is."""
        self.place.rounding = dict(self.writer.rounding)
        if safely and hasattr(os, "sync"):
            os.sync()
        self._note(self.place)
        self._noted = time.monotonic()


def _joined(pieces: list[NDArray[Any]]) -> NDArray[Any]:
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def noted(path: Path, identity: dict[str, Any]) -> Callable[[Place], None]:
    """What notes a place in a file, beside what is being recorded."""
    return lambda place: write_json(path, {"identity": identity, "place": asdict(place)})
