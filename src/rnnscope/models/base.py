"""`Network`: a network of ours, which an architecture describes and the trainer trains."""

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from rnnscope.corpora import Vocabulary
from rnnscope.files import fingerprint
from rnnscope.models.architecture import Architecture
from rnnscope.models.recurrent import Recurrent, State


class Network(nn.Module, Recurrent):
    """A torch module (ids in, logits out) and a `LanguageModel` (corpus in, signals out) with a softmax on top, `readout`."""

    readout: nn.Linear

    def __init__(self, architecture: Architecture, vocabulary: Vocabulary, name: str | None = None) -> None:
        super().__init__()
        self.architecture = architecture
        self.vocabulary = vocabulary
        self.name = name or str(architecture)

    @abstractmethod
    def forward(
        self, ids: Tensor, state: State | None = None, *, between: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, State]:
        """Logits (time, batch, symbols) and the state after, from symbol numbers (time, batch).

        `between` is applied to what each layer hands on, to the next one or to the softmax: the place of dropout.
        """

    def loss(
        self, ids: Tensor, targets: Tensor, state: State, scale: float, *, between: Callable[[Tensor], Tensor] | None = None
    ) -> tuple[Tensor, State]:
        """`scale` times the sum of nats of the `targets` (time, batch), a scalar, and the state after, a constant: no gradient
        goes through it from one stretch to the one before.
        """
        logits, state = self(ids, state, between=between)
        nats = cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="sum")
        return nats * scale, {name: value.detach() for name, value in state.items()}

    def differentiate(
        self,
        ids: Tensor,
        targets: Tensor,
        state: State,
        scale: float,
        *,
        reduced: bool = False,
        between: Callable[[Tensor], Tensor] | None = None,
    ) -> tuple[Tensor, State]:
        """`loss`, and its gradients added to every parameter's `grad`; `reduced`: what is multiplied is bfloat16."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=reduced):
            found = None if between else self._at_once(ids, targets, state, scale)
            loss, after = found or self.loss(ids, targets, state, scale, between=between)
        if not found:
            torch.autograd.backward(loss)
        return loss.detach(), after

    def _at_once(self, ids: Tensor, targets: Tensor, state: State, scale: float) -> tuple[Tensor, State] | None:
        """As `differentiate`, where there is a shorter way than autograd's; None where there is none."""
        return None

    @property
    def fingerprint(self) -> str:
        """Of the architecture, the vocabulary and every weight."""
        weights = [p.detach().cpu().contiguous().view(torch.uint8).numpy().data.cast("B") for p in self.parameters()]
        return fingerprint("network", self.architecture.to_json(), self.vocabulary.fingerprint, *weights)

    @property
    def device(self) -> torch.device:
        return self.readout.weight.device

    @property
    def precision(self) -> torch.dtype:
        return self.readout.weight.dtype

    def parameter_count(self) -> int:
        return self.architecture.parameters(len(self.vocabulary))
