"""The compiled loops and those in numpy, held against each other and against loops written by hand."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnscope.native import histograms, recurrent


@pytest.fixture(params=["compiled", "numpy"])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "numpy":
        monkeypatch.setattr(histograms, "_KERNELS", None)
    elif not histograms.compiled:
        pytest.skip("this installation had no compiler, so that there is nothing but numpy")
    return histograms


def test_this_installation_is_compiled() -> None:
    """Wherever the tests run there is a compiler; without one the loops would go untested."""
    assert histograms.compiled


def test_a_library_of_other_sources_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = recurrent._COMPILED
    assert compiled is not None
    assert recurrent._ours(compiled) is compiled
    assert recurrent._ours(SimpleNamespace()) is None  # type: ignore[arg-type]  # one of before there was such a number

    def layout() -> int:
        return int(compiled.layout()) + 1

    assert recurrent._ours(SimpleNamespace(layout=layout)) is None  # type: ignore[arg-type]
    monkeypatch.setattr(recurrent, "_LIBRARY", None)
    monkeypatch.setattr(recurrent, "PATH", None)
    assert "compiled from other sources" in recurrent.about()


@pytest.mark.parametrize(("time", "units"), [(1, 1), (64, 3), (600, 20)])
def test_assign(kernels: Any, time: int, units: int) -> None:
    generator = np.random.default_rng(time)
    values = generator.normal(size=(time, units)).astype(np.float32).round(1)
    edges = np.sort(generator.normal(size=(units, histograms.EDGES)).astype(np.float32).round(1), axis=1)
    edges[0, -40:] = np.inf
    expected = (edges[None] <= values[..., None]).sum(-1).T
    np.testing.assert_array_equal(kernels.assign(values, edges), expected)


@pytest.mark.parametrize(("time", "columns", "classes"), [(500, 64, 128), (17_000, 128, 256), (3, 64, 0), (700, 0, 128)])
def test_tally(kernels: Any, time: int, columns: int, classes: int) -> None:
    generator = np.random.default_rng(time)
    codes = generator.integers(0, 256, (3, time)).astype(np.uint8)
    codes[1] = 7  # more rows than bytes, and halves, hold the sum of
    weights, ones = (generator.integers(0, most, (time, wide)).astype(np.uint8) for most, wide in ((128, columns), (2, classes)))
    weights[:, :1] = 127
    found = [np.ones((3, bins, wide), np.uint32) for bins, wide in ((256, columns), (32, classes))]
    expected = [table.astype(np.int64) for table in found]
    for u in range(3):
        np.add.at(expected[0][u], codes[u], weights)
        np.add.at(expected[1][u], codes[u] >> 3, ones)
    kernels.tally(codes, weights, ones, *found)
    for table, right in zip(found, expected, strict=True):
        np.testing.assert_array_equal(table, right)


def starts(codes: list[int], rows: list[int], k: int) -> tuple[int, int]:
    """Runs at or above k, and below it, by hand."""
    rises = falls = 0
    for t, code in enumerate(codes):
        if rows[t] == 1:
            rises, falls = rises + (code >= k), falls + (code < k)
        elif rows[t] == 0:
            rises, falls = rises + (code >= k > codes[t - 1]), falls + (code < k <= codes[t - 1])
    return rises, falls


@given(st.lists(st.tuples(st.sampled_from([0, 1, 7, 254, 255]), st.integers(0, 2)), min_size=1, max_size=30), st.integers(1, 2))
def test_runs(times: list[tuple[int, int]], first: int) -> None:
    codes, rows = [c for c, _ in times], [first, *(row for _, row in times[1:])]
    expected = np.array([starts(codes, rows, k) for k in range(256)]).T
    known, found = histograms._KERNELS, []
    for kernels in (known, None):
        histograms._KERNELS = kernels
        try:
            rises, falls = np.zeros((1, 257), np.int64), np.zeros((1, 257), np.int64)
            histograms.runs(np.array([codes], np.uint8), np.array(rows, np.uint8), rises, falls)
            found.append(np.cumsum(np.concatenate([rises, falls]), axis=1)[:, :256])
        finally:
            histograms._KERNELS = known
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(found[1], expected)


def test_what_a_kernel_cannot_take_is_refused() -> None:
    with pytest.raises(TypeError, match="expected contiguous"):
        histograms._at(np.zeros((4, 4), np.float32)[:, ::2], np.float32)
