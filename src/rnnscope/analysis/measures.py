"""From counts to scores. Everything here takes tables for many units at once, counted in bins, and returns a number for each.

`high` (units, bins) is how many symbols of a bin a claim holds at, `all_` how many it applies to. Ties within a bin count
half, which is what bins cost: less than 1e-3 of AUROC with 256 of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UPPER, LOWER = 1, -1
"""A threshold's side: the claim is said to hold at values from it on, or below it."""


def auroc(high: Floats, all_: Floats) -> Floats:
    """Area under the ROC curve, (units,); ½ where the claim always or never holds. Source: Hanley & McNeil 1982."""
    low = all_ - high
    below = np.cumsum(low, axis=-1) - low / 2
    pairs = high.sum(-1) * low.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, (high * below).sum(-1) / pairs, 0.5)


def rank_correlation(weighted: Floats, all_: Floats, levels: Floats) -> Floats:
    """Spearman's correlation, (units,), of units in bins with labels in levels; 0 where either is constant.

    `weighted` (units, bins) is the sum of the labels' levels in each bin, `levels` (levels,) or (units, levels) how often each
    stands there.
    """
    ranks = np.cumsum(all_, axis=-1) - all_ / 2
    middle = all_.sum(-1, keepdims=True) / 2
    label = np.arange(levels.shape[-1], dtype=float)
    mean = (levels * label).sum(-1, keepdims=True) / np.maximum(levels.sum(-1, keepdims=True), 1)
    spread = (levels * (label - mean) ** 2).sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = ((ranks - middle) * weighted).sum(-1)
        scale = np.sqrt((all_ * (ranks - middle) ** 2).sum(-1) * spread)
        return np.where(scale > 0, covariance / scale, 0.0)


def information(joint: Floats) -> Floats:
    """Mutual information in bits, (…), of bins and classes counted in `joint` (…, bins, classes).

    What counting finds in too few symbols by chance is taken off (Miller & Madow 1955), down to 0.
    """
    count = joint.sum((-2, -1))
    bins, classes = joint.sum(-1), joint.sum(-2)
    entropies = (_entropy(bins), _entropy(classes), _entropy(joint.reshape(*joint.shape[:-2], -1)))
    filled = ((bins > 0).sum(-1), (classes > 0).sum(-1), (joint > 0).sum((-2, -1)))
    with np.errstate(invalid="ignore", divide="ignore"):
        chance = (filled[2] - filled[0] - filled[1] + 1) / (2 * count)
        bits = (entropies[0] + entropies[1] - entropies[2] - chance) / np.log(2)
    found: Floats = np.where(count > 0, np.maximum(bits, 0.0), 0.0)
    return found


def entropy(counts: Floats) -> Floats:
    """In bits, over the last axis."""
    bits: Floats = _entropy(counts) / np.log(2)
    return bits


def _entropy(counts: Floats) -> Floats:
    total = counts.sum(-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = counts / total
        found: Floats = -np.where(counts > 0, share * np.log(share), 0.0).sum(-1)
    return found


@dataclass(frozen=True)
class Thresholds:
    """A bin for each unit from which on (`UPPER`), or below which (`LOWER`), a claim is said to hold; (units,) each."""

    bin: Ints
    side: Ints

    @classmethod
    def best(cls, high: Floats, all_: Floats) -> "Thresholds":
        """Those with the largest F1, on either side."""
        scores = np.stack(
            [_f1(*_above(high, all_), high.sum(-1, keepdims=True)), _f1(*_below(high, all_), high.sum(-1, keepdims=True))]
        )
        flat = scores.transpose(1, 0, 2).reshape(len(high), -1).argmax(-1)
        return cls(flat % high.shape[-1], np.where(flat < high.shape[-1], UPPER, LOWER))

    def f1(self, high: Floats, all_: Floats) -> Floats:
        right, said = self._at(high, all_)
        return _f1(right, said, high.sum(-1))

    def iou(self, high: Floats, all_: Floats) -> Floats:
        """Intersection over union of where the claim holds and where it is said to."""
        right, said = self._at(high, all_)
        union = said + high.sum(-1) - right
        return np.where(union > 0, right / np.maximum(union, 1), 0.0)

    def dwell(self, everywhere: Floats, rises: Floats, falls: Floats) -> Floats:
        """For how many symbols a unit stays on its side once it is there, on average; NaN where it never is.

        `everywhere` (units, bins) counts all symbols, `rises` and `falls` (units, bins + 1) are those of a tally.
        """
        _, said = self._at(everywhere, everywhere)
        begun = np.where(self.side == UPPER, _pick(np.cumsum(rises, -1), self.bin), _pick(np.cumsum(falls, -1), self.bin))
        return np.where(begun > 0, said / np.maximum(begun, 1), np.nan)

    def _at(self, high: Floats, all_: Floats) -> tuple[Floats, Floats]:
        above, below = _above(high, all_), _below(high, all_)
        upper = self.side == UPPER
        right, said = (np.where(upper, _pick(a, self.bin), _pick(b, self.bin)) for a, b in zip(above, below, strict=True))
        return right, said


def _above(high: Floats, all_: Floats) -> tuple[Floats, Floats]:
    """How often a claim holds, and how often it is said to, at each bin or above it."""
    right, said = (np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1] for counts in (high, all_))
    return right, said


def _below(high: Floats, all_: Floats) -> tuple[Floats, Floats]:
    right, said = (np.cumsum(counts, axis=-1) - counts for counts in (high, all_))
    return right, said


def _f1(right: Floats, said: Floats, holds: Floats) -> Floats:
    return 2 * right / np.maximum(said + holds, 1)


def _pick(table: Floats, bins: Ints) -> Floats:
    found: Floats = np.take_along_axis(table, bins[:, None], axis=-1)[:, 0]
    return found


def pearson(x: Floats, xx: Floats, xy: Floats, held: float, count: float) -> Floats:
    """Point-biserial correlation, (units,): Pearson's of a value with whether a claim holds; 0 where either is constant.

    Sums over the `count` symbols that the claim applies to, of which it holds at `held`: Σx, Σx², and Σx where it holds.
    """
    share = held / count if count else 0.0
    spread = (xx - x**2 / max(count, 1.0)) * share * (1 - share) * count
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(spread > 1e-12, (xy - share * x) / np.sqrt(np.maximum(spread, 1e-300)), 0.0)
