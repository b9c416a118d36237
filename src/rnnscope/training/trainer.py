"""The training loop.

A training is a walk through columns: forward, loss, backward, update, with the state carried from column to column
(truncated back-propagation through time). After every epoch the validation loss says whether these are the best
weights so far. A checkpoint is written every few seconds; a training that goes on from one ends with the same
weights, bit for bit, as one that was never stopped.
"""

import math
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from rnnscope.corpora import Corpus
from rnnscope.corpora.batches import Streams
from rnnscope.exceptions import CorpusError, FormatError, OccupiedError, TrainingError
from rnnscope.files import claim, clear_partial
from rnnscope.models.loss import mean_nats
from rnnscope.models.threads import computing
from rnnscope.progress import Progress, silent
from rnnscope.training.checkpoint import Position, load_checkpoint, save_checkpoint
from rnnscope.training.initialisation import first_model
from rnnscope.training.recipe import Recipe
from rnnscope.training.run import MARKER, Run, describe, uses_bfloat16

MINIMUM = 1_000
"""Symbols that a text needs at the least: below this no part of it is long enough to learn or to measure anything."""
_VALIDATED = 500_000  # symbols of the validation part that are read after every epoch, at the most
_CHECKPOINT_SECONDS = 10.0


def train(recipe: Recipe, corpus: Corpus, into: str | Path, *, resume: bool = False, progress: Progress = silent) -> Run:
    """Train a network on the `train` part of a corpus and write it to the folder `into`.

    With `resume`, an unfinished run in that folder with the same recipe and the same text goes on where it stopped,
    and a finished one is returned as it is. Raises `CorpusError` for a text that is too short or has one symbol only,
    `OccupiedError` for a folder that holds something else, `TrainingError` if the loss is no longer a number.
    """
    check_trainable(corpus)
    run = Run(Path(into))
    claim(run.path, MARKER, "a run")
    clear_partial(run.path, below=True)
    if (run.path / MARKER).exists():
        _check_same(run, recipe, corpus, resume)
    run.begin(recipe, corpus)
    with computing(recipe.threads):
        _Training(recipe, corpus, run, progress).go()
    return run


def check_trainable(corpus: Corpus) -> None:
    """Raises `CorpusError` for a text that nothing can be learned from."""
    if len(corpus) < MINIMUM:
        size = f"{len(corpus):,} symbol{'s' * (len(corpus) != 1)}"
        raise CorpusError(f"{corpus.name} has {size}; training needs at least {MINIMUM:,}; give a longer text")
    if len(corpus.vocabulary) < 2:
        raise CorpusError(
            f"{corpus.name} repeats a single symbol; there is nothing to learn in it; expected at least 2 distinct ones"
        )


def _check_same(run: Run, recipe: Recipe, corpus: Corpus, resume: bool) -> None:
    if not resume:
        raise OccupiedError(f"{run.path} holds a run already; resume it (--resume), or choose another folder")
    old, new = run.description, describe(recipe, corpus)
    for known in (old, new):
        known["corpus"].pop("source", None)  # a text that was moved is the same text
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            raise OccupiedError(
                f"{run.path} holds another run: its {name} is {old.get(name)}, not {new.get(name)}; choose another folder"
            )


class _Training:
    def __init__(self, recipe: Recipe, corpus: Corpus, run: Run, progress: Progress) -> None:
        self.recipe, self.run, self.progress = recipe, run, progress
        self.validation = corpus.split("validation").head(_VALIDATED)
        self.streams = Streams.of(corpus.split("train"), recipe.batch, recipe.length)
        self.model = first_model(recipe, corpus.vocabulary)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=0.0, betas=(0.9, 0.99), fused=True)
        self.state = self.model.initial_state(self.streams.inputs.shape[1])
        self.position = Position()
        self.history: list[dict[str, Any]] = []
        full = recipe.epochs * self.streams.columns
        self.updates = min(full, recipe.updates or full)
        self.epochs = math.ceil(self.updates / self.streams.columns)
        self.reduced = uses_bfloat16(recipe)
        if run.checkpoint.exists():
            self.state, self.position = load_checkpoint(run.checkpoint, self.model, self.optimiser)
            self.history = run.history[: self.position.epoch]
            if len(self.history) < self.position.epoch:
                path, have = run.path / "history.jsonl", len(self.history)
                raise FormatError(f"{path} has {have} entries; the checkpoint expects {self.position.epoch}; restore it")
        elif (run.path / "model.safetensors").exists():
            raise FormatError(
                f"{run.checkpoint} is missing; expected a checkpoint beside the weights; restore it, or train elsewhere"
            )
        self.started = self.saved = time.monotonic()

    def go(self) -> None:
        place = self.position
        if place.finished:
            self.run.model()  # says so if a file was lost or altered since
            return
        try:
            while place.update < self.updates:
                self.update()
                if place.column == self.streams.columns or place.update == self.updates:
                    self.end_epoch()
                if time.monotonic() - self.saved > _CHECKPOINT_SECONDS:
                    self.save()
        finally:
            self.progress(self.symbols(), self.symbols(self.updates))
        place.finished = True
        self.save()

    def update(self) -> None:
        place = self.position
        inputs, targets = (torch.from_numpy(part) for part in self.streams.column(place.column))
        if place.column == 0:
            self.state = self.model.initial_state(inputs.shape[1])
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.reduced):
            logits, state = self.model(inputs, self.state)
        self.state = [{name: value.detach().float() for name, value in layer.items()} for layer in state]
        loss = cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.gradient_norm)
        nats = loss.item()
        self.check("loss", nats)
        self.check("gradient", norm.item())
        self.optimiser.step()
        place.update += 1
        place.column += 1
        place.loss_sum += nats * inputs.numel()
        place.loss_symbols += inputs.numel()
        self.progress(
            self.symbols(), self.symbols(self.updates),
            f"epoch {place.epoch + 1}/{self.epochs}, {place.loss_sum / place.loss_symbols:.3f} nats",
        )  # fmt: skip

    def check(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            kept = f"the last good checkpoint is {self.run.checkpoint}" if self.run.checkpoint.exists() else "nothing was kept yet"
            raise TrainingError(
                f"the {what} became {value} at update {self.position.update:,}; {kept}; train with a lower learning rate"
            )

    def end_epoch(self) -> None:
        place = self.position
        validation = mean_nats(self.model, self.validation)
        self.check("validation loss", validation)
        self.history.append(
            {
                "epoch": place.epoch + 1,
                "updates": place.update,
                "symbols": self.symbols(),
                "train_nats": place.loss_sum / place.loss_symbols,
                "validation_nats": validation,
                "learning_rate": self.learning_rate(),
                "seconds": round(place.seconds + time.monotonic() - self.started, 3),
            }
        )
        if validation < place.best:
            place.best = validation
            self.run.write_model(self.model)
        self.run.write_history(self.history)
        place.epoch, place.column, place.loss_sum, place.loss_symbols = place.epoch + 1, 0, 0.0, 0
        self.save()

    def save(self) -> None:
        now = time.monotonic()
        self.position.seconds += now - self.started
        self.started = self.saved = now
        save_checkpoint(self.run.checkpoint, self.model, self.optimiser, self.state, self.position)

    def learning_rate(self) -> float:
        done = self.position.update
        warmup = min(self.recipe.warmup, self.updates // 10)
        rise = min(1.0, (done + 1) / (warmup + 1))
        return self.recipe.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * done / self.updates))

    def symbols(self, updates: int | None = None) -> int:
        """Symbols learned from after so many updates, so far by default."""
        epochs, columns = divmod(self.position.update if updates is None else updates, self.streams.columns)
        steps, batch = self.streams.inputs.shape
        return int(batch * (epochs * steps + min(columns * self.streams.length, steps)))
