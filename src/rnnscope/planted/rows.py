"""Setting the weights of one unit by hand."""

from collections.abc import Mapping

import torch

from rnnscope.models import RecurrentLM

SURE = 20.0
"""What a candidate is given to be 1: tanh(20) is, in float32."""
SHUT = 120.0
"""What a gate is given to be 0 or 1: σ(−120) is 0 in float32, so that nothing leaks and equal labels have equal values."""


class Rows:
    """The rows of a one-layer network's weights by block (the order of the cell's blocks), unit, and what they weigh."""

    def __init__(self, model: RecurrentLM, blocks: tuple[str, ...]) -> None:
        [self._layer] = model.stack
        self._symbol = {chr(value): k for k, value in enumerate(model.vocabulary.values)}
        self._blocks = {block: k * self._layer.units for k, block in enumerate(blocks)}

    def clear(self, unit: int) -> None:
        """All of a unit's weights become 0."""
        with torch.no_grad():
            for weights in self._layer.parameters():
                for first in self._blocks.values():
                    weights[first + unit] = 0.0

    def set(
        self,
        unit: int,
        block: str,
        bias: float,
        symbols: Mapping[str, float] | None = None,
        units: Mapping[int, float] | None = None,
    ) -> None:
        """What a block of a unit adds up: a bias, a weight for each symbol read, and one for each unit's last hidden value."""
        row = self._blocks[block] + unit
        with torch.no_grad():
            self._layer.bias_ih[row] = bias
            for symbol, weight in (symbols or {}).items():
                self._layer.weight_ih[row, self._symbol[symbol]] = weight
            for other, weight in (units or {}).items():
                self._layer.weight_hh[row, other] = weight
