"""The sides of `train.py`: the loop that everyone writes, JAX, and rnnscope's trainer, each a process of its own.

`train.py` starts this file with a `Spec` and asks it for updates, a line of JSON each way.
"""

import json
import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from turns import THREADS, Side, serve

# What every side does: so many streams × symbols an update, Adam, the gradient's norm bounded, one thread.
BATCH, LENGTH = 100, 100
RATE, BETAS, EPSILON, CLIP = 2e-3, (0.9, 0.99), 1e-8, 1.0
BLOCKS = {"lstm": 4, "gru": 3}


@dataclass(frozen=True)
class Model:
    """A network by its name here, `cell-layers×units`."""

    cell: str
    layers: int
    units: int

    @classmethod
    def of(cls, name: str) -> "Model":
        cell, _, size = name.partition("-")
        layers, _, units = size.partition("x")
        if cell not in BLOCKS or not all(number.isdecimal() and int(number) for number in (layers, units)):
            raise ArgumentTypeError(f"{name!r} is no network; expected one like lstm-2x256 or gru-1x64")
        return cls(cell, int(layers), int(units))

    def __str__(self) -> str:
        return f"{self.cell}-{self.layers}x{self.units}"


@dataclass(frozen=True)
class Spec:
    """What a worker is to be. Travels as JSON.

    `variant` is the input of `plain` (`one-hot`, `embedding`), or the precision of the others. With `planned`, the
    learning rate falls along rnnscope's cosine for so many updates and all sides begin with the same weights; without,
    the rate is constant.
    """

    side: str
    variant: str = ""
    model: str = "lstm-1x64"
    text: str = ""
    batches: str = ""
    core: int | None = None
    seed: int = 0
    planned: int | None = None
    threads: int = THREADS

    @property
    def key(self) -> str:
        return f"{self.side}-{self.variant}" if self.side in ("rnnscope", "ceiling") else self.side


# Each imports what it needs itself, and only that.


@contextmanager
def text(spec: Spec) -> Iterator[Side]:
    """No network: reads the text once and writes its batches, so that the peers need nothing of rnnscope."""
    import numpy as np

    import rnnscope as rs
    from rnnscope.corpora.batches import Streams
    from rnnscope.corpora.named import named_corpora
    from rnnscope.native.recurrent import PATH

    corpus = rs.corpus("warpeace" if named_corpora()["warpeace"].find() else "python-stdlib")
    streams = Streams.of(corpus.split("train"), BATCH, LENGTH)
    np.savez(spec.batches, inputs=streams.inputs, targets=streams.targets, vocabulary=len(corpus.vocabulary))
    about = {"name": corpus.name, "training_symbols": streams.symbols, "vocabulary": len(corpus.vocabulary)}
    yield Side(lambda: 0, about=about | {"kernel": PATH.name if PATH else None})


@contextmanager
def plain(spec: Spec) -> Iterator[Side]:
    """The loop that everyone writes, on one thread; nothing else is tuned.

    Input is one-hot, made by `one_hot(ids).float()`, or looked up by an `nn.Embedding` that holds the identity: the same
    vectors, the same network, whichever is faster.
    """
    import numpy as np
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy, one_hot

    torch.set_num_threads(THREADS)
    torch.manual_seed(spec.seed)
    model = Model.of(spec.model)
    with np.load(spec.batches) as file:
        inputs, targets = torch.from_numpy(file["inputs"]), torch.from_numpy(file["targets"])
        symbols = int(file["vocabulary"])
    table = nn.Embedding.from_pretrained(torch.eye(symbols))  # type: ignore[no-untyped-call]
    recurrent = {"lstm": nn.LSTM, "gru": nn.GRU}[model.cell](symbols, model.units, num_layers=model.layers)
    readout = nn.Linear(model.units, symbols)
    weights = [*recurrent.parameters(), *readout.parameters()]
    optimiser = torch.optim.Adam(weights, lr=RATE, betas=BETAS)
    rate, nats = _as_ours(spec, recurrent, readout) if spec.planned else (None, None)
    columns = -(-len(inputs) // LENGTH)
    state, done = None, 0

    def update() -> int:
        nonlocal state, done
        epoch, column = divmod(done, columns)
        part = slice(column * LENGTH, (column + 1) * LENGTH)
        x, y = inputs[part], targets[part]
        if column == 0:
            state = None
        if rate:
            for group in optimiser.param_groups:
                group["lr"] = rate(done, epoch)
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=spec.side == "autocast"):
            encoded = table(x) if spec.variant == "embedding" else one_hot(x, symbols).float()
            hidden, state = recurrent(encoded, state)
            logits = readout(hidden)
        loss = cross_entropy(logits.float().flatten(0, 1), y.flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, CLIP)
        optimiser.step()
        state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        loss.item()
        done += 1
        return x.numel()

    yield Side(update, nats, {"precision": "bfloat16" if spec.side == "autocast" else "float32"})


def _as_ours(spec: Spec, recurrent: Any, readout: Any) -> tuple[Callable[[int, int], float], Callable[[], float]]:
    """Give a plain network the first weights of ours; the learning rate of ours, and the validation loss as we measure it."""
    import torch

    import rnnscope as rs
    from rnnscope.models.evaluation import mean_nats
    from rnnscope.training.initialisation import first_model
    from rnnscope.training.optimisation import learning_rate

    recipe, corpus = _recipe(spec), rs.corpus(spec.text)
    ours = first_model(recipe, corpus.vocabulary)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    pairs = [(getattr(layer, name), getattr(recurrent, f"{name}_l{k}")) for k, layer in enumerate(ours.stack) for name in names]
    pairs += zip(ours.readout.parameters(), readout.parameters(), strict=True)
    with torch.no_grad():
        for mine, theirs in pairs:
            theirs.copy_(mine)

    def nats() -> float:
        with torch.no_grad():
            for mine, theirs in pairs:
                mine.copy_(theirs)
        return mean_nats(ours, corpus.split("validation"))

    return lambda update, epoch: learning_rate(recipe, update, spec.planned or 0, epoch), nats


@contextmanager
def rnnscope(spec: Spec) -> Iterator[Side]:
    """The trainer itself, as `rs.train` starts it, without a folder to write to."""
    with trainer(_recipe(spec), spec.text, Path(spec.batches + ".none")) as side:
        yield side


@contextmanager
def trainer(recipe: Any, text: str, nowhere: Path) -> Iterator[Side]:
    """rnnscope's trainer with a recipe on a known text; `nowhere` is a path at which there is nothing."""
    import torch

    import rnnscope as rs
    from rnnscope.models.evaluation import mean_nats
    from rnnscope.models.threads import computing
    from rnnscope.progress import silent
    from rnnscope.training.processes import Group
    from rnnscope.training.run import Run, by_our_kernel, uses_bfloat16
    from rnnscope.training.trainer import _Training

    corpus = rs.corpus(text)
    with computing(recipe.threads, by_kernel=by_our_kernel(recipe)):
        training = _Training(recipe, corpus, Run(nowhere), silent, Group(), torch.device("cpu"))
        place, streams = training.position, training.streams

        def update() -> int:
            if place.column == streams.columns:  # what the trainer's own loop does at the end of an epoch
                place.epoch, place.column = place.epoch + 1, 0
            symbols = streams.column(place.column)[0].size
            training.update()
            return symbols

        precision = "bfloat16" if uses_bfloat16(recipe) else "float32"
        yield Side(update, lambda: mean_nats(training.model, corpus.split("validation")), {"precision": precision})


def _recipe(spec: Spec) -> Any:
    import rnnscope as rs

    model = Model.of(spec.model)
    precision: Any = "float32" if spec.side == "plain" else spec.variant
    recipe = recipe_of(rs.Architecture(model.cell, model.layers, model.units), precision)
    return replace(
        recipe, threads=spec.threads, seed=spec.seed, updates=spec.planned, schedule="cosine" if spec.planned else "exponential"
    )


def recipe_of(architecture: Any, precision: Any) -> Any:
    """What every side does, as a recipe of rnnscope's, at a constant rate."""
    import rnnscope as rs

    return rs.Recipe(
        architecture=architecture,
        epochs=10**6,  # no end but that of `updates`
        batch=BATCH,
        length=LENGTH,
        smoothing=BETAS[1],
        learning_rate=RATE,
        warmup=0,
        schedule="exponential",
        decay=1.0,
        gradient_norm=CLIP,
        chrono=0,
        precision=precision,
        device="cpu",
        threads=THREADS,
    )


@contextmanager
def ceiling(spec: Spec) -> Iterator[Side]:
    """Matrix products from the nearest cache and nothing else: symbols per second if an update were its products alone."""
    import numpy as np

    from rnnscope.native import recurrent

    model = Model.of(spec.model)
    with np.load(spec.batches) as file:
        weights = BLOCKS[model.cell] * model.units**2 * (2 * model.layers - 1) + model.units * int(file["vocabulary"])
    per_symbol = 6 * weights  # a multiplication and an addition forward, twice as many backward; a symbol's row is looked up

    def update() -> int:
        return int(recurrent.at_the_ceiling(spec.variant == "bfloat16", 200_000) / per_symbol)

    yield Side(update, about={"precision": spec.variant})


@contextmanager
def jax(spec: Spec) -> Iterator[Side]:
    """The same network in JAX: one compiled update, a scan for each layer, the input's product a gather of rows.

    The gather was faster than one-hot products, and the scan as it is faster than unrolled (1×64 and 1×256). A column at
    the end of an epoch that is shorter is left out: it would be compiled anew.
    """
    import jax
    import numpy as np
    from jax import numpy as jnp

    model = Model.of(spec.model)
    with np.load(spec.batches) as file:
        columns = len(file["inputs"]) // LENGTH
        inputs, targets = (
            file[name][: columns * LENGTH].reshape(columns, LENGTH, BATCH).astype(np.int32) for name in ("inputs", "targets")
        )
        symbols = int(file["vocabulary"])
    weights = _jax_weights(model, symbols, spec.seed)
    zeros = [(jnp.zeros((BATCH, model.units)),) * (1 + (model.cell == "lstm")) for _ in range(model.layers)]
    moments = [jax.tree.map(jnp.zeros_like, weights) for _ in range(2)]
    compiled = jax.jit(_jax_update(_jax_step(model.cell, model.units)), donate_argnums=(0, 1))
    state, done = zeros, 0

    def update() -> int:
        nonlocal weights, moments, state, done
        column = done % columns
        if column == 0:
            state = zeros
        done += 1
        weights, moments, state, loss = compiled(weights, moments, state, np.float32(done), inputs[column], targets[column])
        float(loss)
        return BATCH * LENGTH

    yield Side(update, about={"precision": str(weights["readout"].dtype)})


def _jax_weights(model: Model, symbols: int, seed: int) -> dict[str, Any]:
    import numpy as np
    from jax import numpy as jnp

    generator, rows = np.random.default_rng(seed), BLOCKS[model.cell] * model.units

    def uniform(*shape: int) -> Any:
        return jnp.asarray(generator.uniform(-(model.units**-0.5), model.units**-0.5, shape), jnp.float32)

    layers = [
        {"input": uniform(model.units if k else symbols, rows), "hidden": uniform(model.units, rows), "bias_input": uniform(rows)}
        for k in range(model.layers)
    ]
    if model.cell == "gru":  # in an LSTM a second bias would only be added to the first
        layers = [layer | {"bias_hidden": uniform(rows)} for layer in layers]
    return {"layers": layers, "readout": uniform(model.units, symbols), "bias": uniform(symbols)}


def _jax_step(cell: str, units: int) -> Callable[..., Any]:
    """One step of a layer from its projected input, torch's equations. The state is h, and for an LSTM c."""
    from jax import numpy as jnp
    from jax.nn import sigmoid

    def lstm(layer: Any, state: Any, x: Any) -> Any:
        i, f, g, o = jnp.split(x + state[0] @ layer["hidden"], 4, -1)
        c = sigmoid(f) * state[1] + sigmoid(i) * jnp.tanh(g)
        h = sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def gru(layer: Any, state: Any, x: Any) -> Any:
        u = state[0] @ layer["hidden"] + layer["bias_hidden"]
        r, z = jnp.split(sigmoid(x[:, : 2 * units] + u[:, : 2 * units]), 2, -1)
        n = jnp.tanh(x[:, 2 * units :] + r * u[:, 2 * units :])
        h = (1 - z) * n + z * state[0]
        return (h,), h

    return {"lstm": lstm, "gru": gru}[cell]


def _jax_update(step: Callable[..., Any]) -> Callable[..., Any]:
    """One update: loss, gradient, its norm bounded, Adam."""
    import jax
    from jax import numpy as jnp

    def loss_of(weights: Any, state: Any, x: Any, y: Any) -> Any:
        after = []
        for k, (layer, first) in enumerate(zip(weights["layers"], state, strict=True)):
            x = (x @ layer["input"] if k else layer["input"][x]) + layer["bias_input"]
            last, x = jax.lax.scan(partial(step, layer), first, x)
            after.append(last)
        log_p = jax.nn.log_softmax(x @ weights["readout"] + weights["bias"])
        return -jnp.take_along_axis(log_p, y[..., None], -1).mean(), after

    def adam(weight: Any, first: Any, second: Any, count: Any) -> Any:
        first, second = first / (1 - BETAS[0] ** count), second / (1 - BETAS[1] ** count)
        return weight - RATE * first / (jnp.sqrt(second) + EPSILON)

    def update(weights: Any, moments: Any, state: Any, count: Any, x: Any, y: Any) -> Any:
        (loss, state), gradient = jax.value_and_grad(loss_of, has_aux=True)(weights, state, x, y)
        norm = jnp.sqrt(sum(jnp.vdot(g, g) for g in jax.tree.leaves(gradient)))
        gradient = jax.tree.map(lambda g: g * jnp.minimum(1.0, CLIP / (norm + 1e-6)), gradient)
        first = jax.tree.map(lambda m, g: BETAS[0] * m + (1 - BETAS[0]) * g, moments[0], gradient)
        second = jax.tree.map(lambda v, g: BETAS[1] * v + (1 - BETAS[1]) * g * g, moments[1], gradient)
        weights = jax.tree.map(lambda w, m, v: adam(w, m, v, count), weights, first, second)
        return weights, [first, second], state, loss

    return update


SIDES: dict[str, Callable[[Spec], AbstractContextManager[Side]]] = {
    "text": text,
    "plain": plain,
    "autocast": plain,
    "ceiling": ceiling,
    "rnnscope": rnnscope,
    "jax": jax,
}


if __name__ == "__main__":
    serve(SIDES, Spec(**json.loads(sys.argv[1])))
