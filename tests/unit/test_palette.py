"""Colours are told apart by everybody: simulated after Machado, Oliveira & Fernandes 2009, severity 1; distances in CIELAB."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from rnnscope.views.palette import SERIES

SIGHT = {
    "usual": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])


def lab(colour: str, sight: NDArray[np.float64]) -> NDArray[np.float64]:
    channels = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    x, y, z = np.cbrt(XYZ @ np.clip(sight @ linear, 0, 1) / XYZ.sum(1))  # none is so dark that the linear part counts
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHT)
def test_no_two_colours_look_alike(sight: str) -> None:
    for one, other in combinations(SERIES, 2):
        assert np.linalg.norm(lab(one, SIGHT[sight]) - lab(other, SIGHT[sight])) > 20, (one, other)


def test_nor_in_grey() -> None:
    light = sorted(lab(colour, SIGHT["usual"])[0] for colour in SERIES)
    assert min(np.diff(light)) > 6
    assert light[-1] < 82  # on white paper
