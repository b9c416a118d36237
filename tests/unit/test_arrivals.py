"""Values on their way to the processor, and the scan that a GPU makes of a step at a time."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from rnnscope.models.arrivals import Arrival, one_ahead
from rnnscope.models.scan import scan


@pytest.mark.parametrize("time", [1, 2, 3, 15, 16, 17, 255, 256])
def test_a_scan_is_what_its_steps_give(time: int) -> None:
    torch.manual_seed(time)
    keep, write = torch.rand(time, 3, 5, dtype=torch.float64), torch.randn(time, 3, 5, dtype=torch.float64)
    c = first = torch.randn(3, 5, dtype=torch.float64)
    found = scan(keep, write, first)
    for t in range(time):
        c = keep[t] * c + write[t]
        torch.testing.assert_close(found[t], c, rtol=1e-13, atol=1e-13)


def test_items_come_one_after_another_or_with_the_next_one_begun() -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for k in range(3):
            begun.append(k)
            yield k

    def order(really: bool) -> list[tuple[int, int]]:
        begun.clear()
        return [(item, len(begun)) for item in one_ahead(items(), really)]

    assert order(False) == [(0, 1), (1, 2), (2, 3)]
    assert order(True) == [(0, 2), (1, 3), (2, 3)]


def test_a_processors_values_are_there_as_they_are() -> None:
    value, half = torch.randn(4, 3), torch.randn(2).bfloat16()
    found = Arrival({"value": value, "half": half}).arrays()
    assert np.shares_memory(found["value"], value.numpy())
    assert found["half"].dtype == np.float32
    np.testing.assert_array_equal(found["half"], half.float().numpy())
