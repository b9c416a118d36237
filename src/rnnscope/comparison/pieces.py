"""What a model says after pieces of text that end alike, by how much of what they end with is left.

Only the last place of each piece is wanted. A model that carries a state reads what pieces of all lengths begin with once, and goes
on from there.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import log_softmax

from rnnscope.corpora import Corpus
from rnnscope.models import Recurrent
from rnnscope.models.recurrent import State
from rnnscope.models.threads import all_of_float32
from rnnscope.ngrams import NGramLM
from rnnscope.protocol import LanguageModel

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_TOGETHER = 2**20  # symbols that are read at once by a model that carries no state


def losses(
    model: LanguageModel,
    corpus: Corpus,
    near: Ints,
    far: Ints | None,
    lengths: Sequence[int],
    targets: Ints,
    done: Callable[[], None],
) -> Floats:
    """Of the symbol that comes after each piece, (lengths, pieces), nats.

    `near` (pieces, longest) is what the pieces end with. For each of the `lengths` so many symbols of it are left at its end; in
    the place of the others is the beginning of `far` (pieces, longest), or nothing. `targets` (pieces,) come next. `done` is
    called after each length.
    """
    if isinstance(model, Recurrent) and model.causal:
        with all_of_float32(model.device):
            return _carried(model, corpus, near, far, lengths, targets, done)
    found = []
    for length in lengths:
        left = near.shape[1] - length
        pieces = near[:, left:] if far is None else np.concatenate([far[:, :left], near[:, left:]], axis=1)
        found.append(_read(model, corpus, pieces, targets))
        done()
    return np.array(found)


def _corpus(like: Corpus, pieces: Ints, targets: Ints) -> Corpus:
    """The pieces as segments of a text."""
    bounds = np.arange(len(pieces) + 1) * pieces.shape[1]
    ids = pieces.reshape(-1).astype(like.ids.dtype)
    return Corpus(like.name, like.vocabulary, ids, bounds=bounds, following=targets)


def _read(model: LanguageModel, corpus: Corpus, pieces: Ints, targets: Ints) -> Floats:
    if isinstance(model, NGramLM):  # it sees no farther
        pieces = pieces[:, -max(model.context, 1) :]
    count, length = pieces.shape
    found = np.empty(count)
    step = max(1, _TOGETHER // length)
    for first in range(0, count, step):
        some = slice(first, first + step)
        for block in model.read(_corpus(corpus, pieces[some], targets[some]), ["log_prob"]):
            piece, last = divmod(block.stop - 1, length)
            if last == length - 1:
                found[first + piece] = -float(block.arrays["log_prob"][-1])
    return found


@torch.no_grad()
def _carried(
    model: Recurrent,
    corpus: Corpus,
    near: Ints,
    far: Ints | None,
    lengths: Sequence[int],
    targets: Ints,
    done: Callable[[], None],
) -> Floats:
    longest, found = near.shape[1], np.empty((len(lengths), len(near)))
    ends, begins = _Text(model, corpus, near, targets), None if far is None else _Text(model, corpus, far, targets)
    groups = [ends.plan.rows(group) for group in range(ends.plan.groups)]
    states: list[dict[int, State]] = [{} for _ in groups]
    if begins is not None:
        for rows, known in zip(groups, states, strict=True):
            state, at = model.begin(len(rows)), 0
            for length in sorted(lengths, reverse=True):
                state, at = begins.after(rows, at, longest - length, state)[1], longest - length
                known[length] = {name: value.clone() for name, value in state.items()}
    for k, length in enumerate(lengths):
        for rows, known in zip(groups, states, strict=True):
            logits, _ = ends.after(rows, longest - length, longest, known.get(length, model.begin(len(rows))))
            log_probs = log_softmax(logits.float(), -1)
            came = torch.from_numpy(targets[rows]).to(log_probs.device)
            found[k, rows] = -log_probs.gather(-1, came[:, None])[:, 0].double().cpu().numpy()
        done()
    return found


class _Text:
    """Pieces, (pieces, longest), that a model reads side by side, a stretch at a time, as it reads any text."""

    def __init__(self, model: Recurrent, like: Corpus, pieces: Ints, targets: Ints) -> None:
        self.model, self.pieces = model, pieces
        self.corpus = _corpus(like, pieces, targets)
        self.plan = model.plan(self.corpus)

    def after(self, rows: Ints, start: int, stop: int, state: State) -> tuple[torch.Tensor, State]:
        """The logits after some rows' symbols from `start` to before `stop`, (rows, symbols), and the state."""
        logits, step = torch.empty(0), self.plan.quantum(0)
        for at in range(start, stop, step):
            steps = np.arange(at, min(at + step, stop))[:, None]
            ids = torch.from_numpy(self.pieces[rows, steps]).to(self.model.device)
            edit = self.model.edits(self.corpus, steps + rows * self.pieces.shape[1])
            named, state = self.model.advance(ids, state, inside=False, edit=edit)
            logits = named["logits"][-1]
        return logits, state
