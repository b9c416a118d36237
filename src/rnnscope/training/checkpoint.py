"""Checkpoints: everything a resume needs, in one file that is replaced in one move. No pickle."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rnnscope.exceptions import FormatError
from rnnscope.models import Network
from rnnscope.models.recurrent import State
from rnnscope.training.tensors import read_about, read_tensors, write_tensors


@dataclass
class Position:
    """Where a training is: the next thing it does is column `column` of epoch `epoch`, of `planned` updates in all."""

    epoch: int = 0
    column: int = 0
    update: int = 0
    loss_sum: float = 0.0
    loss_symbols: int = 0
    best: float = float("inf")
    seconds: float = 0.0
    planned: int = 0
    finished: bool = False


def save_checkpoint(path: Path, model: Network, optimiser: torch.optim.Optimizer, state: State, position: Position) -> None:
    tensors = {f"weight.{name}": value for name, value in model.state_dict().items()}
    for k, moments in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{k}.{name}": value for name, value in moments.items()}
    tensors |= {f"state.{name}": value for name, value in state.items()}
    write_tensors(path, tensors, {"position": json.dumps(asdict(position))})


def position_in(path: Path) -> Position:
    """Where the training was when it wrote this checkpoint; reads no tensor."""
    try:
        return Position(**json.loads(read_about(path, "a checkpoint")["position"]))
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{path} is damaged ({error!r}); expected a checkpoint; restore it, or make it anew") from error


def load_checkpoint(path: Path, model: Network, optimiser: torch.optim.Optimizer) -> tuple[State, Position]:
    """Put a checkpoint's weights and moments into place; returns the carried state and the position.

    Raises `FormatError` for a file that is damaged or of another network.
    """
    tensors, about = read_tensors(path, "a checkpoint")
    try:
        position = Position(**json.loads(about["position"]))
        model.load_state_dict({name[7:]: value for name, value in tensors.items() if name.startswith("weight.")})
        optimiser.load_state_dict(optimiser.state_dict() | {"state": _moments(tensors)})
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{path} is of another network than its recipe says; train anew into another folder") from error
    return {name[6:]: value for name, value in tensors.items() if name.startswith("state.")}, position


def _moments(tensors: dict[str, Tensor]) -> dict[int, dict[str, Any]]:
    nested: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        head, _, rest = name.partition(".")
        if head == "optimiser":
            k, _, last = rest.partition(".")
            nested.setdefault(int(k), {})[last] = value
    return dict(sorted(nested.items()))
