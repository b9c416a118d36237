"""Units of an LSTM set by hand. What is said below is of the cell state c, which no gate hides: h = tanh(c).

All of them keep c exactly: gates are 0 or 1 in float32 where they aren't meant to be between. With the sign s = ±1:

- latch: c is s inside double quotes and 0 outside. At each quote the candidate writes +s where h is 0, and −s where it is not.
- counter: c = s · depth / 2. An opener adds s / 2, a closer takes it away.
- ramp: c = s · STEP · (column + 1). Each symbol adds the same; a newline empties c before that.
- decay: c = s · KEPT^column. A newline sets it to s, every other symbol multiplies it.
- memory: c = s · BLANK · indentation. Each blank adds the same as long as the helper is on; a newline empties c.

The memory's helper is 1 from a newline on until the first symbol that is no blank.
"""

import math
from typing import ClassVar

from rnnscope.models import RecurrentLM
from rnnscope.planted.rows import SHUT, SURE, Rows

STEP = 1 / (1 + math.exp(4))
KEPT = 0.95
BLANK = 0.1


def _gate(value: float) -> float:
    return math.log(value / (1 - value))


class LSTMUnits:
    """Turns units of an LSTM into planted ones. `helpers` is how many units the others need beside them."""

    helpers: ClassVar[int] = 1

    def __init__(self, model: RecurrentLM, helpers: list[int]) -> None:
        self._rows = Rows(model, ("input", "forget", "candidate", "output"))
        [self._leading] = helpers
        self._clear(self._leading)
        self._rows.set(self._leading, "input", -SHUT, {"\n": 2 * SHUT})
        self._rows.set(self._leading, "forget", -SHUT, {" ": 2 * SHUT})
        self._rows.set(self._leading, "candidate", SURE)

    def _clear(self, unit: int) -> None:
        self._rows.clear(unit)
        self._rows.set(unit, "output", SHUT)

    def latch(self, unit: int, sign: int) -> None:
        self._clear(unit)
        self._rows.set(unit, "forget", SHUT)
        self._rows.set(unit, "input", -SHUT, {'"': 2 * SHUT})
        self._rows.set(unit, "candidate", sign * SURE, units={unit: -3 * SURE})

    def counter(self, unit: int, sign: int) -> None:
        self._clear(unit)
        self._rows.set(unit, "forget", SHUT)
        self._rows.set(unit, "input", -SHUT, {"(": SHUT, ")": SHUT})  # half open
        self._rows.set(unit, "candidate", 0.0, {"(": sign * SURE, ")": -sign * SURE})

    def ramp(self, unit: int, sign: int) -> None:
        self._clear(unit)
        self._rows.set(unit, "forget", SHUT, {"\n": -2 * SHUT})
        self._rows.set(unit, "input", _gate(STEP))
        self._rows.set(unit, "candidate", sign * SURE)

    def decay(self, unit: int, sign: int) -> None:
        self._clear(unit)
        self._rows.set(unit, "forget", _gate(KEPT), {"\n": -2 * SHUT})
        self._rows.set(unit, "input", -SHUT, {"\n": 2 * SHUT})
        self._rows.set(unit, "candidate", 0.0, {"\n": sign * SURE})

    def memory(self, unit: int, sign: int) -> None:
        self._clear(unit)
        self._rows.set(unit, "forget", SHUT, {"\n": -2 * SHUT})
        self._rows.set(unit, "input", -3 * SHUT, {" ": 2 * SHUT}, {self._leading: 2 * SHUT / math.tanh(1)})
        self._rows.set(unit, "candidate", sign * math.atanh(BLANK))
