"""The training loop.

A training is a walk through columns: forward, loss, backward, update, with the state carried from column to column
(truncated back-propagation through time). After every epoch the validation loss says whether these are the best
weights so far. A checkpoint is written before the first update and every few seconds; a training that goes on from
one ends with the same weights, bit for bit, as one that was never stopped.
"""

import math
import time
from pathlib import Path
from typing import Any

import torch

from rnnscope.corpora import Corpus, StreamSplit
from rnnscope.corpora.batches import Streams
from rnnscope.exceptions import CorpusError, FormatError, OccupiedError, TrainingError, expect
from rnnscope.files import claim, clear_partial, locked
from rnnscope.models.captured import Replayed
from rnnscope.models.cells import Named
from rnnscope.models.evaluation import mean_nats
from rnnscope.models.recurrent import State
from rnnscope.models.threads import computing
from rnnscope.progress import Progress, silent
from rnnscope.training.checkpoint import Position, load_checkpoint, save_checkpoint
from rnnscope.training.dropout import Dropout
from rnnscope.training.failures import explained, kept
from rnnscope.training.initialisation import first_model
from rnnscope.training.optimisation import descend, learning_rate, optimiser_for, set_rate
from rnnscope.training.processes import Group, chosen_device, joined
from rnnscope.training.recipe import Recipe
from rnnscope.training.run import MARKER, Run, by_our_kernel, describe, uses_bfloat16
from rnnscope.training.snapshots import due as snapshots_due

MINIMUM = 1_000
"""Symbols that a text needs at the least: below this no part of it is long enough to learn or to measure anything."""
_VALIDATED = 500_000  # symbols of the validation part that are read after every epoch, at the most
_CHECKPOINT_SECONDS = 10.0
_UNSEEN = 50  # updates that a GPU may do before their losses are looked at; a look waits for it


def train(recipe: Recipe, corpus: Corpus, into: str | Path, *, resume: bool = False, progress: Progress = silent) -> Run:
    """Train a network on the `train` part of a corpus and write it to the folder `into`.

    With `resume`, an unfinished run in that folder with the same recipe and the same text goes on where it stopped,
    and a finished one is returned as it is. Under `torchrun` the processes share the streams of a batch.

    Raises `CorpusError` for a text that is too short or has one symbol only, `OccupiedError` for a folder that holds
    something else or that another process trains into, `TrainingError` if the loss is no longer a number or the disk,
    the folder or the memory fails; it names the last good checkpoint.
    """
    expect(recipe, Recipe, "a Recipe; rs.recipe('karpathy2015') gives a named one")
    expect(corpus, Corpus, "a Corpus; rs.Corpus.from_file(path) reads one")
    check_trainable(corpus)
    corpus = divided(corpus, recipe)
    run = Run(Path(into))
    device = chosen_device(recipe.device)
    with explained(run), joined(device) as group:
        group.once(lambda: claim(run.path, MARKER, "a run"))
        with locked(run.path, "a training", wanted=group.first), computing(recipe.threads, by_kernel=by_our_kernel(recipe)):
            group.once(lambda: _prepare(run, recipe, corpus, resume))
            _Training(recipe, corpus, run, progress, group, device).go()
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


def divided(corpus: Corpus, recipe: Recipe) -> Corpus:
    """The corpus, to be split as the recipe says."""
    if recipe.split == "corpus" or isinstance(corpus.rule, StreamSplit):
        return corpus
    return corpus.ruled(StreamSplit(batch=recipe.batch, length=recipe.length))


def _prepare(run: Run, recipe: Recipe, corpus: Corpus, resume: bool) -> None:
    clear_partial(run.path, below=True)
    if (run.path / MARKER).exists():
        check_same(run, recipe, corpus, resume)
    run.begin(recipe, corpus)


def check_same(run: Run, recipe: Recipe, corpus: Corpus, resume: bool) -> None:
    """Raises `OccupiedError` if the run in a folder is another one, or is there and should not be gone on with."""
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
    def __init__(self, recipe: Recipe, corpus: Corpus, run: Run, progress: Progress, group: Group, device: torch.device) -> None:
        self.recipe, self.run, self.progress, self.group, self.device = recipe, run, progress, group, device
        self.validation = corpus.split("validation").head(_VALIDATED)
        self.streams = Streams.of(corpus.split("train"), recipe.batch, recipe.length)
        self.steps, self.batch = self.streams.inputs.shape
        self.share = group.share(self.batch)
        self.inputs, self.targets = (
            torch.from_numpy(part[:, self.share]).to(device) for part in (self.streams.inputs, self.streams.targets)
        )
        self.model = first_model(recipe, corpus.vocabulary).to(device)
        self.weights = list(self.model.parameters())
        self.optimiser = optimiser_for(recipe, self.model)
        self.dropout = Dropout(recipe.dropout, recipe.seed, self.batch, self.share, device) if recipe.dropout else None
        self.state = self.model.begin(self.inputs.shape[1])
        # Dropout seeds its generator at every update, and processes wait for each other: neither can be replayed.
        self.learning = self.learn if self.dropout or group.size > 1 else Replayed(self.learn)
        self.unseen = torch.zeros(3, dtype=torch.float64, device=device)  # nats, symbols, norms since the last look
        full = recipe.epochs * self.streams.columns
        self.updates = min(full, recipe.updates or full)
        self.epochs = math.ceil(self.updates / self.streams.columns)
        self.snapshots = snapshots_due(recipe.snapshots, self.updates, self.streams.columns)
        self.position = Position(planned=self.updates)
        self.history: list[dict[str, Any]] = []
        self.reduced = uses_bfloat16(recipe)
        if run.checkpoint.exists():
            self.go_on()
        elif (run.path / "model.safetensors").exists():
            raise FormatError(
                f"{run.checkpoint} is missing; expected a checkpoint beside the weights; restore it, or train elsewhere"
            )
        self.started = self.saved = time.monotonic()

    def go_on(self) -> None:
        state, self.position = load_checkpoint(self.run.checkpoint, self.model, self.optimiser)
        self.state = {name: value[self.share].to(self.device) for name, value in state.items()}
        self.history = self.run.history[: self.position.epoch]
        if len(self.history) < self.position.epoch:
            path, have = self.run.path / "history.jsonl", len(self.history)
            raise FormatError(f"{path} has {have} entries; the checkpoint expects {self.position.epoch}; restore it")

    def go(self) -> None:
        place = self.position
        if place.finished:
            self.run.model()  # says so if a file was lost or altered since
            return
        if place.update == 0:
            self.save()  # else a kill between the first weights and their checkpoint would look like a lost checkpoint
            self.keep_snapshot()
        try:
            while place.update < self.updates and not self.out_of_patience():
                due = self.update()
                self.keep_snapshot()  # before the checkpoint: a training that goes on from that one won't do this update again
                if place.column == self.streams.columns or place.update == self.updates:
                    self.end_epoch()
                elif due:
                    self.save()
        finally:
            self.progress(self.symbols(), self.symbols(self.updates))
        if self.recipe.snapshots and place.update not in self.snapshots:  # patience came to an end
            self.snapshots |= {place.update}
            self.keep_snapshot()
        place.finished = True
        self.save()

    def update(self) -> bool:
        """One update of the weights. Returns whether a checkpoint is due."""
        place = self.position
        part = slice(place.column * self.streams.length, (place.column + 1) * self.streams.length)
        if place.column == 0:
            self.state = self.model.begin(self.inputs.shape[1])
        if self.dropout:
            self.dropout.begin(place.update)
        set_rate(self.optimiser, self.learning_rate())
        # Whether to save is the first process's to say, by its clock.
        due = self.number(self.group.first and time.monotonic() - self.saved > _CHECKPOINT_SECONDS)
        found = self.learning({"inputs": self.inputs[part], "targets": self.targets[part], "due": due, **self.state})
        self.state = {name: found[name] for name in self.state}
        looking = self.device.type == "cpu" or place.update % _UNSEEN == 0
        if looking:
            self.look()
        place.update += 1
        place.column += 1
        return looking and bool(found["due"])

    def learn(self, given: Named) -> Named:
        """Update the weights by `inputs` and `targets`. Returns the state after, and whether a checkpoint is `due`."""
        inputs, due = given["inputs"], given["due"]
        state = {name: given[name] for name in self.state}
        symbols = len(inputs) * self.batch
        for weights in self.weights:
            weights.grad = None
        loss, state = self.model.differentiate(
            inputs, given["targets"], state, 1 / symbols, reduced=self.reduced, between=self.dropout
        )
        nats = loss * symbols
        self.group.add([nats, due, *(p.grad for p in self.weights if p.grad is not None)])
        norm = descend(self.recipe, self.optimiser, self.weights)
        self.unseen += torch.stack([nats, self.number(symbols), norm]).double()
        return {"due": due, **_detached(state)}

    def number(self, value: float) -> torch.Tensor:
        """On the device, without a copy that would wait for it."""
        return torch.full((), float(value), device=self.device)

    def look(self) -> None:
        """Read what was learned since the last look. Nothing is saved before it was looked at."""
        place = self.position
        nats, symbols, norm = self.unseen.tolist()
        self.unseen.zero_()
        self.check("loss", nats)
        self.check("gradient", norm)
        place.loss_sum += nats
        place.loss_symbols += int(symbols)
        if place.loss_symbols:
            note = f"epoch {place.epoch + 1}/{self.epochs}, {place.loss_sum / place.loss_symbols:.3f} nats"
            self.progress(self.symbols(), self.symbols(self.updates), note)

    def check(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            raise TrainingError(
                f"the {what} became {value} at update {self.position.update:,}; {kept(self.run)}; train with a lower learning rate"
            )

    def end_epoch(self) -> None:
        self.look()
        place = self.position
        validation = self.group.once(lambda: mean_nats(self.model, self.validation))
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
            self.group.once(lambda: self.run.write_model(self.model))
        self.group.once(lambda: self.run.write_history(self.history))
        place.epoch, place.column, place.loss_sum, place.loss_symbols = place.epoch + 1, 0, 0.0, 0
        self.save()

    def keep_snapshot(self) -> None:
        """Keep the weights if this is an update to keep them at."""
        if self.position.update in self.snapshots:
            self.look()
            self.group.once(lambda: self.run.write_snapshot(self.model, self.position.update, self.streams.columns))

    def out_of_patience(self) -> bool:
        """Whether the validation loss has not become better for as many epochs as the recipe waits."""
        losses = [entry["validation_nats"] for entry in self.history]
        if not self.recipe.patience or not losses:
            return False
        return len(losses) - 1 - losses.index(min(losses)) >= self.recipe.patience

    def save(self) -> None:
        self.look()
        now = time.monotonic()
        self.position.seconds += now - self.started
        self.started = self.saved = now
        state = self.whole_state()
        self.group.once(lambda: save_checkpoint(self.run.checkpoint, self.model, self.optimiser, state, self.position))

    def whole_state(self) -> State:
        """The carried state of all streams, also of those that other processes have."""
        if self.group.size == 1:
            return self.state
        whole = {name: value.new_zeros(self.batch, value.shape[1]) for name, value in self.state.items()}
        for name, value in self.state.items():
            whole[name][self.share] = value
        self.group.add(list(whole.values()))
        return whole

    def learning_rate(self) -> float:
        return learning_rate(self.recipe, self.position.update, self.updates, self.position.epoch)

    def symbols(self, updates: int | None = None) -> int:
        """Symbols learned from after so many updates, so far by default."""
        epochs, columns = divmod(self.position.update if updates is None else updates, self.streams.columns)
        return int(self.batch * (epochs * self.steps + min(columns * self.streams.length, self.steps)))


def _detached(state: State) -> State:
    """Cut off from what came before; in float32, but for what counts or numbers."""
    return {name: value.detach().float() if value.is_floating_point() else value for name, value in state.items()}
