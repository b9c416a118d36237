"""`Recurrent`: a language model that carries a state from symbol to symbol.

Whoever has one writes `begin` and `advance`; reading a text, its probabilities, and interventions follow from them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import log_softmax

from rnnscope.corpora import Corpus, Vocabulary
from rnnscope.exceptions import UsageError, VerificationError
from rnnscope.models.cells import EditOfStep, Named
from rnnscope.models.passages import MARK, Passage, Plan
from rnnscope.models.protocol import Block
from rnnscope.signal import Signal, select

State = Named
"""What is carried along: a tensor of shape (batch, …) for each name. A state that is a signal has the signal's name."""

Edit = EditOfStep
"""What an intervention does: (step of the stretch, signal, its value of shape (batch, units)) → the value to go on with."""


class Recurrent(ABC):
    """A language model with a state. Its signals end with `log_prob`, `entropy` and `log_probs`, which are worked out here."""

    name: str
    vocabulary: Vocabulary
    causal: bool = True
    """Whether a value depends on the symbols so far only. Where it doesn't, each segment is read whole and alone."""

    @property
    @abstractmethod
    def signals(self) -> list[Signal]:
        """Everything that can be recorded, `predictions` among them."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Of everything that its values depend on."""

    @property
    def device(self) -> torch.device:
        """Where symbol numbers are wanted."""
        return torch.device("cpu")

    @abstractmethod
    def begin(self, batch: int) -> State:
        """The state before the first symbol of `batch` segments."""

    @abstractmethod
    def advance(
        self, ids: Tensor, state: State, *, inside: bool = True, kernel: bool = True, edit: Edit | None = None
    ) -> tuple[Named, State]:
        """Read symbol numbers (time, batch): every signal, (time, batch, units), `logits` among them, and the state after.

        Without `inside` the logits are enough. `kernel=False` steps through the readable equations. Each signal of
        each step goes through `edit` before anything is computed from it.
        """

    def edits(self, corpus: Corpus | None, positions: NDArray[np.int64]) -> Edit | None:
        """What to change while reading these positions (time, batch) of a corpus, or of a text that is being written."""
        return None

    def read(self, corpus: Corpus, signals: Sequence[str], *, block: int = MARK, kernel: bool = True) -> Iterator[Block]:
        """See `LanguageModel.read`. Segments are read side by side, each from a fresh state.

        `kernel=False` steps through the readable equations instead of kernels.
        Raises `UsageError` for a corpus with another vocabulary and `UnknownNameError` for an unknown signal.
        """
        if block < 1:
            raise UsageError(f"a block holds at least 1 symbol, not {block}")
        names = [s.name for s in select(self.signals, signals)]
        inside = not _OUTSIDE.issuperset(names)
        for passage, arrays, _ in self.passages(corpus, self.plan(corpus), names, inside=inside, kernel=kernel):
            for k, (start, length) in enumerate(zip(passage.starts.tolist(), passage.lengths.tolist(), strict=True)):
                for at in range(0, length, block):
                    piece = slice(at, min(at + block, length))
                    yield Block(start + at, {name: value[piece, k] for name, value in arrays.items()})

    def plan(self, corpus: Corpus) -> Plan:
        """In what order a text is read."""
        return Plan(list(corpus.spans()), sum(max(s.size, 1) for s in self.signals), causal=self.causal)

    def passages(
        self,
        corpus: Corpus,
        plan: Plan,
        names: Sequence[str],
        *,
        inside: bool = True,
        kernel: bool = True,
        group: int = 0,
        offset: int = 0,
        state: State | None = None,
    ) -> Iterator[tuple[Passage, dict[str, NDArray[Any]], State]]:
        """Compute a text in the order of `plan`: each passage, its values (time, batch, units), and the states after it.

        Begins at (group, offset) with the states there of the segments that are being read. `inside` goes through the
        gates, wanted or not: then a value has the same bits whatever else is asked for.
        """
        if corpus.vocabulary != self.vocabulary:
            raise UsageError(
                f"{corpus!r} has another vocabulary than {self.name}; read the text with the model's: "
                "Corpus.from_text(…, vocabulary=model.vocabulary)"
            )
        before: Passage | None = None
        for passage in plan.passages(group, offset):
            if passage.offset == 0:
                state = self.begin(len(passage.segments))
            elif before is not None and len(passage.segments) < len(before.segments):
                live = np.flatnonzero(np.isin(before.segments, passage.segments))
                state = {name: value[live] for name, value in (state or {}).items()}
            arrays, state = self._passage(corpus, passage, state or {}, names, inside, kernel)
            yield passage, arrays, state
            before = passage

    @torch.no_grad()
    def _passage(
        self, corpus: Corpus, passage: Passage, state: State, names: Sequence[str], inside: bool, kernel: bool
    ) -> tuple[dict[str, NDArray[Any]], State]:
        positions = passage.positions
        there = positions >= 0
        ids = np.where(there, corpus.ids[np.where(there, positions, 0)], 0).astype(np.int64)
        named, after = self.advance(
            torch.from_numpy(ids).to(self.device), state,
            inside=inside, kernel=kernel, edit=self.edits(corpus, positions),
        )  # fmt: skip
        wanted = np.where(there, corpus.next_ids(np.where(there, positions, 0)), -1)
        return {name: as_array(value) for name, value in _outputs(named, names, wanted).items()}, after

    def verify(self, text: str | bytes | Corpus, *, tolerance: float = 1e-4) -> dict[str, float]:
        """Replay a text step by step through the readable equations; the largest difference for each signal.

        Differences are relative where a value is above 1 in size, absolute below. Both run on their own states in
        float32, so that rounding grows along the text: 1e-6 to 1e-5 is usual, wrong equations differ far more.

        Raises `VerificationError` naming the worst signal if a difference is above `tolerance`.
        """
        corpus = text if isinstance(text, Corpus) else Corpus.from_text(text, vocabulary=self.vocabulary)
        names = [s.name for s in self.signals]
        worst = dict.fromkeys(names, 0.0)
        fast, slow = self.read(corpus, names), self.read(corpus, names, kernel=False)
        for a, b in zip(fast, slow, strict=True):
            for name in names:
                worst[name] = max(worst[name], difference(a.arrays[name], b.arrays[name], name == "log_prob"))
        name = max(worst, key=worst.__getitem__)
        if not worst[name] <= tolerance:
            raise VerificationError(
                f"{self.name} can't be recorded: {name} differs by {worst[name]:.1e} between the kernel and the equations, "
                f"more than the tolerance of {tolerance:.1e}"
            )
        return worst


def at_place(edit: Edit | None, place: str, back_from: int | None = None) -> EditOfStep | None:
    """An edit by a signal's kind, for what computes at one place of a model (`layer0`).

    `back_from` numbers the steps from that one down, for what reads from the right.
    """
    if edit is None:
        return None
    return lambda t, kind, value: edit(t if back_from is None else back_from - t, f"{place}/{kind}", value)


def predictions(symbols: int) -> list[Signal]:
    """The signals that every recurrent model ends with."""
    return [
        Signal("log_prob", 0, "log p(the symbol that really came next), nats", None, 0.0),
        Signal("entropy", 0, "−Σ p log p over the next symbol, nats", 0.0, None),
        Signal("log_probs", symbols, "log softmax(W_y h + b_y), nats", None, 0.0),
    ]


_OUTSIDE = {s.name for s in predictions(1)}  # for which no gate need be computed


def _outputs(named: Named, names: Sequence[str], wanted: NDArray[np.int64]) -> Named:
    found = {name: named[name] for name in names if name in named}
    if len(found) < len(names):
        log_probs = log_softmax(named["logits"].float(), -1)
        if "log_probs" in names:
            found["log_probs"] = log_probs
        if "entropy" in names:
            # A symbol that is ruled out has 0 · −∞, which counts nothing
            found["entropy"] = -(log_probs.exp() * log_probs.clamp(min=torch.finfo(log_probs.dtype).min)).sum(-1)
        if "log_prob" in names:
            target = torch.from_numpy(wanted).to(log_probs.device)
            chosen = log_probs.gather(-1, target.clamp(min=0)[..., None])[..., 0]
            found["log_prob"] = chosen.masked_fill(target < 0, float("nan"))
    return found


def as_array(value: Tensor) -> NDArray[Any]:
    """numpy has no bfloat16: such values come as float32, which holds them exactly."""
    value = value.detach()
    return (value.float() if value.dtype == torch.bfloat16 else value).cpu().numpy()


def difference(a: NDArray[Any], b: NDArray[Any], unknown: bool = False) -> float:
    """The largest difference, relative where values are above 1; infinite where something is no number.

    Except, with `unknown`, where neither is one: nobody knows what follows the last symbol.
    """
    excused = np.isnan(a) & np.isnan(b) & unknown
    if ((np.isnan(a) | np.isnan(b)) & ~excused).any():
        return float("inf")
    return float(np.nan_to_num(np.abs(a - b) / np.maximum(1.0, np.abs(b))).max())
