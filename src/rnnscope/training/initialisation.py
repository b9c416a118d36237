"""First weights."""

import torch
from torch import Tensor

from rnnscope.corpora import Vocabulary
from rnnscope.models import RecurrentLM
from rnnscope.training.recipe import Recipe

# Which block of rows keeps (+) or overwrites (−) the state, by cell; see the order of rows in `models.cells`.
_KEEPS = {"lstm": {1: +1, 0: -1}, "gru": {1: +1}, "gru-paper": {1: -1}}


def first_model(recipe: Recipe, vocabulary: Vocabulary) -> RecurrentLM:
    """The network that a training begins with, the same for the same recipe. The global random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = RecurrentLM(recipe.architecture, vocabulary)
        if recipe.chrono:
            _chrono(model, recipe.chrono)
    return model


@torch.no_grad()
def _chrono(model: RecurrentLM, span: int) -> None:
    """Gate biases for memories of 1 to `span` symbols. Source: Tallec & Ollivier 2018, section 2."""
    for layer in model.stack:
        signs = _KEEPS.get(layer.cell.name, {})
        if not signs:
            continue
        bias: Tensor = torch.empty(layer.units).uniform_(1, span - 1).log()
        blocks = layer.bias_ih.view(layer.cell.blocks, layer.units)
        for block, sign in signs.items():
            blocks[block] = sign * bias
