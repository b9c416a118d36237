"""A benchmark for ways of finding units: networks whose units are known, since their weights were set by hand."""

from rnnscope.planted.benchmark import own, planted_benchmark
from rnnscope.planted.judging import judge
from rnnscope.planted.networks import PlantedNetwork, PlantedUnit, planted_network, random_network
from rnnscope.planted.tasks import Task
from rnnscope.planted.texts import DEEPEST, planted_corpus, planted_text

__all__ = [
    "DEEPEST",
    "PlantedNetwork",
    "PlantedUnit",
    "Task",
    "judge",
    "own",
    "planted_benchmark",
    "planted_corpus",
    "planted_network",
    "planted_text",
    "random_network",
]
