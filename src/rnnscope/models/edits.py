"""What an intervention does to signals where they are computed.

An edit is any function of a step, a signal and its value. One that holds units at values known beforehand can say so for a whole
stretch at once (`held`): then a kernel follows it, and nobody has to step through the equations.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnscope.models.cells import EditOfStep, Named

Edit = EditOfStep
"""By the signal's whole name: (step of the stretch, signal, its value of shape (batch, units)) → the value to go on with."""


@dataclass(frozen=True)
class Put:
    """What some units of a signal are set to."""

    units: Tensor
    """Their numbers, (n,)."""
    values: Tensor
    """(time, batch, n), or (n,) where they are always the same."""


@dataclass(frozen=True)
class Holding:
    """The edit that holds units: `put` by signal, at the steps that are `there`, (time, batch), all where that is None.

    What it does comes after another edit, `below`.
    """

    put: dict[str, Put]
    there: Tensor | None = None
    below: Edit | None = None

    def __call__(self, t: int, name: str, value: Tensor) -> Tensor:
        value = value if self.below is None else self.below(t, name, value)
        if name not in self.put:
            return value
        put = self.put[name]
        new = (put.values[t] if put.values.ndim == 3 else put.values).to(value)
        if self.there is not None:
            new = torch.where(self.there[t][:, None], new, value[:, put.units])
        value = value.clone()
        value[:, put.units] = new.expand(len(value), len(put.units))
        return value

    def held(self, names: Sequence[str], shape: tuple[int, int, int]) -> Named | None:
        """What the named signals, each of `shape` (time, batch, units), are held at: no number (NaN) where a unit is free.

        Signals that are free altogether are left out. None where it isn't known, or is itself no number.
        """
        below = held_by(self.below, names, shape)
        if below is None or any(put.values.isnan().any() for name, put in self.put.items() if name in names):
            return None
        found = dict(below)
        for name in names:
            if name in self.put:
                found[name] = self._over(found.get(name), self.put[name], shape)
        return found

    def _over(self, below: Tensor | None, put: Put, shape: tuple[int, int, int]) -> Tensor:
        always = below is None and self.there is None and put.values.ndim == 1
        found = put.values.new_full((1, 1, shape[2]) if always else shape, torch.nan)
        if below is not None:
            found.copy_(below)
        new = put.values if self.there is None else torch.where(self.there[..., None], put.values, found[..., put.units])
        found[..., put.units] = new.to(found.dtype)
        return found.expand(shape)


@dataclass(frozen=True)
class AtPlace:
    """An edit by a signal's kind, for what computes at one place of a model (`layer0`).

    `back_from` numbers the steps from that one down, for what reads from the right.
    """

    edit: Edit
    place: str
    back_from: int | None = None

    def __call__(self, t: int, kind: str, value: Tensor) -> Tensor:
        return self.edit(t if self.back_from is None else self.back_from - t, f"{self.place}/{kind}", value)

    def held(self, names: Sequence[str], shape: tuple[int, int, int]) -> Named | None:
        """As `Holding.held`, by kind."""
        found = held_by(self.edit, [f"{self.place}/{kind}" for kind in names], shape)
        if found is None:
            return None
        return {
            name.removeprefix(f"{self.place}/"): value if self.back_from is None else value.flip(0) for name, value in found.items()
        }


def at_place(edit: Edit | None, place: str, back_from: int | None = None) -> AtPlace | None:
    """The edit at one place; None where nothing is edited."""
    return None if edit is None else AtPlace(edit, place, back_from)


def held_by(edit: Edit | None, names: Sequence[str], shape: tuple[int, int, int]) -> Named | None:
    """As `Holding.held`, of any edit; of none, nothing."""
    if edit is None:
        return {}
    return edit.held(names, shape) if isinstance(edit, Holding | AtPlace) else None
