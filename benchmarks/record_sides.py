"""The sides of `record.py`: the loops that people write, torch's fused forward pass, diagNNose, and rnnscope.

All have the same weights and read the same text in the same float32. An update is a piece of it.
"""

import json
import os
import sys
import tempfile
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turns import THREADS, Side, serve

SEGMENTS = 100
"""That are read side by side, each a hundredth of the text."""
ALONE, STEPS, FUSED = 500, 100, 256
"""Symbols of a piece in a loop over one segment; steps of one over all segments, and of the fused pass."""
SENTENCE = 100  # characters of diagNNose's sentences, of which it pads a batch to the longest
SIGNALS = {"lstm": ("input", "forget", "output", "candidate", "cell", "hidden"), "gru": ("reset", "update", "candidate", "hidden")}


@dataclass(frozen=True)
class Spec:
    """What a worker is to be. `data` holds the weights, the text and how many symbols it has. Travels as JSON."""

    side: str
    model: str = "lstm-1x128"
    data: str = ""
    batch: int = 1
    symbols: int = 0
    folder: str = ""
    half: bool = False
    device: str = "cpu"
    stays: bool = False
    """Whether what a GPU computes is left there."""
    tf32: bool = False
    """Whether a GPU may round what it multiplies to ten bits, which torch lets its recurrent kernels do by default."""
    core: int | None = None

    @property
    def key(self) -> str:
        batch = [str(self.batch)] if self.batch > 1 else []
        return " ".join([self.side, *batch, *(name for name in ("half", "stays", "tf32") if getattr(self, name))])


def shape(name: str) -> tuple[str, int, int]:
    """Cell, layers and units of a name like lstm-2x256."""
    cell, _, size = name.partition("-")
    layers, _, units = size.partition("x")
    if cell not in SIGNALS or not (layers.isdecimal() and units.isdecimal()):
        raise ArgumentTypeError(f"{name!r} is no network; expected one like lstm-2x256 or gru-1x64")
    return cell, int(layers), int(units)


def _data(spec: Spec) -> tuple[Any, list[list[Any]], int]:
    """Symbol numbers (segments, time), each layer's four parameters, the size of the vocabulary."""
    import numpy as np
    import torch

    torch.set_num_threads(THREADS)
    with np.load(spec.data) as file:
        ids = torch.from_numpy(file["ids"])
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        layers = [[torch.from_numpy(file[f"{name}_l{k}"]) for name in names] for k in range(shape(spec.model)[1])]
        return ids, layers, int(file["symbols"])


@contextmanager
def data(spec: Spec) -> Iterator[Side]:
    """No side: writes what the others need."""
    import numpy as np
    import torch

    import rnnscope as rs
    from rnnscope.corpora.named import named_corpora

    corpus = rs.corpus("warpeace" if named_corpora()["warpeace"].find() else "python-stdlib")
    cell, layers, units = shape(spec.model)
    torch.manual_seed(0)
    model = rs.RecurrentLM(rs.Architecture(cell, layers, units), corpus.vocabulary)
    length = min(spec.symbols, len(corpus)) // SEGMENTS
    ids = corpus.ids[: length * SEGMENTS].astype(np.int64).reshape(SEGMENTS, length)
    weights = {
        f"{name}_l{k}": value.detach().numpy() for k, layer in enumerate(model.stack) for name, value in layer.named_parameters()
    }
    np.savez(spec.data, ids=ids, symbols=len(corpus.vocabulary), **weights)
    yield Side(lambda: 0, about={"name": corpus.name, "symbols": ids.size, "vocabulary": len(corpus.vocabulary)})


@contextmanager
def loop(spec: Spec) -> Iterator[Side]:
    """The loop that people write to get at the gates: step by step, a list of every signal, stacked at the end."""
    import torch
    from torch.nn.functional import linear, one_hot

    ids, layers, symbols = _data(spec)
    ids, layers = ids.to(spec.device), [[weight.to(spec.device) for weight in weights] for weights in layers]
    cell, _, units = shape(spec.model)
    at, steps = 0, ALONE if spec.batch == 1 else STEPS

    def lstm(x: Any, state: Any, w: Any, u: Any, b: Any, d: Any) -> tuple[Any, ...]:
        i, f, g, o = (linear(x, w, b) + linear(state[-1], u, d)).chunk(4, 1)
        i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
        c = f * state[-2] + i * g
        return i, f, o, g, c, o * torch.tanh(c)

    def gru(x: Any, state: Any, w: Any, u: Any, b: Any, d: Any) -> tuple[Any, ...]:
        x_r, x_z, x_n = linear(x, w, b).chunk(3, 1)
        u_r, u_z, u_n = linear(state[-1], u, d).chunk(3, 1)
        r, z = torch.sigmoid(x_r + u_r), torch.sigmoid(x_z + u_z)
        n = torch.tanh(x_n + r * u_n)
        return r, z, n, (1 - z) * n + z * state[-1]

    step = {"lstm": lstm, "gru": gru}[cell]

    @torch.no_grad()
    def update() -> int:
        nonlocal at
        x = one_hot(ids[: spec.batch, at : at + steps].T, symbols).float()
        at = (at + steps) % (ids.shape[1] - steps)
        zeros = torch.zeros(spec.batch, units, device=spec.device)
        states: list[Any] = [(zeros, zeros) for _ in layers]
        found: dict[tuple[int, str], list[Any]] = {(k, name): [] for k in range(len(layers)) for name in SIGNALS[cell]}
        for t in range(steps):
            h = x[t]
            for k, weights in enumerate(layers):
                states[k] = step(h, states[k], *weights)
                h = states[k][-1]
                for name, value in zip(SIGNALS[cell], states[k], strict=True):
                    found[k, name].append(value)
        kept = {name: torch.stack(values).cpu().numpy() for name, values in found.items()}
        return steps * len(next(iter(kept.values()))[0])

    yield Side(update)


@contextmanager
def cell(spec: Spec) -> Iterator[Side]:
    """`nn.LSTMCell` or `nn.GRUCell` in a loop. It gives the states only: no gate comes out of it."""
    import torch
    from torch import nn
    from torch.nn.functional import one_hot

    ids, layers, symbols = _data(spec)
    ids = ids.to(spec.device)
    kind, _, units = shape(spec.model)
    cells = [{"lstm": nn.LSTMCell, "gru": nn.GRUCell}[kind](weights[0].shape[1], units).to(spec.device) for weights in layers]
    with torch.no_grad():
        for made, weights in zip(cells, layers, strict=True):
            for parameter, value in zip(made.parameters(), weights, strict=True):
                parameter.copy_(value)
    at, steps = 0, ALONE if spec.batch == 1 else STEPS

    @torch.no_grad()
    def update() -> int:
        nonlocal at
        x = one_hot(ids[: spec.batch, at : at + steps].T, symbols).float()
        at = (at + steps) % (ids.shape[1] - steps)
        states: list[Any] = [None for _ in cells]
        found: list[list[Any]] = [[] for _ in cells]
        for t in range(steps):
            h = x[t]
            for k, made in enumerate(cells):
                states[k] = made(h, states[k])
                h = states[k][0] if kind == "lstm" else states[k]
                found[k].append(states[k])
        for each in found:
            for part in zip(*each, strict=True) if kind == "lstm" else [each]:
                torch.stack(list(part)).cpu().numpy()
        return steps * spec.batch

    yield Side(update)


@contextmanager
def fused(spec: Spec) -> Iterator[Side]:
    """The ceiling: torch's fused forward pass, which returns the top layer's hidden states and nothing else."""
    import torch
    from torch import nn
    from torch.nn.functional import one_hot

    ids, layers, symbols = _data(spec)
    kind, depth, units = shape(spec.model)
    module = {"lstm": nn.LSTM, "gru": nn.GRU}[kind](symbols, units, depth).to(spec.device)
    torch.backends.cudnn.allow_tf32 = spec.tf32
    ids = ids.to(spec.device)
    with torch.no_grad():
        for k, weights in enumerate(layers):
            for name, value in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), weights, strict=True):
                getattr(module, f"{name}_l{k}").copy_(value)
    at, state = 0, None

    @torch.no_grad()
    def update() -> int:
        nonlocal at, state
        x = one_hot(ids[:, at : at + FUSED].T, symbols).float()
        at = (at + FUSED) % (ids.shape[1] - FUSED)
        hidden, state = module(x, state)
        if spec.stays:
            torch.cuda.synchronize()
        else:
            hidden.cpu().numpy()
        return FUSED * SEGMENTS

    yield Side(update)


@contextmanager
def diagnnose(spec: Spec) -> Iterator[Side]:
    """diagNNose's extractor with all its signals of every layer, to memory, which is faster for it than to disk; LSTM only.

    It reads sentences, from a file of tokens between spaces: spaces and line ends are escaped.
    """
    import torch
    from diagnnose.corpus import Corpus
    from diagnnose.extract import Extractor
    from diagnnose.models import import_model
    from diagnnose.tokenizer import create_tokenizer

    ids, layers, symbols = _data(spec)
    tokens = ["<unk>", "<eos>", "<pad>", *(f"<{k}>" for k in range(symbols))]
    lines = [" ".join(f"<{k}>" for k in row) for row in ids[:, :SENTENCE].tolist()]
    names = [(k, name) for k in range(len(layers)) for name in ("hx", "cx", "i_g", "f_g", "o_g", "c_tilde_g")]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "vocabulary").write_text("\n".join(tokens) + "\n")
        (folder / "corpus").write_text("\n".join(lines) + "\n")
        first = layers[0][0]
        widened = torch.cat([first.new_zeros(len(first), 3), first], 1)  # its tokens begin with three of its own
        state = {f"rnn.{name}_l{k}": value for k, each in enumerate(layers) for name, value in zip(
            ("weight_ih", "weight_hh", "bias_ih", "bias_hh"), each if k else [widened, *each[1:]], strict=True
        )}  # fmt: skip
        units = layers[0][1].shape[1]
        state |= {"encoder.weight": torch.eye(len(tokens)), "decoder.weight": torch.zeros(len(tokens), units)}
        torch.save(state | {"decoder.bias": torch.zeros(len(tokens))}, folder / "weights")
        corpus = Corpus.create(path=str(folder / "corpus"), tokenizer=create_tokenizer(path=str(folder / "vocabulary")))
        model = import_model(rnn_type="ForwardLSTM", state_dict=str(folder / "weights"))

        def update() -> int:
            read = Extractor(model, corpus, names, batch_size=SEGMENTS).extract()
            assert len(read) == len(lines) * SENTENCE
            return len(read)

        yield Side(update)


@contextmanager
def rnnscope(spec: Spec) -> Iterator[Side]:
    """A million symbols as 100 segments, every signal of every layer delivered to memory, block by block."""
    from rnnscope.models.threads import computing

    model, corpus = _ours(spec)
    names = [s.name for s in model.signals if s.layer is not None]
    with computing(THREADS):
        blocks: Iterator[Any] = iter(())

        def update() -> int:
            nonlocal blocks
            symbols = 0
            for block in blocks:
                symbols += block.stop - block.start
                if symbols >= FUSED * SEGMENTS:
                    return symbols
            blocks = model.read(corpus, names)
            return symbols + update()

        yield Side(update)


@contextmanager
def trace(spec: Spec) -> Iterator[Side]:
    """A whole recording to a folder each time: verified, every signal of every layer on disk, flushed and described."""
    import rnnscope as rs

    model, part = _ours(spec, spec.symbols // SEGMENTS)
    names = [s.name for s in model.signals if s.layer is not None]

    def update() -> int:
        with tempfile.TemporaryDirectory(dir=spec.folder or None) as place:
            rs.record(model, part, Path(place) / "trace", names, half="*" if spec.half else ())
        return len(part)

    yield Side(update)


@contextmanager
def disk(spec: Spec) -> Iterator[Side]:
    """The ceiling of `trace`: as many bytes into one file, and flushed. `symbols` says how many symbols they stand for."""
    cell, layers, units = shape(spec.model)
    piece = bytes(2**20)
    pieces = spec.symbols * layers * units * len(SIGNALS[cell]) * (2 if spec.half else 4) // len(piece)

    def update() -> int:
        with tempfile.NamedTemporaryFile(dir=spec.folder or None, buffering=0) as file:
            for _ in range(pieces):
                file.write(piece)
            os.fsync(file.fileno())
        return spec.symbols

    yield Side(update)


@contextmanager
def lazy(spec: Spec) -> Iterator[Side]:
    """A recording of a text of any length, as by default: log_prob and the states every 256 symbols."""
    import numpy as np

    import rnnscope as rs

    model, corpus = _ours(spec)
    ids = np.resize(corpus.ids, spec.symbols)
    text = rs.Corpus("long", corpus.vocabulary, ids, bounds=np.linspace(0, len(ids), SEGMENTS + 1).astype(np.int64))

    def update() -> int:
        with tempfile.TemporaryDirectory(dir=spec.folder or None) as place:
            rs.record(model, text, Path(place) / "trace")
        return len(text)

    yield Side(update)


def _ours(spec: Spec, length: int | None = None) -> tuple[Any, Any]:
    """Our model with those weights, and the text, or the first so many symbols of each segment."""
    import numpy as np
    import torch

    import rnnscope as rs
    from rnnscope.corpora.named import named_corpora

    whole = rs.corpus("warpeace" if named_corpora()["warpeace"].find() else "python-stdlib")
    ids, layers, _ = _data(spec)
    model = rs.RecurrentLM(rs.Architecture(*shape(spec.model)), whole.vocabulary)
    with torch.no_grad():
        for layer, weights in zip(model.stack, layers, strict=True):
            for parameter, value in zip(layer.parameters(), weights, strict=True):
                parameter.copy_(value)
    ids = ids[:, :length]
    flat = ids.flatten().numpy()
    return model.to(spec.device), rs.Corpus("text", whole.vocabulary, flat, bounds=np.arange(0, len(flat) + 1, ids.shape[1]))


SIDES: dict[str, Callable[[Spec], AbstractContextManager[Side]]] = {
    "data": data,
    "loop": loop,
    "cell": cell,
    "fused": fused,
    "diagnnose": diagnnose,
    "rnnscope": rnnscope,
    "trace": trace,
    "disk": disk,
    "lazy": lazy,
}

if __name__ == "__main__":
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}  # diagNNose's libraries would ask
    told, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    serve(SIDES, Spec(**json.loads(sys.argv[1])), told)
