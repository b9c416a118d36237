"""Conformance: what whoever writes a language model runs over it.

`check_language_model(model)` holds a model against what everything else here takes for granted of one.
"""

import warnings
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnnscope.corpora import Corpus
from rnnscope.exceptions import SeesAheadWarning, VerificationError, expect
from rnnscope.models import Recurrent
from rnnscope.models.sampling import Writer, sample
from rnnscope.models.threads import computing
from rnnscope.protocol import LanguageModel

_LENGTHS = (300, 1, 40)  # of the segments: longer than what is computed at once, as short as can be, in between
_ENOUGH = 1e-4


def check_language_model(model: LanguageModel, text: Corpus | None = None) -> None:
    """Read a text in several ways and compare; the text is random symbols if none is given.

    What is declared is delivered, in shape, range and type; every symbol is read once, in order; the size of blocks changes
    no bit, and what else is asked for hardly anything; probabilities sum to one; a segment begins anew and doesn't see what
    comes after; a recurrent model's state carries all that it remembers, it verifies, and it writes.

    Raises `VerificationError` that says what doesn't hold. Warns (`SeesAheadWarning`) where the model says itself that
    it reads from both sides: it is recorded as any other, but has read what it predicts.
    """
    expect(model, LanguageModel, "a language model: name, vocabulary, signals, fingerprint, read")
    corpus = text or _random(model)
    with computing():
        _Check(model, corpus).all()
    if not getattr(model, "causal", True):
        warnings.warn(
            f"{model.name} reads from both sides, and so has read what it predicts: its losses can't be set beside those of models "
            "that read from the left, and it can't write",
            SeesAheadWarning,
            stacklevel=2,
        )


def _random(model: LanguageModel) -> Corpus:
    ids = np.random.default_rng(0).integers(0, len(model.vocabulary), sum(_LENGTHS)).astype(np.uint32)
    return Corpus("random symbols", model.vocabulary, ids, bounds=np.concatenate([[0], np.cumsum(_LENGTHS)]))


class _Check:
    def __init__(self, model: LanguageModel, corpus: Corpus) -> None:
        self.model, self.corpus = model, corpus
        self.names = [s.name for s in model.signals]

    def all(self) -> None:
        values = self.declared()
        self.blocks(values)
        self.one_by_one(values)
        self.probabilities(values)
        self.segments(values)
        if isinstance(self.model, Recurrent):
            self.recurrent(self.model)
        if isinstance(self.model, Writer) and getattr(self.model, "causal", True):
            self.writing(self.model, values)

    def fail(self, what: str) -> None:
        raise VerificationError(f"{self.model.name} is no language model as it should be: {what}")

    def read(self, corpus: Corpus, names: list[str], block: int = 256) -> dict[str, NDArray[Any]]:
        found: dict[str, NDArray[Any]] = {}
        read = np.zeros(len(corpus), np.int64)
        reached = {start: start for start, _ in corpus.spans()}
        for each in self.model.read(corpus, names, block=block):
            start, stop = each.start, each.stop
            segment = int(corpus.bounds[np.searchsorted(corpus.bounds, start, side="right") - 1])
            if stop - start > block:
                self.fail(f"it was asked for blocks of {block} symbols and gave one of {stop - start}")
            if reached[segment] != start or stop > corpus.bounds[np.searchsorted(corpus.bounds, start, side="right")]:
                self.fail(f"the block at {start} comes after {reached[segment]} symbols; expected each segment in order")
            reached[segment] = stop
            read[start:stop] += 1
            if set(each.arrays) != set(names):
                self.fail(f"it was asked for {names} and gave {sorted(each.arrays)}")
            for name, value in each.arrays.items():
                if len(value) != stop - start:
                    self.fail(f"{name} has {len(value)} values in a block of {stop - start} symbols")
                found.setdefault(name, np.empty((len(corpus), *value.shape[1:]), value.dtype))[start:stop] = value
        if (read != 1).any():
            self.fail(f"position {int(np.argmax(read != 1))} was read {read[np.argmax(read != 1)]} times; expected once")
        return found

    def declared(self) -> dict[str, NDArray[Any]]:
        model = self.model
        if len(set(self.names)) < len(self.names):
            self.fail("two of its signals have one name")
        if not {"log_prob", "log_probs"} <= set(self.names):
            self.fail(f"its signals are {self.names}; expected log_prob and log_probs among them")
        if not model.name or not model.fingerprint or model.fingerprint != model.fingerprint:
            self.fail("its name or its fingerprint is empty, or changes from one look to the next")
        values = self.read(self.corpus, self.names)
        known = self.corpus.next_ids() >= 0
        for signal in model.signals:
            found = values[signal.name]
            shape = (len(self.corpus), signal.size) if signal.size else (len(self.corpus),)
            if found.shape != shape:
                self.fail(f"{signal.name} has shape {found.shape}; it is declared as {shape}")
            there = found[known] if signal.name == "log_prob" else found
            if np.isnan(there).any():
                self.fail(f"{signal.name} holds NaN")
            low, high = (-np.inf if signal.low is None else signal.low, np.inf if signal.high is None else signal.high)
            if there.size and (there.min() < low - _ENOUGH or there.max() > high + _ENOUGH):
                self.fail(f"{signal.name} runs from {there.min():.4g} to {there.max():.4g}; it is declared from {low} to {high}")
            if not signal.equation:
                self.fail(f"{signal.name} has no equation")
        return values

    def blocks(self, values: dict[str, NDArray[Any]]) -> None:
        for block in (1, 7, 1000):
            for name, again in self.read(self.corpus, self.names, block).items():
                if not np.array_equal(again, values[name], equal_nan=True):
                    self.fail(f"{name} is another in blocks of {block} symbols than in blocks of 256")

    def one_by_one(self, values: dict[str, NDArray[Any]]) -> None:
        for name in self.names:
            self._close(self.read(self.corpus, [name])[name], values[name], f"{name} asked for alone and among others")

    def probabilities(self, values: dict[str, NDArray[Any]]) -> None:
        log_probs = values["log_probs"].astype(np.float64)
        self._close(np.exp(log_probs).sum(1), np.ones(len(log_probs)), "the sum of its probabilities and 1")
        following = self.corpus.next_ids()
        known = following >= 0
        chosen = log_probs[known, following[known]]
        self._close(values["log_prob"][known], chosen, "log_prob and the log_probs of the symbol that came next")
        if not np.isnan(values["log_prob"][~known]).all():
            self.fail("log_prob is a number where nobody knows what came next; expected NaN")

    def segments(self, values: dict[str, NDArray[Any]]) -> None:
        causal = getattr(self.model, "causal", True)
        for start, stop in self.corpus.spans():
            for end in {stop, start + (stop - start + 1) // 2} if causal else {stop}:
                alone = self.read(Corpus("a part", self.corpus.vocabulary, self.corpus.ids[start:end]), self.names)
                for name, value in alone.items():
                    part = slice(0, -1) if name == "log_prob" else slice(None)  # nobody knows what comes after it
                    self._close(
                        value[part],
                        values[name][start:end][part],
                        f"{name} of symbols {start} to {end} read alone and among others",
                    )

    def recurrent(self, model: Recurrent) -> None:
        if model.causal:
            ids = torch.from_numpy(self.corpus.ids[:40].astype(np.int64))[:, None].to(model.device)
            whole, last = model.advance(ids, model.begin(1))
            for cut in (cut for cut in (1, 17) if cut < len(ids)):
                first, state = model.advance(ids[:cut], model.begin(1))
                second, end = model.advance(ids[cut:], state)
                for name, value in whole.items():
                    found = torch.cat([first[name], second[name]])
                    self._close(found.cpu().numpy(), value.cpu().numpy(), f"{name} when its state is carried over {cut} symbols")
                for name, value in last.items():
                    self._close(end[name].cpu().numpy(), value.cpu().numpy(), f"the state {name} in one stretch and in two")
            self.interventions(model)
        model.verify(self.corpus)

    def writing(self, model: Writer, values: dict[str, NDArray[Any]]) -> None:
        """What it says of a text that it is told piece by piece is what it says of one that it reads."""
        ids, tell = self.corpus.ids[:20].astype(np.int64), model.listen()
        for start, stop in ((0, 1), (1, 12), (12, 13), (13, 20)):
            if stop <= int(self.corpus.bounds[1]):
                self._close(tell(ids[start:stop]), values["log_probs"][stop - 1], f"log_probs after {stop} symbols, told and read,")
        if len(sample(model, length=5)) != 5:
            self.fail("it was asked to write 5 symbols and wrote another number")

    def interventions(self, model: Recurrent) -> None:
        """A state that is set is the state that is carried on."""
        ids = torch.from_numpy(self.corpus.ids[:3].astype(np.int64))[:, None].to(model.device)
        for name in [s.name for s in model.signals if s.state and s.name in model.advance(ids, model.begin(1))[1]]:
            _, state = model.advance(ids, model.begin(1), edit=partial(_raised, name))
            _, plain = model.advance(ids, model.begin(1), edit=partial(_raised, ""))
            if bool((state[name] == plain[name]).all()):
                self.fail(f"{name} is set by an edit and goes on as if it were not; use what the edit, or note(…), returns")

    def _close(self, a: NDArray[Any], b: NDArray[Any], what: str) -> None:
        with np.errstate(invalid="ignore"):
            far = ~((np.abs(a - b) <= _ENOUGH * np.maximum(1.0, np.abs(b))) | (a == b) | (np.isnan(a) & np.isnan(b)))
        if far.any():
            self.fail(f"{what} differ by {np.nanmax(np.abs(a[far] - b[far])):.2g}")


def _raised(chosen: str, t: int, name: str, value: Tensor) -> Tensor:
    return value + 0.25 if name == chosen else value
