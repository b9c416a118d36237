"""Sampling: a model writes, one symbol at a time."""

from collections.abc import Iterator

import numpy as np
import torch
from torch.nn.functional import softmax

from rnnscope.exceptions import UnknownSymbolError, UsageError
from rnnscope.models.recurrent import Recurrent
from rnnscope.models.threads import computing


def sample(
    model: Recurrent, prompt: str | bytes = "", *, length: int = 500, temperature: float = 1.0, seed: int = 0
) -> str | bytes:
    """`length` symbols that the model writes after `prompt`; the same seed gives the same text.

    `temperature` divides the logits; 0 always takes the most likely symbol. Without a prompt the model begins after
    a newline, or after its first symbol where it knows none. Raises `UnknownSymbolError` for a prompt with a symbol
    that the model doesn't know.
    """
    with computing():
        return model.vocabulary.decode(list(symbols(model, prompt, length=length, temperature=temperature, seed=seed)))


@torch.no_grad()
def symbols(model: Recurrent, prompt: str | bytes, *, length: int, temperature: float, seed: int) -> Iterator[int]:
    """The same, symbol number by symbol number."""
    if length < 0:
        raise UsageError(f"the length of a sample is at least 0, not {length}")
    if not 0 <= temperature < float("inf"):
        raise UsageError(f"the temperature is a number of at least 0, not {temperature}")
    if seed < 0:
        raise UsageError(f"the seed is at least 0, not {seed}")
    if not model.causal:
        raise UsageError(f"{model.name} reads from both sides; it can't write a text, whose other side isn't there yet")
    vocabulary = model.vocabulary
    try:
        begin = vocabulary.encode(prompt).astype(np.int64)
    except UnknownSymbolError as error:
        raise UnknownSymbolError(error.symbol, error.position, vocabulary.kind, "prompt") from None
    if not len(begin):
        begin = np.array([vocabulary.values.index(10) if 10 in vocabulary.values else 0])
    generator = np.random.default_rng(seed)
    read, state, done = torch.from_numpy(begin)[:, None], model.begin(1), 0
    for _ in range(length):
        edit = model.edits(None, np.arange(done, done + len(read))[:, None])
        named, state = model.advance(read.to(model.device), state, inside=False, edit=edit)
        done += len(read)
        last = named["logits"][-1, 0].double().cpu()
        if temperature == 0:
            chosen = int(last.argmax())
        else:
            heights = softmax(last / temperature, -1).cumsum(-1).numpy()
            chosen = int(np.searchsorted(heights, generator.random() * heights[-1], side="right"))
        yield chosen
        read = torch.tensor([[chosen]])
