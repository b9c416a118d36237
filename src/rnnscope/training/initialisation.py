"""First weights."""

import torch
from torch import Tensor

from rnnscope.corpora import Vocabulary
from rnnscope.models import Architecture, Network, RecurrentLM, WindowLM
from rnnscope.models.architecture import WINDOW
from rnnscope.models.network import Layer
from rnnscope.training.recipe import Recipe

# Which block of rows keeps (+) or overwrites (−) the state, by cell, the forget gate first; rows as in `models.cells`.
_KEEPS = {"lstm": {1: +1, 0: -1}, "gru": {1: +1}, "gru-paper": {1: -1}}


def network(architecture: Architecture, vocabulary: Vocabulary) -> Network:
    """The network that an architecture describes, with torch's first weights."""
    kind = WindowLM if architecture.cell == WINDOW else RecurrentLM
    return kind(architecture, vocabulary)


def first_model(recipe: Recipe, vocabulary: Vocabulary) -> Network:
    """The network that a training begins with, the same for the same recipe. The global random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = network(recipe.architecture, vocabulary)
        if recipe.initial_range:
            for parameter in model.parameters():
                torch.nn.init.uniform_(parameter, -recipe.initial_range, recipe.initial_range)
        for layer in model.stack if isinstance(model, RecurrentLM) else ():
            if recipe.chrono:
                _chrono(layer, recipe.chrono)
            if recipe.forget_bias:
                _remember(layer, recipe.forget_bias)
    return model


@torch.no_grad()
def _remember(layer: Layer, bias: float) -> None:
    """Raise the bias of the gate that keeps the state. Source: Jozefowicz, Zaremba & Sutskever 2015."""
    blocks = layer.bias_ih.view(layer.cell.blocks, layer.units)
    for block, sign in list(_KEEPS.get(layer.cell.name, {}).items())[:1]:
        blocks[block] += sign * bias


@torch.no_grad()
def _chrono(layer: Layer, span: int) -> None:
    """Gate biases for memories of 1 to `span` symbols. Source: Tallec & Ollivier 2018, section 2."""
    signs = _KEEPS.get(layer.cell.name, {})
    if not signs:
        return
    bias: Tensor = torch.empty(layer.units).uniform_(1, span - 1).log()
    blocks = layer.bias_ih.view(layer.cell.blocks, layer.units)
    for block, sign in signs.items():
        blocks[block] = sign * bias
