"""`Recurrent`: a language model that carries a state from symbol to symbol.

Whoever has one writes `begin` and `advance`; reading a text, its probabilities, and interventions follow from them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import log_softmax

from rnnscope.corpora import Corpus, Vocabulary
from rnnscope.exceptions import UsageError, VerificationError
from rnnscope.models.arrivals import Arrival, on, one_ahead
from rnnscope.models.cells import Named
from rnnscope.models.edits import Edit
from rnnscope.models.passages import MARK, Passage, Plan
from rnnscope.models.threads import all_of_float32
from rnnscope.predictions import TOP, find, is_prediction
from rnnscope.protocol import Block, Listener, check_readable
from rnnscope.signal import Signal

State = Named
"""What is carried along: a tensor of shape (batch, …) for each name. A state that is a signal has the signal's name."""

TOLERANCES = {torch.float16: 1e-2, torch.bfloat16: 5e-2}
"""Of `verify`, where it isn't 1e-4: some tens of roundings in a stretch of 256 symbols."""


class Recurrent(ABC):
    """A language model with a state. Its signals end with `log_prob`, `entropy` and `log_probs`, which are worked out here."""

    name: str
    vocabulary: Vocabulary
    origin: dict[str, Any] | None = None
    """Where it can be loaded from again: a `loader` of the entry points `rnnscope.models`, a `path` and its `options`."""
    causal: bool = True
    """Whether a value depends on the symbols so far only. Where it doesn't, each segment is read whole and alone."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

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

    @property
    def precision(self) -> torch.dtype:
        """In which it computes."""
        return torch.float32

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

    def strengthened(self, ids: Tensor, state: State, strength: Tensor, *, edit: Edit | None = None) -> Named:
        """What `advance` computes at the last of these symbols, each signal and `logits` (batch, units), differentiably.

        The input of each symbol (its one-hot vector, the row of an embedding), where it enters the recurrence, is multiplied
        by its `strength` (time, batch), all ones; so the derivative by a strength is gradient × input. The state is a constant.
        Raises `UsageError` where a model has no way to do it.
        """
        raise UsageError(
            f"{self.name} doesn't say how gradients go through it; expected a network of rnnscope's, a wrapped module, one of "
            "these with units ablated, or a Recurrent with `strengthened`"
        )

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
        self.accept(corpus)
        names = [s.name for s in self.find(signals)]
        plan = self.plan(corpus)
        inside = not all(is_prediction(name) for name in names)

        def begun() -> Iterator[tuple[Passage, Arrival]]:
            for group in range(plan.groups):
                carried = Carried(self, plan.rows(group))
                for passage in plan.passages(group):
                    yield passage, self.begun(corpus, passage, carried, names, inside=inside, kernel=kernel)

        # A GPU computes the next passage while the values of this one are brought and looked at
        for passage, arrival in one_ahead(begun(), self.device.type == "cuda"):
            arrays = arrival.arrays()
            for k, (start, length) in enumerate(zip(passage.starts.tolist(), passage.lengths.tolist(), strict=True)):
                for at in range(0, length, block):
                    piece = slice(at, min(at + block, length))
                    yield Block(start + at, {name: value[piece, k] for name, value in arrays.items()})

    def find(self, patterns: str | Iterable[str]) -> list[Signal]:
        """The signals that match; see `predictions.find`."""
        return find(self.signals, patterns, len(self.vocabulary))

    def accept(self, corpus: Corpus) -> None:
        """Raises `UsageError` for a corpus with another vocabulary."""
        check_readable(self, corpus)

    def plan(self, corpus: Corpus, streams: int = 1) -> Plan:
        """In what order a text is read."""
        return Plan(corpus.spans(), sum(max(s.size, 1) for s in self.signals), causal=self.causal, streams=streams)

    def recomputation(
        self,
        corpus: Corpus,
        streams: int,
        states: Callable[[NDArray[np.int64]], dict[str, NDArray[Any]]],
        dtypes: Mapping[str, str],
    ) -> Any:
        """What computes any window of a text again from kept states; see `models.recomputation`."""
        from rnnscope.models.recomputation import Recomputation

        return Recomputation(self, corpus, self.plan(corpus, streams), states, dtypes)

    def compute(
        self,
        corpus: Corpus,
        passage: Passage,
        carried: "Carried",
        names: Sequence[str],
        *,
        inside: bool = True,
        kernel: bool = True,
    ) -> dict[str, NDArray[Any]]:
        """The named signals of a passage, each (time, batch, units); `carried` goes on by it.

        `inside` goes through the gates, wanted or not: then a value has the same bits whatever else is asked for.
        """
        return self.begun(corpus, passage, carried, names, inside=inside, kernel=kernel).arrays()

    @torch.no_grad()
    def begun(
        self, corpus: Corpus, passage: Passage, carried: "Carried", names: Sequence[str], *, inside: bool, kernel: bool
    ) -> Arrival:
        """What `compute` gives, which a GPU may still be at."""
        positions = passage.positions
        there = positions >= 0
        ids = np.where(there, corpus.ids[np.where(there, positions, 0)], 0).astype(np.int64)
        with all_of_float32(self.device):
            named, after = self.advance(
                on(self.device, ids), carried.before(passage),
                inside=inside, kernel=kernel, edit=self.edits(corpus, positions),
            )  # fmt: skip
        carried.go_on(passage, after)
        wanted = np.where(there, corpus.next_ids(np.where(there, positions, 0)), -1)
        return Arrival(_outputs(named, names, wanted))

    def listen(self) -> Listener:
        """Begin a text that it will be told piece by piece. Raises `UsageError` for a model that reads from both sides."""
        if not self.causal:
            raise UsageError(f"{self.name} reads from both sides; it can't write a text, whose other side isn't there yet")
        state, done = self.begin(1), 0

        @torch.no_grad()
        def tell(ids: NDArray[np.int64]) -> NDArray[np.float64]:
            nonlocal state, done
            edit = self.edits(None, np.arange(done, done + len(ids))[:, None])
            named, state = self.advance(torch.from_numpy(ids)[:, None].to(self.device), state, inside=False, edit=edit)
            done += len(ids)
            return log_softmax(named["logits"][-1, 0].double(), -1).cpu().numpy()

        return tell

    def verify(self, text: str | bytes | Corpus, *, tolerance: float | None = None) -> dict[str, float]:
        """Replay a text step by step through the readable equations; the largest difference for each signal.

        Differences are relative where a value is above 1 in size, absolute below. Both run on their own states, so that rounding
        grows along the text: in float32 1e-6 to 1e-5 is usual, wrong equations differ far more. The tolerance is 1e-4 where
        none is given, more in half precision (`TOLERANCES`).

        Raises `VerificationError` naming the worst signal if a difference is above `tolerance`.
        """
        corpus = text if isinstance(text, Corpus) else Corpus.from_text(text, vocabulary=self.vocabulary)
        tolerance = TOLERANCES.get(self.precision, 1e-4) if tolerance is None else tolerance
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
            target = on(log_probs.device, wanted)
            chosen = log_probs.gather(-1, target.clamp(min=0)[..., None])[..., 0]
            found["log_prob"] = chosen.masked_fill(target < 0, float("nan"))
        for n in {int(match[1]) for match in map(TOP.fullmatch, names) if match}:
            values, ids = log_probs.topk(n, -1)
            found |= {name: each for name, each in ((f"top{n}/ids", ids.int()), (f"top{n}/log_probs", values)) if name in names}
    return found


class Carried:
    """The states of a group's rows between passages. With `guess`, rows that continue others begin anew."""

    def __init__(self, model: Recurrent, rows: NDArray[np.int64], *, guess: bool = False) -> None:
        self._model, self._rows, self._guess = model, rows, guess
        self._states: State = {}

    def at(self, rows: NDArray[np.int64]) -> State:
        if len(rows) == len(self._rows):
            return dict(self._states)
        return {name: value[on(value.device, rows - self._rows[0])] for name, value in self._states.items()}

    def put(self, rows: NDArray[np.int64], states: State) -> None:
        for name, value in states.items():
            if len(rows) == len(self._rows):
                self._states[name] = value.clone()
                continue
            if name not in self._states:
                self._states[name] = value.new_zeros(len(self._rows), *value.shape[1:])
            self._states[name][on(value.device, rows - self._rows[0])] = value

    def restore(self, rows: NDArray[np.int64], states: Mapping[str, NDArray[Any]], dtypes: Mapping[str, str]) -> None:
        """Put what was kept in arrays; `dtypes` are the states' own by torch's names, since numpy lacks some of them."""
        device = self._model.device
        self.put(rows, {name: torch.from_numpy(value).to(device, getattr(torch, dtypes[name])) for name, value in states.items()})

    def before(self, passage: Passage) -> State:
        first = passage.begins or (self._guess and passage.offset == 0)
        return self._model.begin(len(passage.rows)) if first else self.at(passage.rows)

    def go_on(self, passage: Passage, after: State) -> None:
        self.put(passage.rows, after)


def difference(a: NDArray[Any], b: NDArray[Any], unknown: bool = False) -> float:
    """The largest difference, relative where values are above 1; infinite where something is no number.

    Except, with `unknown`, where neither is one: nobody knows what follows the last symbol.
    """
    excused = np.isnan(a) & np.isnan(b) & unknown
    if ((np.isnan(a) | np.isnan(b)) & ~excused).any():
        return float("inf")
    return float(np.nan_to_num(np.abs(a - b) / np.maximum(1.0, np.abs(b))).max())
