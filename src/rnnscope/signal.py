"""Signals: the named quantities that a model computes at every symbol.

A signal's name says where it lives and what it is: `layer0/forget`, `layer2/cell`, `log_prob`.
Its equation travels with it, because the same word means opposite things in different models: an
update gate near 1 keeps the old state in torch's GRU and overwrites it in the paper's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from rnnscope.exceptions import UnknownNameError


@dataclass(frozen=True)
class Signal:
    """One named quantity.

    `size` is the number of units (the last axis); 0 means one number per symbol and no unit axis.
    `low` and `high` bound the values; `None` means unbounded. `gate` marks a value between 0 and 1 that
    multiplies something, which is what saturation is measured on; `state` one that is carried to the next symbol;
    `integer` one that counts or numbers.
    """

    name: str
    size: int
    equation: str
    low: float | None = None
    high: float | None = None
    gate: bool = False
    state: bool = False
    integer: bool = False

    @property
    def kind(self) -> str:
        """The last part of the name: `forget` for `layer0/forget`."""
        return self.name.rpartition("/")[2]

    @property
    def place(self) -> str:
        """The part before it: `layer0` for `layer0/forget`, empty for `log_prob`."""
        return self.name.rpartition("/")[0]

    @property
    def layer(self) -> int | None:
        """The layer's number, from 0, or None for a signal of the whole model. `layer0.reverse` reads from the right."""
        place = self.place.removesuffix(".reverse")
        return int(place[5:]) if place.startswith("layer") and place[5:].isdigit() else None

    @property
    def keeps(self) -> int:
        """Of a gate, as its equation says: 1 where its 1 keeps the state, −1 where its 1 overwrites it, 0 where it does neither."""
        if not self.gate:
            return 0
        return 1 if self.equation.endswith("1 keeps") else -1 if self.equation.endswith("1 overwrites") else 0

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "size": self.size,
            "equation": self.equation,
            "low": self.low,
            "high": self.high,
            "gate": self.gate,
            "state": self.state,
            "integer": self.integer,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Signal":
        return cls(**data)


def keeper(signals: Iterable[Signal], place: str) -> Signal | None:
    """The gate of a layer that keeps or overwrites its state; None where it has none."""
    return next((s for s in signals if s.keeps and s.place == place), None)


def representations(signals: Sequence[Signal]) -> list[Signal]:
    """Where a model represents what it has read: its states, or the hidden layer of one that carries none."""
    return [s for s in signals if s.state] or [s for s in signals if s.kind == "hidden"]


def select(signals: Sequence[Signal], patterns: str | Iterable[str]) -> list[Signal]:
    """The signals that match any of the glob patterns, in the model's own order.

    A pattern without a slash also matches the last part of a name, so that `cell` means `layer*/cell`, and the first, so that
    `layer0` means `layer0/*`.
    Raises `UnknownNameError` for a pattern that matches nothing.

    >>> [s.name for s in select([Signal("layer0/cell", 4, "c"), Signal("log_prob", 0, "l")], "cell")]
    ['layer0/cell']
    """
    patterns = [patterns] if isinstance(patterns, str) else list(patterns)
    chosen: set[str] = set()
    for pattern in patterns:
        hits = {s.name for s in signals if any(fnmatchcase(name, pattern) for name in (s.name, s.place, s.kind))}
        if not hits:
            raise UnknownNameError("signal", pattern, [s.name for s in signals])
        chosen |= hits
    return [s for s in signals if s.name in chosen]
