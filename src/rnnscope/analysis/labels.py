"""What hypotheses say of every symbol of a text, as small whole numbers that scores are counted from.

A binary label is 0 or 1. A graded one is its rank among all the text's, in `LEVELS` equal parts, ties together; a categorical
one its place among the text's `CATEGORIES` most frequent categories, the others put together in the last. Where a hypothesis
doesn't apply stands `UNKNOWN`. The numbers lie in a temporary file, a byte for each symbol and hypothesis: memory doesn't
grow with the text.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from tempfile import TemporaryFile
from typing import IO, Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from rnnscope.analysis.hypotheses.base import Hypothesis, labelled, reason
from rnnscope.analysis.hypotheses.language import language_of
from rnnscope.corpora import Corpus
from rnnscope.exceptions import UsageError
from rnnscope.native.histograms import CLASSES, COLUMNS

UNKNOWN, LEVELS, CATEGORIES, GRADES = 255, 128, 16, 8
LEAST, STRETCHES = 20, 5
"""A hypothesis is tested where each half of the text has so many symbols with and without it, in so many stretches."""
PIECE = 16_384
"""Symbols that are read and counted at once."""
_CHUNK = 2**18
_SAMPLE = 2**18

Levels = NDArray[np.uint8]


@dataclass(frozen=True)
class Claim:
    """A hypothesis and where its numbers stand in the tables of counts.

    `mask` is the column of `weights` that is 1 where it applies, `column` that of its label; `classes` are the columns of
    one-hot classes, for a graded one its level in `GRADES` parts. A binary one has no classes.
    """

    name: str
    kind: str
    row: int
    mask: int
    column: int
    classes: slice


@dataclass(frozen=True)
class Layout:
    """Which column is what.

    `masks` are the columns that say where claims apply, each with a claim that says it, the first 1 everywhere.
    """

    claims: tuple[Claim, ...]
    masks: tuple[tuple[int, int], ...]

    @property
    def columns(self) -> int:
        return _padded(1 + max([0, *(c.column for c in self.claims), *(c.mask for c in self.claims)]), COLUMNS)

    @property
    def classes(self) -> int:
        return _padded(max([0, *(c.classes.stop for c in self.claims)]), CLASSES)

    @property
    def masked(self) -> list[int]:
        """The columns that say where yes-or-no claims apply, and …"""
        return sorted({claim.mask for claim in self.claims if claim.kind == "binary"})

    @property
    def binary(self) -> list[int]:
        """… where they hold."""
        return [claim.column for claim in self.claims if claim.kind == "binary"]

    def weights(self, levels: Levels) -> Levels:
        """What is added up bin by bin: (claims, symbols) → (symbols, columns)."""
        table = np.zeros((levels.shape[1], self.columns), np.uint8)
        for column, row in self.masks:
            table[:, column] = 1 if column == 0 else levels[row] != UNKNOWN
        for claim in self.claims:
            if claim.kind != "categorical":
                level = levels[claim.row]
                table[:, claim.column] = np.where(level == UNKNOWN, 0, level)
        return table

    def one_hot(self, levels: Levels) -> Levels:
        """Classes of graded and categorical claims: (claims, symbols) → (symbols, classes)."""
        table = np.zeros((levels.shape[1], self.classes), np.uint8)
        for claim in self.claims:
            if claim.kind != "binary":
                known = np.flatnonzero(levels[claim.row] != UNKNOWN)
                table[known, claim.classes.start + classes(claim, levels[claim.row][known])] = 1
        return table


@dataclass(frozen=True)
class Stretch:
    """A piece of `Labels` that can travel: those from `start` on, (claims, symbols), of a text whose segments begin at `bounds`."""

    layout: Layout
    middle: int
    bounds: NDArray[np.int64]
    start: int
    known: Levels

    def levels(self, start: int, stop: int) -> Levels:
        return self.known[:, start - self.start : stop - self.start]


class Labels:
    """The labels of a text by those of the hypotheses that it can test; `left_out` says why it can't test the others.

    `middle` is where the part that units are chosen on ends and the one that they are reported on begins.
    """

    def __init__(self, hypotheses: Sequence[Hypothesis], corpus: Corpus, source: Any = None) -> None:
        names = [h.name for h in hypotheses]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(f"two hypotheses are called {twice[0]!r}; give each its own name")
        self.corpus, self.middle, self.bounds = corpus, middle(len(corpus)), corpus.bounds
        language = language_of(corpus)
        reasons = {h.name: reason(h, language, source) for h in hypotheses}
        self.left_out = {name: why for name, why in reasons.items() if why is not None}
        self._file: IO[bytes] = TemporaryFile()  # noqa: SIM115 (it lives as long as this object)
        finalize(self, self._file.close)
        self._rows: dict[str, int] = {}
        self.categories: dict[str, NDArray[np.int64]] = {}
        chosen = [h for h in hypotheses if h.name not in self.left_out]
        self._write(chosen, source)
        self._counts = {h.name: self._counted(h.name) for h in chosen}
        for h in chosen:
            if why := self._untestable(h):
                self.left_out[h.name] = why
        self.hypotheses = [h for h in chosen if h.name not in self.left_out]
        self.layout = self._laid_out()

    def __len__(self) -> int:
        return len(self.corpus)

    @property
    def claims(self) -> tuple[Claim, ...]:
        return self.layout.claims

    def stretch(self, start: int, stop: int) -> Stretch:
        return Stretch(self.layout, self.middle, self.bounds, start, self.levels(start, stop))

    def levels(self, start: int, stop: int) -> Levels:
        """What each claim says of the symbols between two positions, (claims, symbols)."""
        found = np.empty((len(self.claims), stop - start), np.uint8)
        for row, claim in zip(found, self.claims, strict=True):
            row[:] = self._read(self._rows[claim.name], start, stop)
        return found

    def at(self, positions: NDArray[np.int64]) -> Levels:
        """The same at positions in ascending order, (claims, positions); `UNKNOWN` outside the text."""
        found = np.full((len(self.claims), len(positions)), UNKNOWN, np.uint8)
        for start in range(0, len(self), _CHUNK):
            stop = min(start + _CHUNK, len(self))
            first, last = np.searchsorted(positions, [start, stop])
            if first < last:
                found[:, first:last] = self.levels(start, stop)[:, positions[first:last] - start]
        return found

    def frequencies(self, claim: Claim, part: int) -> NDArray[np.float64]:
        """How many symbols of a part (0 the first, 1 the second) have each level, (255,)."""
        counts: NDArray[np.float64] = self._counts[claim.name][0][part, :UNKNOWN].astype(np.float64)
        return counts

    def dwell(self, claim: Claim, part: int) -> float:
        """For how many symbols a binary claim holds once it does, on average."""
        stretches = self._counts[claim.name][1][part]
        return float(self.frequencies(claim, part)[1] / stretches) if stretches else float("nan")

    def _laid_out(self) -> Layout:
        everywhere = b""
        known: dict[bytes, int] = {everywhere: 0}
        masks, claims, column, first = [(0, 0)], [], 1, 0
        for row, h in enumerate(self.hypotheses):
            print_ = self._mask(h.name) if self._counts[h.name][0][:, UNKNOWN].any() else everywhere
            if print_ not in known:
                known[print_] = column
                masks.append((column, row))
                column += 1
            count = {"binary": 0, "graded": GRADES, "categorical": len(self.categories.get(h.name, ()))}[h.kind]
            place = column if h.kind != "categorical" else -1
            claims.append(Claim(h.name, h.kind, row, known[print_], place, slice(first, first + count)))
            column, first = column + (h.kind != "categorical"), first + count
        return Layout(tuple(claims), tuple(masks))

    def _write(self, chosen: Sequence[Hypothesis], source: Any) -> None:
        self._rows = {h.name: k for k, h in enumerate(chosen)}
        wide = [h.name for h in chosen if h.kind != "binary"]
        with TemporaryFile() as raw:
            for name, start, values in labelled(chosen, self.corpus, source):
                if name in wide:
                    place = (wide.index(name) * len(self) + start) * 4
                    os.pwrite(raw.fileno(), np.ascontiguousarray(values, np.float32).data.cast("B"), place)
                else:
                    known = np.asarray(values, np.float32)
                    self._put(name, start, np.where(np.isnan(known), UNKNOWN, known > 0).astype(np.uint8))
            for h in chosen:
                if h.kind != "binary":
                    self._quantise(h, raw.fileno(), wide.index(h.name) * len(self))

    def _quantise(self, h: Hypothesis, raw: int, place: int) -> None:
        step = -(-len(self) // _SAMPLE)
        parts, known_counts = [], Counter[float]()
        for start, values in _stretches(raw, place, len(self)):
            known = values[~np.isnan(values)]
            if h.kind == "graded":
                parts.append(known[(-start) % step :: step])
            else:
                known_counts.update(dict(zip(*(part.tolist() for part in np.unique(known, return_counts=True)), strict=True)))
        if h.kind == "graded":
            ordered = np.sort(np.concatenate(parts))
        else:
            frequent = np.array([value for value, _ in sorted(known_counts.items(), key=lambda item: (-item[1], item[0]))])
            named = frequent[: CATEGORIES - 1] if len(frequent) > CATEGORIES else frequent
            others = [-1.0] if len(frequent) > CATEGORIES else []
            self.categories[h.name] = np.concatenate([named, others]).astype(np.int64)
            order = np.argsort(named)
        for start, values in _stretches(raw, place, len(self)):
            known = ~np.isnan(values)
            levels = np.full(len(values), UNKNOWN, np.uint8)
            if h.kind == "graded":
                ranks = sum(np.searchsorted(ordered, values[known], side=side) for side in ("left", "right"))
                levels[known] = np.minimum(ranks * LEVELS // max(2 * len(ordered), 1), LEVELS - 1)
            else:
                at = np.minimum(np.searchsorted(named[order], values[known]), max(len(named) - 1, 0))
                levels[known] = np.where(named[order][at] == values[known], order[at], len(named)) if len(named) else 0
            self._put(h.name, start, levels)

    def _put(self, name: str, start: int, levels: Levels) -> None:
        os.pwrite(self._file.fileno(), levels.data, self._rows[name] * len(self) + start)

    def _read(self, row: int, start: int, stop: int) -> Levels:
        return np.frombuffer(os.pread(self._file.fileno(), stop - start, row * len(self) + start), np.uint8)

    def _whole(self, name: str) -> Iterator[tuple[int, Levels]]:
        for start in range(0, len(self), _CHUNK):
            yield start, self._read(self._rows[name], start, min(start + _CHUNK, len(self)))

    def _counted(self, name: str) -> tuple[NDArray[np.int64], list[int]]:
        """How often each level stands in each part, (2, 256), and how many stretches of ones each part has."""
        counts, stretches = np.zeros((2, 256), np.int64), [0, 0]
        for part, start, stop in ((0, 0, self.middle), (1, self.middle, len(self))):
            before = np.zeros(1, np.bool_)
            for first in range(start, stop, _CHUNK):
                levels = self._read(self._rows[name], first, min(first + _CHUNK, stop))
                counts[part] += np.bincount(levels, minlength=256)
                holds = np.concatenate([before, levels == 1])
                stretches[part] += int((holds[1:] & ~holds[:-1]).sum())
                before = holds[-1:]
        return counts, stretches

    def _untestable(self, h: Hypothesis) -> str | None:
        counts, stretches = self._counts[h.name]
        for part in (0, 1):
            known = counts[part][:UNKNOWN]
            if h.kind == "binary":
                if known[:2].min() < LEAST or stretches[part] < STRETCHES:
                    return (
                        f"holds or fails at fewer than {LEAST} symbols, or in fewer than {STRETCHES} stretches, "
                        "of one half of the text"
                    )
            elif known.sum() < LEAST or (known > 0).sum() < 2:
                return "applies to too little of one half of the text, or is the same all over it"
        return None

    def _mask(self, name: str) -> bytes:
        print_ = blake2b()
        for _, levels in self._whole(name):
            print_.update(np.packbits(levels != UNKNOWN).data)
        return print_.digest()


def middle(symbols: int) -> int:
    """Where the second half of a text begins, on which scores are reported; of a long one at a multiple of `PIECE`."""
    return symbols // 2 if symbols < 16 * PIECE else symbols // (2 * PIECE) * PIECE


def classes(claim: Claim, levels: Levels) -> NDArray[np.int64]:
    """The class of each level: of a graded claim its grade, otherwise the level itself."""
    wide = levels.astype(np.int64)
    return wide * GRADES // LEVELS if claim.kind == "graded" else wide


def _padded(columns: int, width: int) -> int:
    return -(-columns // width) * width


def _stretches(file: int, place: int, length: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    for start in range(0, length, _CHUNK):
        count = min(_CHUNK, length - start)
        yield start, np.frombuffer(os.pread(file, 4 * count, 4 * (place + start)), np.float32)
