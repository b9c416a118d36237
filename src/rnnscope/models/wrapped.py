"""`wrap`: somebody else's torch module as a language model.

The module keeps doing what it does around its recurrence, whatever that is. Only while it reads, its recurrent parts are
tapped (see `taps`): they take up the state where the last stretch ended, and every gate and state is noted. `verify`
holds the result against the module as it was given.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from traceback import walk_tb
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rnnscope.corpora import Corpus, Vocabulary
from rnnscope.exceptions import UsageError, VerificationError, expect
from rnnscope.files import fingerprint
from rnnscope.models.arrivals import as_array
from rnnscope.models.cells import Named
from rnnscope.models.edits import Edit
from rnnscope.models.recurrences.base import Recurrence
from rnnscope.models.recurrent import TOLERANCES, Recurrent, State, difference
from rnnscope.models.strengths import LookUp, frozen
from rnnscope.models.taps import FUTURE, Reading, StepTap, Tap, exchanged, taps_in
from rnnscope.predictions import predictions
from rnnscope.signal import Signal

Call = Callable[[nn.Module, Tensor], Any]
_BATCH, _TIME = 2, 3  # of the trial call: two sizes that tell the axes apart


def wrap(
    module: nn.Module,
    vocabulary: Vocabulary,
    *,
    call: Call | None = None,
    name: str | None = None,
    recurrences: Sequence[type[Recurrence]] = (),
) -> "Wrapped":
    """A torch module as a language model: recorded, scored, ablated, sampled from as one that was trained here.

    `module(ids)` takes symbol numbers, (batch, time) or (time, batch), numbered as in `vocabulary`, and returns logits or
    log-probabilities: a tensor whose last axis is the vocabulary, the first element of a tuple, or `.logits`. Where it is called
    otherwise, `call(module, ids)` does it. Inside are `nn.LSTM`, `nn.GRU` or `nn.RNN`, of any depth, with or without biases,
    projections, both directions, or `nn.LSTMCell` and its kin, stepped by the module's own loop. Their layers are numbered on from
    one to the next in the order in which they are called; what isn't called is left out. A backward direction is
    `layer0.reverse`. Recurrences that torch doesn't have are `recurrences`, each a small class (see `Recurrence`); known without
    being given are minGRU (`minGRU-pytorch`), sLSTM (`xlstm`) and Mamba (`transformers`). What surrounds them must
    treat every symbol alone; `verify` finds out.

    The module stays as it is found between calls, also after an error: training mode, forward, random state.
    Raises `UsageError` naming the submodule that stands in the way.
    """
    expect(module, nn.Module, "a torch module that takes symbol numbers and returns logits")
    expect(vocabulary, Vocabulary, "the vocabulary that numbers its symbols; rs.Vocabulary.of(text) makes one")
    for kind in recurrences:
        if not (isinstance(kind, type) and issubclass(kind, Recurrence)):
            raise UsageError(f"{kind!r:.80} is no recurrence; expected subclasses of rs.Recurrence")
    return Wrapped(module, vocabulary, call or _plainly, name or type(module).__name__, recurrences)


def _watched(calls: list[tuple[StepTap, Any, Any, Any]], tap: StepTap, theirs: Any, *given: Any, **named: Any) -> Any:
    """The module's own forward, its arguments and what it returned noted."""
    own = theirs(*given, **named)
    calls.append((tap, given, named, own))
    return own


def _bytes(value: Tensor) -> Any:
    return value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()


def _settings(part: nn.Module) -> dict[str, Any]:
    """The numbers and words that a submodule holds."""
    plain = {name: value for name, value in vars(part).items() if isinstance(value, bool | int | float | str)}
    return {name: plain[name] for name in sorted(plain.keys() - vars(nn.Module()).keys())}


def _plainly(module: nn.Module, ids: Tensor) -> Any:
    return module(ids)


class Wrapped(Recurrent):
    """A torch module as a language model; `wrap` makes one."""

    def __init__(
        self, module: nn.Module, vocabulary: Vocabulary, call: Call, name: str, recurrences: Sequence[type[Recurrence]] = ()
    ) -> None:
        self.module, self.vocabulary, self.name = module, vocabulary, name
        self._call = call
        self._taps = taps_in(module, name, recurrences)
        self._batch_first = self._tried()
        self.causal = not any(tap.bidirectional for tap in self._taps)

    @property
    def signals(self) -> list[Signal]:
        out = predictions(len(self.vocabulary))
        if not self.causal:
            out = [replace(signal, equation=signal.equation + FUTURE) for signal in out]
        return [*(signal for tap in self._taps for signal in tap.signals()), *out]

    @property
    def fingerprint(self) -> str:
        """Of its parameters and buffers, its submodules with their settings, its signals, how it is called, and the vocabulary."""
        tensors = dict([*self.module.named_parameters(), *self.module.named_buffers()])
        weights = [np.ascontiguousarray(_bytes(value)).data for value in tensors.values()]
        kinds = [f"{path}: {type(part).__qualname__} {_settings(part)}" for path, part in self.module.named_modules()]
        shapes = [f"{name} {value.dtype} {tuple(value.shape)}" for name, value in tensors.items()]
        signals = [signal.to_json() for signal in self.signals]
        code = getattr(getattr(self._call, "__code__", None), "co_code", b"")
        return fingerprint("wrapped", kinds, shapes, signals, self.vocabulary.fingerprint, code, *weights)

    @property
    def device(self) -> torch.device:
        return next((p.device for p in self.module.parameters()), torch.device("cpu"))

    def begin(self, batch: int) -> State:
        """Nothing yet: the module itself says what its states begin with."""
        return {}

    @torch.no_grad()
    def advance(
        self, ids: Tensor, state: State, *, inside: bool = True, kernel: bool = True, edit: Edit | None = None
    ) -> tuple[Named, State]:
        reading = Reading(len(ids), state, inside or not kernel or edit is not None, kernel, edit)
        with self._as_is(), ExitStack() as stack:
            for tap in self._taps:
                stack.enter_context(tap.tapped(reading))
            logits = self._logits(ids)
        return {**reading.named, "logits": logits}, reading.last

    def strengthened(self, ids: Tensor, state: State, strength: Tensor, *, edit: Edit | None = None) -> Named:
        """See `Recurrent.strengthened`. A symbol enters with the input of the recurrent part that is called first; where it goes
        past that, by a skip connection, with what an `nn.Embedding` looked up."""
        reading = Reading(len(ids), {name: value.detach() for name, value in state.items()}, True, False, edit, strength=strength)
        with self._as_is(), frozen(self.module), ExitStack() as stack:
            for tap in self._taps:
                stack.enter_context(tap.tapped(reading))
            for part in self.module.modules():
                if isinstance(part, nn.Embedding):
                    stack.enter_context(exchanged(part, LookUp(ids, strength, self._batch_first)))
            logits = self._logits(ids)
        return {name: value[-1] for name, value in {**reading.named, "logits": logits}.items()}

    @property
    def precision(self) -> torch.dtype:
        return next((p.dtype for p in self.module.parameters() if p.is_floating_point()), torch.float32)

    def verify(self, text: str | bytes | Corpus, *, tolerance: float | None = None) -> dict[str, float]:
        """Hold what would be recorded against the module as it was given; the largest difference for each signal.

        Ways to read the text: as it is recorded, alone and beside another text; through the readable equations; and by the module's
        own forward, its kernels and surroundings untouched, once over the whole text, and (where it reads from the left only)
        once symbol by symbol, which shows every state of every layer. Differences as in `Recurrent.verify`. Raises
        `VerificationError`.
        """
        corpus = text if isinstance(text, Corpus) else Corpus.from_text(text, vocabulary=self.vocabulary)
        tolerance = TOLERANCES.get(self.precision, 1e-4) if tolerance is None else tolerance
        worst = super().verify(corpus, tolerance=tolerance)
        for start, stop in corpus.spans():
            ids = torch.from_numpy(corpus.ids[start:stop].astype(np.int64))[:, None].to(self.device)
            recorded, _ = self.advance(ids, self.begin(1))
            calls: list[tuple[StepTap, Any, Any, Any]] = []
            with torch.no_grad(), self._as_is(), ExitStack() as stack:
                torch.manual_seed(1)  # what is random is found out
                for tap in (tap for tap in self._taps if isinstance(tap, StepTap)):
                    stack.enter_context(exchanged(tap.module, partial(_watched, calls, tap)))
                alone: Named = {"logits": self._logits(ids)}
            for tap, given, given_by_name, own in calls:
                self._compare_steps(tap, tap.alone(given, given_by_name), own, tolerance)
            self._compare(recorded, alone, worst, tolerance, "the module reads the text at once")
            both, _ = self.advance(torch.cat([ids, ids.flip(0)], 1), self.begin(2))
            beside = {name: value[:, :1] for name, value in both.items()}
            self._compare(recorded, beside, worst, tolerance, "another text is read beside it")
            if self.causal:
                self._compare(recorded, self._stepped(ids), worst, tolerance, "the module reads symbol by symbol")
        return worst

    def _stepped(self, ids: Tensor) -> Named:
        state, steps = self.begin(1), []
        for each in ids:
            named, state = self.advance(each[None], state, inside=False)
            steps.append({**{name: value[None] for name, value in state.items()}, **named})
        return {name: torch.cat([step[name] for step in steps]) for name in steps[0]}

    def _compare_steps(self, tap: StepTap, stepped: Any, own: Any, tolerance: float) -> None:
        ours, theirs = (value if isinstance(value, Tensor) else value[0] for value in (stepped, own))
        kind = type(tap.recurrence).__name__
        if ours.shape != theirs.shape:
            raise VerificationError(
                f"{self.name} can't be recorded: {kind} returns {tuple(ours.shape)} for {tap.path}, whose own forward returns "
                f"{tuple(theirs.shape)}"
            )
        found = difference(as_array(ours), as_array(theirs))
        if not found <= tolerance:
            raise VerificationError(
                f"{self.name} can't be recorded: the output of {tap.path} by the steps of {kind} differs by {found:.1e} from its "
                f"own forward's, more than the tolerance of {tolerance:.1e}"
            )

    def _compare(self, recorded: Named, theirs: Named, worst: dict[str, float], tolerance: float, way: str) -> None:
        for name, value in theirs.items():
            if name not in recorded:  # a state that is no signal
                continue
            ours = recorded[name]
            if name == "logits":  # log-probabilities are logits, too, up to a constant
                name, ours, value = "log_probs", ours.log_softmax(-1), value.log_softmax(-1)
            found = difference(as_array(ours), as_array(value))
            worst[name] = max(worst[name], found)
            if not found <= tolerance:
                raise VerificationError(
                    f"{self.name} can't be recorded: {name} differs by {found:.1e} from when {way}, more than the tolerance of "
                    f"{tolerance:.1e}; whatever is around its recurrence must treat every symbol alone"
                )

    def _logits(self, ids: Tensor) -> Tensor:
        """(time, batch, symbols), whichever way round the module has it."""
        time, batch = ids.shape
        try:
            found = self._call(self.module, ids.T if self._batch_first else ids)
        except IndexError as error:
            self._check_entries(ids, error)
            raise
        found = getattr(found, "logits", found[0] if isinstance(found, tuple | list) else found)
        symbols = len(self.vocabulary)
        shape = (batch, time, symbols) if self._batch_first else (time, batch, symbols)
        if not isinstance(found, Tensor) or tuple(found.shape) not in (shape, (time * batch, symbols)):
            given = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
            raise UsageError(
                f"{self.name} returned {given} for {batch} segments of {time} symbols; expected logits {shape}, the vocabulary's "
                f"{symbols} symbols last"
            )
        found = found.reshape(shape)
        return found.transpose(0, 1) if self._batch_first else found

    def _check_entries(self, ids: Tensor, error: IndexError) -> None:
        """Say so if it was an embedding of these symbols that was asked for one that it has no entry for."""
        paths = {part: path for path, part in self.module.named_modules()}
        for frame, _ in walk_tb(error.__traceback__):
            part, given = frame.f_locals.get("self"), frame.f_locals.get("input")
            if not (isinstance(part, nn.Embedding) and isinstance(given, Tensor) and part.num_embeddings < len(self.vocabulary)):
                continue
            if bool(torch.isin(given, ids).all()) and int(given.max()) >= part.num_embeddings:
                raise UsageError(
                    f"{paths.get(part) or 'an nn.Embedding'} of {self.name} has {part.num_embeddings} entries and was given symbol "
                    f"{int(given.max())}; expected an entry for each of the vocabulary's {len(self.vocabulary)} symbols; wrap it "
                    "with the vocabulary that it was trained with"
                ) from error

    def _tried(self) -> bool:
        """Call it once, to see in which order the parts are called and which of its axes is time."""
        seen: dict[Tap, list[Any]] = {}

        def look(tap: Tap, theirs: Any, *given: Any, **named: Any) -> Any:
            seen.setdefault(tap, []).append(next(iter((*given, *named.values())), None))
            return theirs(*given, **named)

        ids = torch.zeros(_BATCH, _TIME, dtype=torch.int64, device=self.device)
        with torch.no_grad(), self._as_is(), ExitStack() as stack:
            for tap in self._taps:
                stack.enter_context(exchanged(tap.module, partial(look, tap)))
            try:
                self._call(self.module, ids)
            except Exception as error:
                words = " ".join(str(error).split())
                raise UsageError(
                    f"{self.name} can't be called with symbol numbers alone ({type(error).__name__}: {words}); "
                    "give call=lambda module, ids: … that returns its logits"
                ) from error
        if not seen:
            paths = ", ".join(tap.path for tap in self._taps)
            raise UsageError(f"{self.name} calls none of its recurrent parts ({paths}) for a text; expected one at least")
        orders = set()
        for tap, inputs in seen.items():
            axes = tap.axes(inputs, self.name)
            if sorted(axes) != [_BATCH, _TIME]:
                raise UsageError(
                    f"{tap.path} of {self.name} reads {axes[0]} segments of {axes[1]} symbols, where the module got {_BATCH} of "
                    f"{_TIME}; expected as many"
                )
            orders.add(axes == (_BATCH, _TIME))
        if len(orders) > 1:
            raise UsageError(f"the parts of {self.name} differ in what they call time; check their batch_first")
        numbers, sees = Counter[str](), False
        for tap in seen:  # in the order in which they were first called
            tap.first, tap.sees = numbers[tap.numbered], sees
            numbers[tap.numbered] += tap.layers
            sees = sees or tap.bidirectional
        self._taps = list(seen)
        return orders.pop()

    @contextmanager
    def _as_is(self) -> Iterator[None]:
        """Dropout off and random states kept; modes, buffers and whatever else the module holds are put back."""
        held = [(part, vars(part).copy()) for part in self.module.modules()]
        buffers = [(buffer, buffer.clone()) for buffer in self.module.buffers()]
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            try:
                for part, _ in held:
                    part.training = False
                yield
            finally:
                for part, before in held:
                    for name in vars(part).keys() - before.keys():
                        del vars(part)[name]
                    vars(part).update(before)
                with torch.no_grad():
                    for buffer, value in buffers:
                        if not torch.equal(buffer, value):
                            buffer.copy_(value)
