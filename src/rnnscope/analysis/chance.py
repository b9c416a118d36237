"""What chance can do: the null by circular shifts, and the correction for many claims.

Neighbouring symbols aren't independent, so symbols can't be shuffled. Instead the labels are shifted against the units, round
and round the text: all that either has of its own stays, only what joins them is gone. A shift's best unit of all is what the
search for the best unit finds by chance. All shifts by a multiple of `stride` symbols come from one Fourier transform: places
are dealt out to `stride` columns, each column's spectra are multiplied, and the sum over the columns is transformed back.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from rnnscope.analysis.labels import UNKNOWN, Labels, Levels
from rnnscope.native.histograms import BINS, Codes

Floats = NDArray[np.float64]

SHIFTS = 8_192
"""At most so many shifts."""
NEAR = 500
"""Symbols: a shift by less isn't one, since labels and states go on for longer than a symbol."""
LAGS = 32
"""Symbols that a unit is looked for ahead of a label, or behind it."""
_LAGGED = 16_384
_UNITS = 16  # transformed at once


def ranks(codes: Codes) -> NDArray[np.float32]:
    """Ranks of codes (units, places), ties at their mean, of mean 0 and length 1; 0 for a unit that is constant."""
    found = np.empty(codes.shape, np.float32)
    for row, code in zip(found, codes, strict=True):
        counts = np.bincount(code, minlength=BINS).astype(np.float64)
        middle = np.cumsum(counts) - counts / 2 - len(code) / 2
        length = np.sqrt((counts * middle**2).sum())
        row[:] = (middle / length if length else middle * 0).astype(np.float32)[code]
    return found


@dataclass(frozen=True)
class Targets:
    """What units are correlated with: for each claim its label, for a categorical one each category against the others.

    `values` (targets, places) have mean 0 and length 1 where the claim applies, and are 0 elsewhere; `claim` (targets,) says whose
    each is.
    """

    values: NDArray[np.float32]
    claim: NDArray[np.int64]

    @classmethod
    def of(cls, labels: Labels, levels: Levels) -> "Targets":
        rows, claims = [], []
        for claim in labels.claims:
            level = levels[claim.row]
            known = level != UNKNOWN
            shown = range(claim.classes.stop - claim.classes.start) if claim.kind == "categorical" else [None]
            for category in shown:
                value = (level if category is None else level == category).astype(np.float64)
                value = np.where(known, value - value[known].mean(), 0.0) if known.any() else np.zeros(len(value))
                length = np.sqrt((value**2).sum())
                rows.append((value / length if length else value).astype(np.float32))
                claims.append(claim.row)
        return cls(np.stack(rows), np.array(claims))

    def best(self, values: Floats, claims: int) -> Floats:
        """The largest over each claim's targets: (targets, …) → (claims, …)."""
        found = np.zeros((claims, *values.shape[1:]))
        np.maximum.at(found, self.claim, values)
        return found


class Shifts:
    """The null distribution: for each claim and shift the largest |correlation| that any unit has with the shifted label."""

    def __init__(self, labels: Labels, levels: Levels, step: int) -> None:
        places = levels.shape[1]
        self.stride = max(1, -(-places // SHIFTS))
        self.count = places // self.stride
        while scipy.fft.next_fast_len(self.count, real=True) != self.count:  # a prime factor such as 227 costs five times as much
            self.count -= 1
        self._claims = len(labels.claims)
        kept = self.stride * self.count
        self.targets = Targets.of(labels, levels[:, :kept])
        self._spectra = self._transformed(self.targets.values)
        self.best = np.zeros((self._claims, self.count))
        self._far = np.minimum(np.arange(self.count), self.count - np.arange(self.count)) * self.stride * step >= NEAR

    def of(self, codes: Codes) -> tuple[Floats, Floats]:
        """Of units (units, places) their |correlation| with each claim, (units, claims), and the largest at each shift."""
        kept = self.stride * self.count
        found, largest = np.empty((len(codes), self._claims)), np.zeros((self._claims, self.count))
        for start in range(0, len(codes), _UNITS):
            some = slice(start, start + _UNITS)
            spectra = self._transformed(ranks(codes[some, :kept]))
            crossed = np.matmul(np.conj(spectra), self._spectra.swapaxes(1, 2))  # (frequencies, units, targets)
            shifted = np.abs(scipy.fft.irfft(crossed, n=self.count, axis=0))
            found[some] = self.targets.best(shifted[0].T.astype(np.float64), self._claims).T
            best = self.targets.best(shifted.max(axis=1).T.astype(np.float64), self._claims)
            np.maximum(largest, best, out=largest)
        return found, largest

    def add(self, largest: Floats) -> None:
        """Let units take part in the search whose largest |correlation| at each shift is known, (claims, shifts)."""
        np.maximum(self.best, largest, out=self.best)

    def p_values(self, found: Floats) -> Floats:
        """How often the best of all units is at least as good when labels are shifted: (units, claims) → (units, claims).

        The unshifted text counts as one of the shifts, so that the smallest is 1 / (shifts + 1).
        """
        ordered = np.sort(self.best[:, self._far], axis=1)
        at_least = [len(row) - np.searchsorted(row, values * (1 - 1e-6)) for row, values in zip(ordered, found.T, strict=True)]
        p: Floats = (1 + np.stack(at_least, axis=1)) / (1 + ordered.shape[1])
        return p

    def _transformed(self, values: NDArray[np.float32]) -> NDArray[np.complex64]:
        """Spectra of each column: (rows, places) → (frequencies, rows, stride)."""
        columns = values.reshape(len(values), self.count, self.stride)
        spectra: NDArray[np.complex64] = scipy.fft.rfft(columns, axis=1).swapaxes(0, 1)
        return np.ascontiguousarray(spectra)


class Lags:
    """How far ahead of each label a unit runs: at which lag its rank correlation with the label is largest."""

    def __init__(self, labels: Labels, positions: NDArray[np.int64], first: int) -> None:
        self._every = max(1, -(-len(positions) // _LAGGED))
        wanted = positions[:: self._every] + np.arange(-LAGS, LAGS + 1)[:, None]
        places, where = np.unique(wanted, return_inverse=True)
        levels = labels.at(places)
        levels[:, places < first] = UNKNOWN  # the other part of the text
        self.values = [_centred(labels, levels[:, row]) for row in where.reshape(wanted.shape)]

    def of(self, codes: Codes) -> NDArray[np.int64]:
        """(units, claims): positive where the unit tells what the label will be, negative where it tells what it was.

        0 for categorical claims; of equal ones the smallest.
        """
        rank = ranks(np.ascontiguousarray(codes[:, :: self._every]))
        order = sorted(range(-LAGS, LAGS + 1), key=lambda lag: (abs(lag), -lag))
        strength = np.stack([np.abs(rank @ self.values[lag + LAGS].T) for lag in order])
        found: NDArray[np.int64] = np.array(order)[np.argmax(strength > strength.max(axis=0) * (1 - 1e-6), axis=0)]
        return found


def _centred(labels: Labels, levels: Levels) -> NDArray[np.float32]:
    rows = np.zeros(levels.shape, np.float32)
    for claim in labels.claims:
        known = levels[claim.row] != UNKNOWN
        if claim.kind != "categorical" and known.any():
            value = levels[claim.row][known].astype(np.float64)
            value -= value.mean()
            length = np.sqrt((value**2).sum())
            rows[claim.row][known] = value / length if length else 0.0
    return rows


def benjamini_hochberg(p: Floats) -> Floats:
    """q-values, (tests,): the smallest false discovery rate at which each is a discovery. NaN where there is no p-value.

    Source: Benjamini & Hochberg 1995.
    """
    q, known = np.full(len(p), np.nan), ~np.isnan(p)
    order = np.argsort(p[known], kind="stable")
    steps = p[known][order] * known.sum() / np.arange(1, known.sum() + 1)
    found = np.empty(len(order))
    found[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    q[known] = found
    return q
