"""Recipe + corpus → run.

A `Recipe` holds every choice; `train` follows it and writes a `Run`, a folder that holds the weights, the recipe,
the history and what a resume needs; `load` brings the network back.
"""

from rnnscope.training.recipe import Recipe, find_recipe, recipe, recipes
from rnnscope.training.run import Run, load
from rnnscope.training.trainer import train

__all__ = ["Recipe", "Run", "find_recipe", "load", "recipe", "recipes", "train"]
