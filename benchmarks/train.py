"""How fast networks learn: rnnscope's trainer beside the PyTorch loop that everyone writes, and beside JAX.

The speed of a machine drifts by more than the differences that matter here. So the sides take turns in rounds of a few
seconds, and what counts is the ratio within a round. Each side lives in a process of its own, because rnnscope changes
floating point and malloc for the whole of its process; all of them are held on the same core, and only the one that was
asked computes. The process that asks imports neither torch nor a text: what it holds would count as theirs.

This file is both: without `--worker` it asks, with it it is one of the sides.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from statistics import mean, median, stdev
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "train.jsonl"

# What every side does: so many streams × symbols an update, Adam, the gradient's norm bounded, one thread.
BATCH, LENGTH = 100, 100
RATE, BETAS, EPSILON, CLIP = 2e-3, (0.9, 0.99), 1e-8, 1.0
THREADS = 1

MODELS = ["lstm-1x64", "lstm-1x128", "lstm-2x256", "lstm-3x512", "gru-2x256"]
LOSS_MODELS = ["lstm-1x64", "lstm-1x128"]
MEMORY_MODEL, MEMORY_UPDATES = "lstm-3x512", 5
SEEDS = [0, 1, 2]
WARM_UPDATES, TRIALS = 3, 3
UNDISTURBED = 0.95  # share of a round that a side has its core, if nothing else wants it
BLOCKS = {"lstm": 4, "gru": 3}
PACKAGES = ["rnnscope", "torch", "jax", "jaxlib", "numpy"]


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
            raise argparse.ArgumentTypeError(f"{name!r} is no network; expected one like lstm-2x256 or gru-1x64")
        return cls(cell, int(layers), int(units))

    def __str__(self) -> str:
        return f"{self.cell}-{self.layers}x{self.units}"


@dataclass(frozen=True)
class Spec:
    """What a worker is to be. Travels as JSON.

    `variant` is the input of `plain` (`one-hot`, `embedding`) or the precision of `rnnscope`. With `planned`, the
    learning rate falls along rnnscope's cosine for so many updates and all sides begin with the same weights; without,
    the rate is constant.
    """

    side: str
    variant: str = ""
    model: str = MODELS[0]
    text: str = ""
    batches: str = ""
    core: int | None = None
    seed: int = 0
    planned: int | None = None

    @property
    def key(self) -> str:
        return f"{self.side}-{self.variant}" if self.side == "rnnscope" else self.side


# The sides. Each imports what it needs itself, and only that.


@dataclass
class Side:
    """A network in training: `update` does one update and returns its symbols, `nats` is the validation loss."""

    update: Callable[[], int]
    nats: Callable[[], float] | None = None
    about: dict[str, Any] = field(default_factory=dict)


@contextmanager
def text(spec: Spec) -> Iterator[Side]:
    """No network: reads the text once and writes its batches, so that the peers need nothing of rnnscope."""
    import numpy as np

    import rnnscope as rs
    from rnnscope.corpora.batches import Streams
    from rnnscope.corpora.named import named_corpora

    corpus = rs.corpus("warpeace" if named_corpora()["warpeace"].find() else "python-stdlib")
    streams = Streams.of(corpus.split("train"), BATCH, LENGTH)
    np.savez(spec.batches, inputs=streams.inputs, targets=streams.targets, vocabulary=len(corpus.vocabulary))
    about = {"name": corpus.name, "training_symbols": streams.symbols, "vocabulary": len(corpus.vocabulary)}
    yield Side(lambda: 0, about=about)


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
        encoded = table(x) if spec.variant == "embedding" else one_hot(x, symbols).float()
        hidden, state = recurrent(encoded, state)
        loss = cross_entropy(readout(hidden).flatten(0, 1), y.flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(weights, CLIP)
        optimiser.step()
        state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        loss.item()
        done += 1
        return x.numel()

    yield Side(update, nats, {"precision": "float32"})


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
    import torch

    import rnnscope as rs
    from rnnscope.models.evaluation import mean_nats
    from rnnscope.models.threads import computing
    from rnnscope.progress import silent
    from rnnscope.training.processes import Group
    from rnnscope.training.run import Run, uses_bfloat16
    from rnnscope.training.trainer import _Training

    recipe, corpus = _recipe(spec), rs.corpus(spec.text)
    with computing(recipe.threads):
        training = _Training(recipe, corpus, Run(Path(spec.batches + ".none")), silent, Group(), torch.device("cpu"))
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
    return rs.Recipe(
        architecture=rs.Architecture(model.cell, model.layers, model.units),
        epochs=10**6,  # no end but that of `updates`
        updates=spec.planned,
        batch=BATCH,
        length=LENGTH,
        smoothing=BETAS[1],
        learning_rate=RATE,
        warmup=0,
        schedule="cosine" if spec.planned else "exponential",
        decay=1.0,
        gradient_norm=CLIP,
        chrono=0,
        precision=precision,
        device="cpu",
        seed=spec.seed,
        threads=THREADS,
    )


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
    "rnnscope": rnnscope,
    "jax": jax,
}


def serve(spec: Spec) -> None:
    """Be a side: say what it is, then do what each line of standard input asks for, a line of JSON each."""
    if spec.core is not None:
        os.sched_setaffinity(0, {spec.core})
    with SIDES[spec.side](spec) as side:
        _say(side.about | {"mib": _peak_mib()})
        for line in sys.stdin:
            request = json.loads(line)
            if request == "nats":
                assert side.nats is not None
                _say({"nats": side.nats()})
                continue
            started, worked = time.perf_counter(), time.process_time()
            symbols = sum(side.update() for _ in range(request))
            seconds, worked = time.perf_counter() - started, time.process_time() - worked
            _say({"symbols": symbols, "seconds": seconds, "share": worked / seconds, "mib": _peak_mib()})


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def _peak_mib() -> float:
    """The most memory that was ever resident, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2 ** (20 if sys.platform == "darwin" else 10)


# The process that asks.


class Worker:
    """A side in its process; waits between requests without computing."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        command = [sys.executable, str(Path(__file__).resolve()), "--worker", json.dumps(asdict(spec))]
        # A session of its own: Ctrl-C is for the process that asks, which then ends the others.
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=_environment(), start_new_session=True)
        try:
            self.about = self._answer()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        variant, precision = self.spec.variant, self.about["precision"]
        how = f"{variant}: {precision}" if variant == "auto" else variant
        return f"{self.spec.side} ({how})" if how else self.spec.side

    def ask(self, request: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has stopped, and then has no answer
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        return self._answer()

    def speed(self, updates: int) -> tuple[float, float]:
        """Symbols per second over so many updates, and the share of that time that the process had its core."""
        answer = self.ask(updates)
        return answer["symbols"] / answer["seconds"], answer["share"]

    def pace(self, seconds: float) -> int:
        """How many updates take about so long, after a few to warm up."""
        self.ask(WARM_UPDATES)
        updates = 1
        while (took := self.ask(updates)["seconds"]) < seconds / 4:
            updates *= 2
        return max(1, round(updates * seconds / float(took)))

    def close(self) -> None:
        self.process.terminate()
        with suppress(BrokenPipeError):
            self.process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the side {self.spec.key} of {self.spec.model} stopped; what it said is above")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _environment() -> dict[str, str]:
    """Ours without what tunes an allocator or threads from outside, and with JAX on one thread."""
    tuning = ("MALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "OMP_", "KMP_", "MKL_", "XLA_", "TORCH_", "ONEDNN_", "DNNL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(tuning)}
    flags = f"--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads={THREADS}"
    return kept | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}


def speeds(spec: Spec, *, rounds: int, seconds: float, with_jax: bool) -> dict[str, Any]:
    """Symbols per second of every side of one model, a list with a value for each round."""
    sides = [replace(spec, side="rnnscope", variant=precision) for precision in ("float32", "auto")]
    if with_jax:
        sides.insert(0, replace(spec, side="jax"))
    with ExitStack() as opened:
        peer, updates, candidates = _faster_plain(spec, seconds, opened)
        workers = {peer: updates}
        for each in sides:
            worker = opened.enter_context(Worker(each))
            workers[worker] = worker.pace(seconds)
        found: dict[str, Any] = {
            worker.spec.key: {
                "name": worker.name,
                "precision": worker.about["precision"],
                "updates": n,
                "symbols_per_second": [],
                "core_share": [],
            }
            for worker, n in workers.items()
        }
        found["plain"]["tried"] = candidates
        order = list(workers)
        for k in range(rounds):
            for worker in order[k % len(order) :] + order[: k % len(order)]:  # none is always after the same one
                speed, share = worker.speed(workers[worker])
                found[worker.spec.key]["symbols_per_second"].append(speed)
                found[worker.spec.key]["core_share"].append(share)
    base = found["plain"]["symbols_per_second"]
    for side in found.values():
        side["ratio_to_plain"] = [a / b for a, b in zip(side["symbols_per_second"], base, strict=True)]
    return found


def _faster_plain(spec: Spec, seconds: float, opened: ExitStack) -> tuple[Worker, int, dict[str, float]]:
    """The plain loop with the input that is faster here, how many updates a round takes, and the speeds that decided."""
    workers = [opened.enter_context(Worker(replace(spec, side="plain", variant=v))) for v in ("one-hot", "embedding")]
    updates = [worker.pace(seconds) for worker in workers]
    trials: list[list[float]] = [[], []]
    for _ in range(TRIALS):
        for worker, n, speed in zip(workers, updates, trials, strict=True):
            speed.append(worker.speed(max(1, n // 2))[0])
    middle = [median(each) for each in trials]
    best = middle.index(max(middle))
    workers[1 - best].close()
    return workers[best], updates[best], {w.spec.variant: speed for w, speed in zip(workers, middle, strict=True)}


def peaks(spec: Spec) -> dict[str, Any]:
    """Peak resident memory of a process that trains the model, in MiB: before its first update, and after a few."""
    spec, found = replace(spec, model=MEMORY_MODEL), {}
    sides = [("plain", "one-hot"), ("plain", "embedding"), ("rnnscope", "float32"), ("rnnscope", "auto")]
    for side, variant in sides:
        with Worker(replace(spec, side=side, variant=variant)) as worker:
            found[worker.name] = {"before": worker.about["mib"], "peak": worker.ask(MEMORY_UPDATES)["mib"]}
    return found


def losses(spec: Spec, updates: int) -> dict[str, Any]:
    """Validation losses of the plain loop and of rnnscope after the same updates from the same weights, by seed."""
    found: dict[str, Any] = {"updates": updates, "seeds": SEEDS, "nats": {}}
    for seed in SEEDS:
        for side, variant in (("plain", "one-hot"), ("rnnscope", "auto")):
            with Worker(replace(spec, side=side, variant=variant, seed=seed, planned=updates)) as worker:
                worker.ask(updates)
                found["nats"].setdefault(worker.name, []).append(worker.ask("nats")["nats"])
    plain_nats, our_nats = found["nats"].values()
    found["differences"] = [ours - theirs for theirs, ours in zip(plain_nats, our_nats, strict=True)]
    return found


def show_speeds(model: Model, found: dict[str, Any]) -> None:
    tried = ", ".join(f"{name} {speed:,.0f}" for name, speed in found["plain"]["tried"].items())
    print(f"\n{model}  (the plain loop with either input, to choose the faster: {tried} symbols/s)")
    print(f"  {'':28}{'symbols/s':>12}{'min … max':>24}{'× plain':>10}{'min … max':>16}")
    for side in found.values():
        speed, ratio = side["symbols_per_second"], side["ratio_to_plain"]
        spread = f"{min(speed):,.0f} … {max(speed):,.0f}"
        apart = f"{min(ratio):.2f} … {max(ratio):.2f}"
        print(f"  {side['name']:28}{median(speed):>12,.0f}{spread:>24}{median(ratio):>10.2f}{apart:>16}")
    share = min(share for side in found.values() for share in side["core_share"])
    if share < UNDISTURBED:
        print(f"  something else ran on the core: in one round a side had it for {share:.0%} of the time only")
    sys.stdout.flush()


def show_peaks(found: dict[str, Any]) -> None:
    print(f"\nmemory of {MEMORY_MODEL}, most that was resident, MiB")
    print(f"  {'':28}{'in training':>12}{'before the first update':>28}")
    for name, mib in found.items():
        print(f"  {name:28}{mib['peak']:>12,.0f}{mib['before']:>28,.0f}")


def show_losses(model: Model, found: dict[str, Any]) -> None:
    print(f"\n{model}  validation loss after {found['updates']:,} updates, nats: mean ± standard deviation over {len(SEEDS)} seeds")
    for name, nats in [*found["nats"].items(), ("difference, seed by seed", found["differences"])]:
        sign = "+" if name.startswith("difference") else ""
        print(f"  {name:28}{mean(nats):{sign}.4f} ± {stdev(nats):.4f}", flush=True)


def circumstances() -> dict[str, Any]:
    """When, on what, and of which code; nothing that names the machine."""
    commit = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--", ".", ":!benchmarks/results")
    return {
        "benchmark": "train",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cpu": _processor(), "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}"},
        "load": round(os.getloadavg()[0], 2),
        "threads": THREADS,
        "versions": {"python": platform.python_version()} | {name: _version(name) for name in PACKAGES},
        "commit": commit,
        "dirty": None if changed is None else bool(changed),
        "batch": BATCH,
        "length": LENGTH,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=HERE.parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _quiet_core() -> int | None:
    """The core, of those we may use, that was idle the most just now; None where a process can't be held on one."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    before = _idle()
    time.sleep(0.5)
    after = _idle()
    return max(os.sched_getaffinity(0), key=lambda core: after.get(core, 0) - before.get(core, 0))


def _idle() -> dict[int, int]:
    """How long each core has been idle, in the system's ticks."""
    rows = [line.split() for line in Path("/proc/stat").read_text(encoding="utf-8").splitlines()]
    return {int(row[0][3:]): int(row[4]) for row in rows if row[0].startswith("cpu") and row[0] != "cpu"}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="+", type=Model.of, default=[Model.of(m) for m in MODELS], metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=7, help="of each side (default 7)")
    parser.add_argument("--seconds", type=float, default=2.0, help="that a round of one side takes (default 2)")
    parser.add_argument("--no-speed", action="store_true", help="leave the speeds out, for --loss or --memory alone")
    parser.add_argument("--no-jax", action="store_true", help="leave the JAX peer out")
    parser.add_argument("--memory", action="store_true", help=f"also the peak memory of {MEMORY_MODEL}")
    parser.add_argument("--loss", action="store_true", help="also the validation loss after the same number of updates")
    parser.add_argument("--loss-models", nargs="+", type=Model.of, default=[Model.of(m) for m in LOSS_MODELS], metavar="MODEL")
    parser.add_argument("--loss-updates", type=int, default=1500, help="of each training (default 1500)")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.rounds < 1 or given.seconds <= 0 or given.loss_updates < 1:
        parser.error("there is at least 1 round, of more than 0 seconds, and at least 1 update")
    if given.no_speed and not (given.loss or given.memory):
        parser.error("--no-speed leaves nothing to measure; add --loss or --memory")
    return given


def main() -> None:
    given = _arguments()
    if given.worker:
        serve(Spec(**json.loads(given.worker)))
        return
    with TemporaryDirectory() as folder:
        record = measure(given, Path(folder) / "batches.npz")
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def measure(given: argparse.Namespace, batches: Path) -> dict[str, Any]:
    """Everything that was asked for, printed as it is found."""
    record = circumstances() | {"rounds": given.rounds, "seconds": given.seconds}
    with Worker(Spec("text", batches=str(batches))) as reader:
        record["text"] = {name: value for name, value in reader.about.items() if name != "mib"}
    told = record["text"]
    processor, name, symbols = record["machine"]["cpu"], told["name"], told["vocabulary"]
    print(f"{processor}, {THREADS} thread; {name}, {symbols} distinct symbols; {BATCH} streams × {LENGTH}", flush=True)
    spec = Spec("plain", text=told["name"], batches=str(batches), core=_quiet_core())
    with_jax = not given.no_jax and not given.no_speed
    if with_jax and not find_spec("jax"):
        print("the JAX peer is left out: jax isn't installed")
        with_jax = False
    for model in [] if given.no_speed else given.models:
        found = speeds(replace(spec, model=str(model)), rounds=given.rounds, seconds=given.seconds, with_jax=with_jax)
        show_speeds(model, found)
        record.setdefault("speed", {})[str(model)] = found
    if given.memory:
        record["memory"] = {"model": MEMORY_MODEL, "updates": MEMORY_UPDATES, "mib": peaks(spec)}
        show_peaks(record["memory"]["mib"])
    for model in given.loss_models if given.loss else []:
        found = losses(replace(spec, model=str(model)), given.loss_updates)
        show_losses(model, found)
        record.setdefault("loss", {})[str(model)] = found
    return record


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
