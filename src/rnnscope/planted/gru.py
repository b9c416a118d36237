"""Units of a GRU (torch's equations) set by hand. What is said below is of the hidden state h, which lies between −1 and 1.

A GRU has no gate for writing beside the one for keeping, so what grows does it by going a part of the way to a limit: it
is monotone in its label, not proportional to it. With the sign s = ±1:

- latch: h is s inside double quotes and −s outside (0 before the first). At each quote h is replaced by a candidate that has the
  other sign.
- counter: h = s · tanh(depth / 4) up to a depth of `DEEPEST`. Steps back and forth drift in a unit that keeps less than all of
  itself, so the depth is held by as many latches: latch k is 1 where at least k brackets are open. An opener sets it if latch
  k − 1 is on, a closer clears it if latch k + 1 is off. The counter adds them up, and the bracket that was just read.
- ramp: h = s · (1 − RAMP^column). Each symbol goes a part of the way to s; a newline empties h.
- decay: h = s · KEPT^column. A newline sets it to s, every other symbol multiplies it.
- memory: h = s · (1 − BLANK^indentation). Each blank goes a part of the way to s as long as the helper is on.

The memory's helper is 1 from a newline on until the first symbol that is no blank.
"""

import math
from typing import ClassVar

from rnnscope.models import RecurrentLM
from rnnscope.planted.rows import SHUT, SURE, Rows
from rnnscope.planted.texts import DEEPEST

RAMP, KEPT, BLANK = 0.97, 0.95, 0.9
LEVEL = 0.25


def _gate(value: float) -> float:
    return math.log(value / (1 - value))


class GRUUnits:
    """Turns units of a GRU into planted ones. `helpers` is how many units the others need beside them."""

    helpers: ClassVar[int] = 1 + DEEPEST

    def __init__(self, model: RecurrentLM, helpers: list[int]) -> None:
        self._rows = Rows(model, ("reset", "update", "candidate"))
        self._leading, *self._levels = helpers
        self._clear(self._leading)
        self._rows.set(self._leading, "update", -SHUT, {" ": 2 * SHUT})
        self._rows.set(self._leading, "candidate", 0.0, {"\n": SURE})
        for k, level in enumerate(self._levels):
            self._clear(level)
            keeps, others = 3 * SHUT, {}
            if k == 0:  # there is always a level below the first
                keeps -= 2 * SHUT
            else:
                others[self._levels[k - 1]] = -2 * SHUT
            if k + 1 < DEEPEST:
                others[self._levels[k + 1]] = 2 * SHUT
            self._rows.set(level, "update", keeps, {"(": -2 * SHUT, ")": -2 * SHUT}, others)
            self._rows.set(level, "candidate", 0.0, {"(": SURE})

    def _clear(self, unit: int) -> None:
        self._rows.clear(unit)
        self._rows.set(unit, "reset", SHUT)

    def latch(self, unit: int, sign: int) -> None:
        self._clear(unit)
        self._rows.set(unit, "update", SHUT, {'"': -2 * SHUT})
        self._rows.set(unit, "candidate", sign * SURE, units={unit: -2 * SURE})

    def counter(self, unit: int, sign: int) -> None:
        self._clear(unit)
        self._rows.set(unit, "update", -SHUT)
        step = sign * LEVEL
        self._rows.set(unit, "candidate", 0.0, {"(": step, ")": -step}, dict.fromkeys(self._levels, step))

    def ramp(self, unit: int, sign: int) -> None:
        self._clear(unit)
        self._rows.set(unit, "update", _gate(RAMP), {"\n": -2 * SHUT})
        self._rows.set(unit, "candidate", sign * SURE, {"\n": -sign * SURE})

    def decay(self, unit: int, sign: int) -> None:
        self._clear(unit)
        self._rows.set(unit, "update", _gate(KEPT), {"\n": -2 * SHUT})
        self._rows.set(unit, "candidate", 0.0, {"\n": sign * SURE})

    def memory(self, unit: int, sign: int) -> None:
        self._clear(unit)
        both = _gate(BLANK)  # a blank and the helper together; one of them alone keeps all
        self._rows.set(unit, "update", both + 2 * SHUT, {" ": -SHUT, "\n": -5 * SHUT}, {self._leading: -SHUT})
        self._rows.set(unit, "candidate", sign * SURE, {"\n": -sign * SURE})
