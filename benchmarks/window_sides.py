"""The sides of `window.py`: the n-NN as dense products of one-hot vectors, and rnnscope's trainer, each a process of its own."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sides import BETAS, CLIP, EPSILON, LENGTH, RATE, recipe_of, trainer
from turns import THREADS, Side, serve


@dataclass(frozen=True)
class Spec:
    """What a worker is to be. Travels as JSON. `precision` is float32, bfloat16, or rnnscope's `auto`."""

    side: str
    form: str = "scatter"
    precision: str = "float32"
    context: int = 1
    units: int = 128
    text: str = ""
    batches: str = ""
    core: int | None = None

    @property
    def key(self) -> str:
        return f"{self.side}-{self.precision}"

    @property
    def model(self) -> str:
        return f"{self.context}-NN {self.units}"


@contextmanager
def dense(spec: Spec) -> Iterator[Side]:
    """The network as the paper has it, in a plain loop: one-hot vectors concatenated, times a matrix; nothing else is tuned.

    `form` is how the vectors are made: `one-hot` by `one_hot(ids).float()`, `embedding` looked up in an `nn.Embedding` that holds
    the identity, `scatter` by setting ones in zeros.
    """
    import numpy as np
    import torch
    from torch import Tensor, nn
    from torch.nn.functional import cross_entropy, one_hot

    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    with np.load(spec.batches) as file:
        inputs, targets = torch.from_numpy(file["inputs"]), torch.from_numpy(file["targets"])
        symbols = int(file["vocabulary"])
    before = torch.full((spec.context - 1, inputs.shape[1]), -1)
    windows = torch.cat([before, inputs]).unfold(0, spec.context, 1)  # (time, batch, context)
    table = nn.Embedding.from_pretrained(torch.cat([torch.eye(symbols), torch.zeros(1, symbols)]))  # type: ignore[no-untyped-call]
    network = nn.Sequential(nn.Linear(spec.context * symbols, spec.units), nn.Tanh(), nn.Linear(spec.units, symbols))
    weights = list(network.parameters())
    optimiser = torch.optim.Adam(weights, lr=RATE, betas=BETAS, eps=EPSILON)
    columns, done = -(-len(inputs) // LENGTH), 0

    def encoded(seen: Tensor) -> Tensor:
        missing = torch.where(seen < 0, symbols, seen)  # one more symbol, which is left out again
        if spec.form == "embedding":
            return table(missing).flatten(2)  # type: ignore[no-any-return]
        if spec.form == "one-hot":
            return one_hot(missing, symbols + 1)[..., :symbols].float().flatten(2)
        vectors = torch.zeros(*seen.shape, symbols + 1)
        return vectors.scatter_(-1, missing[..., None], 1)[..., :symbols].flatten(2)

    def update() -> int:
        nonlocal done
        column = done % columns
        part = slice(column * LENGTH, (column + 1) * LENGTH)
        y = targets[part]
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=spec.precision == "bfloat16"):
            logits = network(encoded(windows[part]))
        loss = cross_entropy(logits.float().flatten(0, 1), y.flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, CLIP)
        optimiser.step()
        loss.item()
        done += 1
        return y.numel()

    yield Side(update, about={"precision": spec.precision})


@contextmanager
def rnnscope(spec: Spec) -> Iterator[Side]:
    """The trainer itself."""
    import rnnscope as rs

    architecture = rs.Architecture("window", units=spec.units, context=spec.context)
    with trainer(recipe_of(architecture, spec.precision), spec.text, Path(spec.batches + ".none")) as side:
        yield side


SIDES: dict[str, Callable[[Any], AbstractContextManager[Side]]] = {"dense": dense, "rnnscope": rnnscope}


if __name__ == "__main__":
    serve(SIDES, Spec(**json.loads(sys.argv[1])))
