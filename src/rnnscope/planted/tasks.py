"""Tasks: a network's values, the labels of a text, and the truth about which units tell them.

Of three sorts: in `planted` there is something to be found. In `random` and `shuffled` there is not: in the first nothing is
planted, in the second a planted network reads the symbols of the text in random order, while the labels are of the text itself.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnnscope.analysis.hypotheses.base import Hypothesis, label
from rnnscope.analysis.hypotheses.catalogue import hypotheses
from rnnscope.analysis.sources import FromModel
from rnnscope.corpora import Corpus
from rnnscope.exceptions import UsageError
from rnnscope.models.threads import computing
from rnnscope.planted.networks import HYPOTHESES, PlantedNetwork, PlantedUnit, planted_network, random_network
from rnnscope.planted.texts import planted_corpus, shuffled
from rnnscope.signal import representations


@dataclass(frozen=True)
class Truth:
    """What is known of a task: which units tell its hypotheses (`planted`); `helpers` are those that the planted ones need."""

    network: str
    cell: str
    seed: int
    task: str
    units: int
    signals: tuple[str, ...]
    planted: tuple[PlantedUnit, ...] = ()
    helpers: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Truth":
        planted = tuple(PlantedUnit(**unit) for unit in data["planted"])
        return cls(**(data | {"signals": tuple(data["signals"]), "planted": planted, "helpers": tuple(data["helpers"])}))


@dataclass(frozen=True)
class Task:
    """What a method gets. `made` reads the text `read`, the labels are those of `corpus`, which is as long."""

    truth: Truth
    made: PlantedNetwork
    read: Corpus
    corpus: Corpus

    @property
    def name(self) -> str:
        return self.truth.network

    @cached_property
    def hypotheses(self) -> list[Hypothesis]:
        return hypotheses(HYPOTHESES)

    @cached_property
    def labels(self) -> pd.DataFrame:
        """A column for each hypothesis, a row for each symbol."""
        return pd.DataFrame(label(self.hypotheses, self.corpus))

    @cached_property
    def values(self) -> dict[str, NDArray[np.float32]]:
        """What each state of the network is at each symbol, (symbols, units)."""
        source, names = FromModel(self.made.model, self.read), self.truth.signals
        with computing():
            stretches = [arrays for _, arrays in source.stretches(names, 0, len(self.read))]
        return {name: np.concatenate([arrays[name] for arrays in stretches]) for name in names}


def tasks(cells: Sequence[str], networks: int, units: int, symbols: int, seed: int) -> Iterator[Task]:
    """For each cell and each of so many networks three tasks, one of each sort; network k has the seed `seed` + k."""
    if networks < 1:
        raise UsageError(f"{networks} networks of each cell are too few; expected at least 1")
    for cell in cells:
        for k in range(seed, seed + networks):
            corpus, planted = planted_corpus(symbols, k), planted_network(cell, units, k)
            yield _task("planted", planted, corpus, corpus)
            yield _task("random", random_network(cell, units, k), corpus, corpus)
            yield _task("shuffled", planted, shuffled(corpus, k), corpus)


def _task(sort: str, made: PlantedNetwork, read: Corpus, corpus: Corpus) -> Task:
    there = sort == "planted"
    name = f"{made.cell}-{made.seed}-{sort}"
    units, signals = made.model.stack[0].units, tuple(s.name for s in representations(made.model.signals))
    truth = Truth(name, made.cell, made.seed, sort, units, signals, made.truth if there else (), made.helpers if there else ())
    return Task(truth, made, read, corpus)
