"""Controls: what else would tell a label as well as the best unit does.

- The last symbol alone: each symbol is worth how often the claim holds behind it, in the first part of the text.
- The units in a random rotation: the same space, other axes. If its best direction is as good, the axis doesn't matter.
- A linear probe on all units of a signal, by ridge regression, and the same probe on a task that says nothing of the text: a
  random label for every string of three symbols. The difference is the probe's selectivity. Source: Hewitt & Liang 2019.

Units are chosen and probes are fitted on the first part of the text, scores are those on the second.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from rnnscope.analysis import measures
from rnnscope.analysis.bins import Bins
from rnnscope.analysis.labels import UNKNOWN, Claim, Labels, Levels, classes
from rnnscope.analysis.tally import Batch, Tally
from rnnscope.native.histograms import BINS, Codes

Floats = NDArray[np.float64]

RIDGE = 1e-3
"""How strongly weights are held down, as a share of the number of symbols; values have variance 1."""
STRING = 3


def strengths(claim: Claim, tally: Tally, frequencies: Floats) -> Floats:
    """How well each unit tells a claim, (units,): AUROC, rank correlation, or the share of the label's information.

    The first two with their sign: below ½, or below 0, a unit is low where the claim holds. `frequencies` (levels,) is how often
    each level of the claim stands in the text that was counted.
    """
    if claim.kind == "categorical":
        joint = tally.classes[..., claim.classes].astype(np.float64)
        bound = measures.entropy(joint.sum(1))
        return np.where(bound > 0, np.minimum(measures.information(joint) / np.maximum(bound, 1e-12), 1.0), 0.0)
    high, all_ = (tally.by_column[column].astype(np.float64) for column in (claim.column, claim.mask))
    return measures.auroc(high, all_) if claim.kind == "binary" else measures.rank_correlation(high, all_, frequencies)


def turned(claim: Claim, strength: Floats, polarity: Floats) -> Floats:
    """Strengths of units that are taken upside down where their polarity is −1."""
    return np.where(polarity > 0, strength, (1.0 if claim.kind == "binary" else 0.0) - strength)


def polarity(claim: Claim, strength: Floats) -> Floats:
    return np.where(strength >= (0.5 if claim.kind == "binary" else 0.0), 1.0, -1.0)


@dataclass(frozen=True)
class LastSymbol:
    """The best predictor from the last symbol alone, as a unit of its own for each claim.

    A symbol is worth the mean of the label behind it in the first half. `order` (claims, vocabulary) is the bin that this
    gives each symbol, of 256 with as many symbols of the text in each where the vocabulary has more. For categories, which
    have no mean, each of the 255 most frequent symbols has its own. `scores` (claims,) are those on the second half.
    """

    order: NDArray[np.uint8]
    scores: Floats

    @classmethod
    def of(cls, labels: Labels) -> "LastSymbol":
        symbols = len(labels.corpus.vocabulary)
        seen, total = (np.zeros((len(labels.claims), symbols)) for _ in range(2))
        for ids, levels in _pieces(labels, 0, labels.middle):
            for row, level in enumerate(levels):
                known = level != UNKNOWN
                seen[row] += np.bincount(ids[known], minlength=symbols)
                total[row] += np.bincount(ids[known], level[known], symbols)
        frequency = np.bincount(labels.corpus.ids, minlength=symbols)
        order = np.stack([_order(claim, seen[claim.row], total[claim.row], frequency) for claim in labels.claims])
        counts = np.zeros((len(labels.claims), BINS, 256), np.int64)
        for ids, levels in _pieces(labels, labels.middle, len(labels)):
            for row, level in enumerate(levels):
                counts[row] += np.bincount(order[row][ids].astype(np.int64) * 256 + level, minlength=BINS * 256).reshape(-1, 256)
        counts[..., UNKNOWN] = 0
        scores = np.array([_symbol_score(claim, counts[claim.row].astype(np.float64)) for claim in labels.claims])
        return cls(order, scores)

    def codes(self, labels: Labels, claim: Claim, positions: NDArray[np.int64]) -> Codes:
        codes: Codes = self.order[claim.row][labels.corpus.ids[positions]]
        return codes


def _pieces(labels: Labels, start: int, stop: int) -> Iterator[tuple[NDArray[np.int64], Levels]]:
    for first in range(start, stop, 2**18):
        last = min(first + 2**18, stop)
        yield labels.corpus.ids[first:last].astype(np.int64), labels.levels(first, last)


def _order(claim: Claim, seen: Floats, total: Floats, frequency: NDArray[np.int64]) -> NDArray[np.uint8]:
    bins = np.full(len(seen), BINS - 1, np.uint8)
    if claim.kind == "categorical":
        frequent = np.argsort(-frequency, kind="stable")[: BINS - 1]
        bins[frequent] = np.arange(len(frequent))
        return bins
    mean = np.where(seen > 0, total / np.maximum(seen, 1), total.sum() / max(seen.sum(), 1))
    worths, place = np.unique(mean, return_inverse=True)  # symbols that are worth the same are tied
    if len(worths) <= BINS:
        return place.astype(np.uint8)
    mass = np.bincount(place, frequency)
    below = np.cumsum(mass) - mass
    packed: NDArray[np.uint8] = (below * BINS // max(float(mass.sum()), 1.0))[place].astype(np.uint8)
    return packed


def _symbol_score(claim: Claim, table: Floats) -> float:
    """Of bins in their order and levels, counted in `table` (bins, 256)."""
    if claim.kind == "categorical":
        bound = float(measures.entropy(table.sum(0)))
        return min(float(measures.information(table)) / bound, 1.0) if bound else 0.0
    all_, high = table.sum(1)[None], (table * np.arange(256)).sum(1)[None]
    found = measures.auroc(high, all_) if claim.kind == "binary" else measures.rank_correlation(high, all_, table.sum(0))
    return float(found[0])


@dataclass(frozen=True)
class Space:
    """The units of a signal at the sampled places of both parts, standardised: values (places, units), levels (claims, places)."""

    values: tuple[NDArray[np.float32], NDArray[np.float32]]
    levels: tuple[Levels, Levels]

    @classmethod
    def of(cls, bins: Bins, codes: tuple[Codes, Codes], levels: tuple[Levels, Levels]) -> "Space":
        first, second = (np.ascontiguousarray(np.take_along_axis(bins.centres, c.astype(np.int64), axis=1).T) for c in codes)
        return cls((first, second), levels)


def rotated(space: Space, labels: Labels, seed: int) -> Floats:
    """The score of the best direction of a random rotation, for each claim, (claims,): chosen and reported as units are."""
    units = space.values[0].shape[1]
    turn = scipy.linalg.qr(np.random.default_rng(seed).normal(size=(units, units)))[0].astype(np.float32)
    values = tuple(np.ascontiguousarray(v @ turn) for v in space.values)
    bins = Bins.of(values[0])
    tallies = []
    for value, levels in zip(values, space.levels, strict=True):
        tally = Tally.empty(units, labels.layout)
        batch = Batch.of(np.arange(len(value)), np.zeros(len(value), np.uint8), levels, labels.layout)
        tally.add(bins.codes(value), batch)
        tallies.append(tally)
    found = np.empty(len(labels.claims))
    for claim in labels.claims:
        first, second = (strengths(claim, t, _frequencies(claim, w)) for t, w in zip(tallies, space.levels, strict=True))
        sign = polarity(claim, first)
        best = int(np.argmax(turned(claim, first, sign)))
        found[claim.row] = turned(claim, second, sign)[best]
    return found


def _frequencies(claim: Claim, levels: Levels) -> Floats:
    counts = np.bincount(levels[claim.row], minlength=256).astype(np.float64)
    counts[UNKNOWN] = 0
    return counts


@dataclass(frozen=True)
class Probe:
    """What a linear probe on a signal gets on each claim, and on a random task as easy, (claims,) each."""

    scores: Floats
    control: Floats


def probe(space: Space, labels: Labels, strings: tuple[NDArray[np.float64], NDArray[np.float64]]) -> Probe:
    """Fit a probe for each claim and for its control task; `strings` (places,) is a random number for each string of symbols."""
    found = Probe(np.empty(len(labels.claims)), np.empty(len(labels.claims)))
    masks: dict[int, list[Claim]] = {}
    for claim in labels.claims:
        masks.setdefault(claim.mask, []).append(claim)
    for claims in masks.values():
        known = [levels[claims[0].row] != UNKNOWN for levels in space.levels]
        x = [
            np.concatenate([v[k], np.ones((int(k.sum()), 1), np.float32)], axis=1) for v, k in zip(space.values, known, strict=True)
        ]
        if not all(map(len, x)):
            found.scores[[c.row for c in claims]] = found.control[[c.row for c in claims]] = np.nan
            continue
        truth = [[levels[claim.row][k] for claim in claims] for levels, k in zip(space.levels, known, strict=True)]
        random = [
            [_random(claim, labels_, s[k]) for claim, labels_ in zip(claims, truth[0], strict=True)]
            for s, k in zip(strings, known, strict=True)
        ]
        targets = [_targets(claim, first) for firsts in (truth[0], random[0]) for claim, first in zip(claims, firsts, strict=True)]
        gram = (x[0].T @ x[0]).astype(np.float64) + RIDGE * len(x[0]) * np.eye(x[0].shape[1])
        weights = scipy.linalg.solve(gram, (x[0].T @ np.concatenate(targets, axis=1)).astype(np.float64), assume_a="pos")
        said, column = x[1] @ weights.astype(np.float32), 0
        for into, seconds in ((found.scores, truth[1]), (found.control, random[1])):
            for claim, second in zip(claims, seconds, strict=True):
                width = claim.classes.stop - claim.classes.start if claim.kind == "categorical" else 1
                into[claim.row] = _scored(claim, said[:, column : column + width], second)
                column += width
    return found


def _targets(claim: Claim, level: Levels) -> NDArray[np.float32]:
    if claim.kind != "categorical":
        return level.astype(np.float32)[:, None]
    found: NDArray[np.float32] = (level[:, None] == np.arange(claim.classes.stop - claim.classes.start)).astype(np.float32)
    return found


def _random(claim: Claim, level: Levels, string: Floats) -> Levels:
    """Labels drawn for each string alone, distributed as the claim's are."""
    ordered = np.sort(level)
    drawn: Levels = ordered[np.minimum((string * len(ordered)).astype(np.int64), len(ordered) - 1)]
    return drawn


def _scored(claim: Claim, said: NDArray[np.float32], level: Levels) -> float:
    if claim.kind == "categorical":
        count = claim.classes.stop - claim.classes.start
        joint = np.bincount(said.argmax(1) * count + classes(claim, level), minlength=count * count).reshape(count, count)
        bound = float(measures.entropy(joint.sum(0).astype(np.float64)))
        return float(measures.information(joint.astype(np.float64))) / bound if bound else 0.0
    order = np.argsort(said[:, 0], kind="stable")
    code = np.empty(len(order), np.int64)
    code[order] = np.arange(len(order))
    high, all_ = level[order].astype(np.float64)[None], np.ones((1, len(order)))
    if claim.kind == "binary":
        return float(measures.auroc(high, all_)[0])
    return float(measures.rank_correlation(high, all_, np.bincount(level, minlength=256).astype(np.float64))[0])


def strings(labels: Labels, positions: NDArray[np.int64], seed: int = 0) -> Floats:
    """A random number from 0 to 1 for the last three symbols at each position, the same for the same symbols."""
    ids, number = labels.corpus.ids, np.full(len(positions), seed, np.uint64)
    for back in range(STRING):
        symbol = np.where(positions >= back, ids[np.maximum(positions - back, 0)], 0).astype(np.uint64)
        number = (number ^ symbol) * np.uint64(0x9E3779B97F4A7C15)
        number ^= number >> np.uint64(29)
    return (number >> np.uint64(11)).astype(np.float64) / 2.0**53
