"""From a gradient to an update: the optimiser, what keeps gradients in bounds, the learning rate's course."""

import math

import torch
from torch import Tensor, nn

from rnnscope.models.threads import shared, side_by_side
from rnnscope.native import recurrent as native
from rnnscope.training.recipe import Recipe

_ALONE = 2**16
"""Weights, fewer than which aren't worth a thread."""


def optimiser_for(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """The learning rate is set anew before every update, with `set_rate`."""
    parameters = list(model.parameters())
    device = parameters[0].device
    on_gpu = device.type == "cuda"
    rate = torch.zeros((), device=device) if on_gpu else 0.0  # where it can be changed while updates are replayed
    if recipe.optimiser == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=rate, alpha=recipe.smoothing, eps=1e-8, foreach=True, capturable=on_gpu)
    return torch.optim.Adam(parameters, lr=rate, betas=(0.9, recipe.smoothing), fused=True, capturable=on_gpu)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for options in optimiser.param_groups:
        if isinstance(options["lr"], Tensor):
            options["lr"].fill_(rate)
        else:
            options["lr"] = rate


def learning_rate(recipe: Recipe, update: int, updates: int, epoch: int) -> float:
    """The rate of update `update`, of `updates` planned, which belongs to `epoch` (both from 0)."""
    warmup = min(recipe.warmup, updates // 10)
    rise = min(1.0, (update + 1) / (warmup + 1))
    if recipe.schedule == "exponential":
        fall = recipe.decay ** max(0, epoch - recipe.decay_after + 1)
    else:
        fall = 0.5 * (1 + math.cos(math.pi * update / updates))
    return recipe.learning_rate * rise * fall


@torch.no_grad()
def descend(recipe: Recipe, optimiser: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> Tensor:
    """Update the weights by gradients in bounds. Returns the gradients' norm before; not a number if any of them isn't."""
    if isinstance(optimiser, torch.optim.RMSprop) and native.PATH is not None and not recipe.gradient_norm:
        extras = [group[name] for group in optimiser.param_groups for name in ("momentum", "centered", "weight_decay", "maximize")]
        if not any(extras) and all(p.device.type == "cpu" and p.dtype == torch.float32 and p.is_contiguous() for p in parameters):
            return _by_rmsprop(recipe, optimiser)
    norm = bound_gradients(recipe, parameters)
    optimiser.step()
    return norm


def _by_rmsprop(recipe: Recipe, optimiser: torch.optim.RMSprop) -> Tensor:
    """torch's own passes over the weights, a handful, in one."""
    (group,) = optimiser.param_groups
    bound = recipe.gradient_clamp or math.inf
    squares = []
    for weights in group["params"]:
        if weights.grad is None:
            continue
        state, gradient = optimiser.state[weights], weights.grad.contiguous()
        if not state:
            state |= {"step": torch.zeros(()), "square_avg": torch.zeros_like(weights)}
        state["step"] += 1
        whole = [tensor.data_ptr() for tensor in (weights, gradient, state["square_avg"])]

        def update(part: range, _: int, whole: list[int] = whole) -> None:
            at = [address + 4 * part.start for address in whole]
            squares.append(
                native.rmsprop(at, len(part), rate=group["lr"], smoothing=group["alpha"], epsilon=group["eps"], bound=bound)
            )

        side_by_side(shared(weights.numel(), _ALONE), update)
    return torch.tensor(math.sqrt(math.fsum(squares)))


@torch.no_grad()
def bound_gradients(recipe: Recipe, parameters: list[nn.Parameter]) -> Tensor:
    """Clamp and scale the gradients as the recipe says. Returns their norm before; not a number if any of them isn't."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if recipe.gradient_clamp:
        torch._foreach_clamp_min_(gradients, -recipe.gradient_clamp)
        torch._foreach_clamp_max_(gradients, recipe.gradient_clamp)
    if recipe.gradient_norm:
        nn.utils.clip_grads_with_norm_(parameters, recipe.gradient_norm, norm)
    return norm
