"""Circles whose areas are the numbers of errors: a Venn diagram of two or three models, as plain data."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.optimize import brentq, minimize

from rnnscope.comparison.overlap import regions
from rnnscope.exceptions import UsageError, expect, expect_table

_GRID = 400

Names = tuple[str, ...]


@dataclass(frozen=True)
class Venn:
    """Circles (x, y, radius), one for each of `names`; the area of all that they cover is 1.

    `counts` are the symbols that exactly these models get wrong, `places` where there is most room for the number, None where
    a region isn't drawn. `off` is by how much the share of a region's area differs from that of its number, at most: 0 up to
    rounding for two models; three circles can't always do it.
    """

    names: Names
    circles: list[tuple[float, float, float]]
    counts: dict[Names, int]
    places: dict[Names, tuple[float, float] | None]
    off: float


def venn(table: pd.DataFrame, names: Names) -> Venn:
    """The circles for two or three models of a table of `overlap`. For other numbers of models there is the table.

    Raises `UsageError` for fewer than two and more than three.

    >>> table = pd.DataFrame({"a": [True, True], "b": [False, True], "symbols": [30, 20]})  # b errs only where a does
    >>> [[round(abs(number), 3) for number in circle] for circle in venn(table, ("a", "b")).circles]
    [[0.0, 0.0, 0.564], [0.207, 0.0, 0.357]]
    >>> venn(table, ("a", "b")).off < 0.001
    True
    """
    expect(names, tuple | list, "the names of two or three models")
    expect_table(table, (*names, "symbols"), "rs.compare(…).overlap")
    if len(names) not in (2, 3):
        raise UsageError(f"circles can be drawn for 2 or 3 models, not {len(names)}; name some, or take the table")
    counts = regions(table, names)
    total = max(sum(counts.values()), 1)
    sizes = np.array([sum(n for chosen, n in counts.items() if name in chosen) for name in names]) / total
    radii = np.sqrt(sizes / np.pi)
    shared = {
        (a, b): sum(n for chosen, n in counts.items() if names[a] in chosen and names[b] in chosen) / total
        for a in range(len(names))
        for b in range(a + 1, len(names))
    }
    centres = _laid(radii, shared)
    if len(names) == 3:
        centres = _mended(centres, radii, counts, names, total)
    areas, places = _measured(centres, radii, names)
    off = max((abs(areas[chosen] - counts[chosen] / total) for chosen in counts), default=0.0)
    circles = [(float(x), float(y), float(r)) for (x, y), r in zip(centres, radii, strict=True)]
    return Venn(names, circles, counts, places, float(off))


def lens(one: float, other: float, distance: float) -> float:
    """The area that two circles of these radii share, their centres so far apart.

    >>> round(lens(1, 1, 0), 3), round(lens(1, 1, 1), 3), lens(1, 1, 2)
    (3.142, 1.228, 0.0)
    """
    if distance >= one + other:
        return 0.0
    if distance <= abs(one - other):
        return float(np.pi * min(one, other) ** 2)
    halves = [
        r**2 * np.arccos(np.clip((distance**2 + r**2 - s**2) / (2 * distance * r), -1, 1)) for r, s in ((one, other), (other, one))
    ]
    product = (-distance + one + other) * (distance + one - other) * (distance - one + other) * (distance + one + other)
    return float(sum(halves) - np.sqrt(max(product, 0)) / 2)


def _apart(one: float, other: float, area: float) -> float:
    """How far apart two circles are that share this area."""
    near, far = abs(one - other), one + other
    if area >= lens(one, other, near):
        return near
    if area <= 0:
        return far
    return float(brentq(lambda d: lens(one, other, d) - area, near, far))


def _laid(radii: NDArray[np.float64], shared: dict[tuple[int, int], float]) -> NDArray[np.float64]:
    apart = {pair: _apart(radii[pair[0]], radii[pair[1]], area) for pair, area in shared.items()}
    centres = np.zeros((len(radii), 2))
    centres[1, 0] = apart[0, 1]
    if len(radii) == 3:
        x = (apart[0, 1] ** 2 + apart[0, 2] ** 2 - apart[1, 2] ** 2) / (2 * apart[0, 1]) if apart[0, 1] else apart[0, 2]
        centres[2] = x, np.sqrt(max(apart[0, 2] ** 2 - x**2, 0))
    return centres


def _mended(
    centres: NDArray[np.float64], radii: NDArray[np.float64], counts: dict[Names, int], names: Names, total: int
) -> NDArray[np.float64]:
    """Moved so that the areas of all regions are as near as three circles come to their numbers."""
    wanted = {chosen: n / total for chosen, n in counts.items()}

    def far(flat: NDArray[np.float64]) -> float:
        areas, _ = _measured(flat.reshape(-1, 2), radii, names, labels=False)
        return sum((areas[chosen] - share) ** 2 for chosen, share in wanted.items())

    found: NDArray[np.float64] = minimize(far, centres.ravel(), method="Nelder-Mead", options={"maxiter": 300}).x.reshape(-1, 2)
    return found if far(found.ravel()) < far(centres.ravel()) else centres


def _measured(
    centres: NDArray[np.float64], radii: NDArray[np.float64], names: Names, *, labels: bool = True
) -> tuple[dict[Names, float], dict[Names, tuple[float, float] | None]]:
    """The share of what the circles cover that each region has, on a grid, and its roomiest place."""
    low, high = (centres - radii[:, None]).min(0), (centres + radii[:, None]).max(0)
    step = max(float((high - low).max()) / _GRID, 1e-12)
    x, y = (np.arange(low[k] + step / 2, high[k], step) for k in (0, 1))
    inside = [(x - cx) ** 2 + (y[:, None] - cy) ** 2 <= r**2 for (cx, cy), r in zip(centres, radii, strict=True)]
    code = sum((mask.astype(np.int64) << k for k, mask in enumerate(inside)), np.zeros((len(y), len(x)), np.int64))
    covered = max(int((code > 0).sum()), 1)
    areas: dict[Names, float] = {}
    places: dict[Names, tuple[float, float] | None] = {}
    for number in range(1, 2 ** len(names)):
        chosen = tuple(name for k, name in enumerate(names) if number >> k & 1)
        here = code == number
        areas[chosen] = float(here.sum() / covered)
        places[chosen] = None
        if labels and here.any():
            depth = distance_transform_edt(np.pad(here, 1))[1:-1, 1:-1]
            row, column = np.unravel_index(int(depth.argmax()), depth.shape)
            places[chosen] = (float(x[column]), float(y[row]))
    return areas, places
