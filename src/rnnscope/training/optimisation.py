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
    if native.PATH is not None and _is_plain(optimiser):
        return _at_once(recipe, optimiser)
    norm = bound_gradients(recipe, parameters)
    optimiser.step()
    return norm


def _is_plain(optimiser: torch.optim.Optimizer) -> bool:
    """Whether this is what `optimiser_for` makes on a processor, of weights that our pass over them knows."""
    group, *others = optimiser.param_groups
    extras = ("momentum", "centered", "weight_decay", "maximize", "amsgrad")
    if others or not isinstance(optimiser, (torch.optim.RMSprop, torch.optim.Adam)) or any(group.get(name) for name in extras):
        return False
    return all(p.device.type == "cpu" and p.dtype == torch.float32 and p.is_contiguous() for p in group["params"])


def _at_once(recipe: Recipe, optimiser: torch.optim.Optimizer) -> Tensor:
    """torch's own passes over the weights, a handful, in one. The optimiser's state is torch's."""
    (group,) = optimiser.param_groups
    by_adam = isinstance(optimiser, torch.optim.Adam)
    names = ("exp_avg_sq", "exp_avg") if by_adam else ("square_avg",)
    momentum, smoothing = group["betas"] if by_adam else (0.0, group["alpha"])
    moved = [(weights, weights.grad.contiguous()) for weights in group["params"] if weights.grad is not None]
    norm = math.sqrt(math.fsum(native.sum_of_squares(gradient.data_ptr(), gradient.numel()) for _, gradient in moved))
    same = {
        "rate": group["lr"], "smoothing": smoothing, "momentum": momentum, "epsilon": group["eps"],
        "bound": recipe.gradient_clamp or math.inf,
        "scale": min(1.0, recipe.gradient_norm / (norm + 1e-6)) if recipe.gradient_norm else 1.0,
    }  # fmt: skip
    states = [optimiser.state[weights] for weights, _ in moved]
    for (weights, _), state in zip(moved, states, strict=True):
        if not state:
            state |= {"step": torch.zeros(())} | {name: torch.zeros_like(weights) for name in names}
    if states:
        torch._foreach_add_([state["step"] for state in states], 1)
    for (weights, gradient), state in zip(moved, states, strict=True):
        step = state["step"].item() if by_adam else math.inf
        begun = {"begun_squares": 1 - smoothing**step, "begun_means": 1 - momentum**step}
        whole = [weights.data_ptr(), gradient.data_ptr(), *(state[name].data_ptr() for name in names)]

        def update(part: range, _: int, whole: list[int] = whole, begun: dict[str, float] = begun) -> None:
            at = [address + 4 * part.start for address in whole]
            native.descend(native.Descent(len(part), *at, **same, **begun))

        side_by_side(shared(weights.numel(), _ALONE), update)
    return torch.tensor(norm)


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
