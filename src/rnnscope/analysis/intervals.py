"""How sure a score is: a block bootstrap.

Symbols next to each other aren't independent, stretches of a few thousand are nearly so. So the text is cut into blocks, and
blocks are drawn with replacement; the same draws for everything that is compared. Source: Künsch 1989.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnnscope.analysis import measures
from rnnscope.analysis.labels import UNKNOWN, Claim, Levels, classes
from rnnscope.analysis.tally import COARSE
from rnnscope.native.histograms import BINS, Codes

Floats = NDArray[np.float64]

BLOCK, FEWEST, MOST = 2_048, 20, 256
"""Symbols of a block, as long as the text gives at least `FEWEST` of them and at most `MOST`."""
DRAWS = 2_000
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """Where a score lies, by how much it moves from draw to draw; `level` of the draws are inside."""

    low: float
    high: float
    level: float = LEVEL


class Blocks:
    """Draws of the blocks that `places` places, `step` symbols apart, fall into."""

    def __init__(self, places: int, step: int, seed: int = 0) -> None:
        count = int(np.clip(places * step // BLOCK, FEWEST, MOST))
        self.of = np.arange(places) * count // max(places, 1)
        self.count = count
        drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=DRAWS)
        self.draws: Floats = drawn.astype(np.float64)

    def scores(self, claim: Claim, codes: Codes, level: Levels, coarse: int = COARSE) -> tuple[float, Floats]:
        """A unit's score (see `strength`), of all places and each draw, from its codes and the claim's levels, (places,) each."""
        known = level != UNKNOWN
        block, code, label = self.of[known], codes[known].astype(np.int64), level[known]
        if claim.kind == "categorical":
            count = claim.classes.stop - claim.classes.start
            joint = self._counted(block, (code >> coarse) * count + classes(claim, label), (BINS >> coarse) * count)
            joint = joint.reshape(-1, BINS >> coarse, count)
            bits, bound = measures.information(joint), measures.entropy(joint.sum(1))
            scores = np.where(bound > 0, bits / np.maximum(bound, 1e-12), 0.0)
            # symbols that are drawn twice look like knowledge: by so much the draws are too high
            scores[1:] -= scores[1:].mean() - scores[0]
        else:
            all_ = self._counted(block, code, BINS)
            high = self._counted(block, code, BINS, label.astype(np.float64))
            if claim.kind == "binary":
                scores = measures.auroc(high, all_)
            else:
                levels = self._counted(block, label.astype(np.int64), BINS)
                scores = measures.rank_correlation(high, all_, levels)
        return float(scores[0]), scores[1:]

    def _counted(self, block: NDArray[np.int64], value: NDArray[np.int64], size: int, weight: Floats | None = None) -> Floats:
        """Counts over all blocks, then over each draw: (1 + draws, size)."""
        flat = np.bincount(block * size + value, weights=weight, minlength=self.count * size)
        table = flat.astype(np.float64).reshape(self.count, size)
        return np.concatenate([table.sum(0, keepdims=True), self.draws @ table])


def interval(score: float, whole: float, drawn: Floats, bounds: tuple[float, float]) -> Interval:
    """Around a score of the whole text, as far as the draws of a sample move from the sample's own score `whole`."""
    moved = drawn - whole
    low, high = np.quantile(moved, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(np.clip(score + low, *bounds)), float(np.clip(score + high, *bounds)))


def p_better(first: Floats, second: Floats) -> float:
    """How likely the first is no better than the second, from the same draws of both (one-sided)."""
    return float((1 + (first <= second).sum()) / (1 + len(first)))
