"""Networks of one layer with planted units among random ones, and networks of random ones only."""

from dataclasses import dataclass

import numpy as np
import torch

from rnnscope.corpora import Vocabulary
from rnnscope.exceptions import UsageError, so_many
from rnnscope.models import Architecture, RecurrentLM
from rnnscope.planted.gru import GRUUnits
from rnnscope.planted.lstm import LSTMUnits
from rnnscope.planted.texts import SYMBOLS

CELLS: dict[str, type[LSTMUnits] | type[GRUUnits]] = {"lstm": LSTMUnits, "gru": GRUUnits}
CLAIMS: dict[str, dict[str, int]] = {
    "latch": {"double_quotes": 1},
    "counter": {"round_depth": 1, "bracket_depth": 1, "round_brackets": 1},
    "ramp": {"column": 1},
    "decay": {"column": -1},
    "memory": {"indentation": 1},
}
"""The hypotheses that each kind of unit keeps track of, and its polarity where its sign is +1."""
HYPOTHESES = tuple(dict.fromkeys(name for claims in CLAIMS.values() for name in claims))
COPIES = 2
"""Units of each kind in a network, half of them with the sign flipped."""


@dataclass(frozen=True)
class PlantedUnit:
    """A unit that keeps track of a hypothesis: high where it holds for polarity +1, low for −1."""

    kind: str
    hypothesis: str
    unit: int
    polarity: int


@dataclass(frozen=True)
class PlantedNetwork:
    """A network and the truth about it. `helpers` are the units that planted ones need; they may tell a hypothesis, too."""

    model: RecurrentLM
    cell: str
    seed: int
    truth: tuple[PlantedUnit, ...]
    helpers: tuple[int, ...]


def random_network(cell: str, units: int, seed: int) -> PlantedNetwork:
    """A network with torch's usual first weights, in which nothing is planted."""
    _check(cell)
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    model = RecurrentLM(Architecture(cell, 1, units), Vocabulary.of(SYMBOLS), name=f"random {cell} {seed}")
    torch.random.set_rng_state(state)
    return PlantedNetwork(model, cell, seed, (), ())


def planted_network(cell: str, units: int = 64, seed: int = 0) -> PlantedNetwork:
    """A network of one layer over the symbols of a planted text. The units that aren't planted are random and read all others.

    Raises `UsageError` for another cell than `lstm` and `gru`, and for too few units.
    """
    least = fewest(cell)
    if units < least:
        given = f"{so_many(units, 'units')} {'is' if units == 1 else 'are'}"
        raise UsageError(f"{given} too few to hide {least // 2} planted ones and their helpers; take at least {least}")
    model = random_network(cell, units, seed).model
    model.name = f"planted {cell} {seed}"
    places = np.random.default_rng(seed).permutation(units).tolist()
    helpers, places = places[: CELLS[cell].helpers], places[CELLS[cell].helpers :]
    maker = CELLS[cell](model, helpers)
    truth = []
    for kind, claims in CLAIMS.items():
        for copy in range(COPIES):
            unit, sign = places.pop(), 1 if copy % 2 == 0 else -1
            getattr(maker, kind)(unit, sign)
            truth += [PlantedUnit(kind, name, unit, sign * polarity) for name, polarity in claims.items()]
    return PlantedNetwork(model, cell, seed, tuple(truth), tuple(helpers))


def fewest(cell: str) -> int:
    """How many units a planted network has at least: as many random ones as others."""
    _check(cell)
    return 2 * (COPIES * len(CLAIMS) + CELLS[cell].helpers)


def _check(cell: str) -> None:
    if cell not in CELLS:
        raise UsageError(f"no units can be planted in the cell {cell!r}; expected one of {', '.join(CELLS)}")
