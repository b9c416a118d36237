"""Rank statistics of many columns at once, exact, ties counted half.

A column is sorted once; the ranks within any subset of its rows follow from the sorted order by counting.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def dense(values: NDArray[np.floating[Any]]) -> NDArray[np.int32]:
    """Whole numbers in the order of each column's values, equal where the values are; shape (rows, columns) as given.

    Half precision has so few values that their own bits, put in order, serve: nothing is sorted.
    """
    if values.dtype == np.float16:
        bits = (values + np.float16(0)).view(np.uint16).astype(np.int32)  # −0 becomes 0
        return np.where(bits & 0x8000, 0xFFFF - bits, bits + 0x8000).astype(np.int32)
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, axis=0)
    steps = np.zeros(values.shape, np.int32)
    np.cumsum(ordered[1:] != ordered[:-1], axis=0, out=steps[1:])
    places = np.empty_like(steps)
    np.put_along_axis(places, order, steps, axis=0)
    return places


def midranks(places: NDArray[np.int32]) -> Floats:
    """Ranks from 1 with ties at their mean, from places as `dense` gives them (gaps don't matter); same shape."""
    ranks = np.empty(places.shape)
    for k in range(places.shape[1]):
        column = np.ascontiguousarray(places[:, k])
        counts = np.bincount(column)
        ranks[:, k] = (np.cumsum(counts) - (counts - 1) / 2)[column]
    return ranks


def auroc(ranks: Floats, labels: NDArray[np.bool_]) -> Floats:
    """Area under the ROC curve of every column for every label: ranks (rows, columns), labels (rows, hypotheses) →
    (columns, hypotheses). NaN where a label is never or always true. Source: Hanley & McNeil 1982 (Mann–Whitney)."""
    positive = labels.sum(axis=0).astype(float)
    negative = len(labels) - positive
    total = ranks.T @ labels.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        area: Floats = (total - positive * (positive + 1) / 2) / (positive * negative)
    return area


def correlation(ranks: Floats, others: Floats) -> Floats:
    """Spearman's rank correlation of every column with every other one: (rows, a), (rows, b) → (a, b).

    NaN where a column is constant.
    """
    a, b = ranks - ranks.mean(axis=0), others - others.mean(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled: Floats = (a.T @ b) / np.sqrt(np.outer((a * a).sum(axis=0), (b * b).sum(axis=0)))
    return scaled
