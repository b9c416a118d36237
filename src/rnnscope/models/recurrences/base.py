"""`Recurrence`: a recurrent part of a module, one step at a time."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from rnnscope.models.cells import Named
from rnnscope.signal import Signal

Note = Callable[[str, Tensor], Tensor]
"""Takes a signal's kind and its value (batch, units), and gives the value to go on with: an intervention may have changed it."""


class Recurrence(ABC):
    """A recurrent submodule that torch doesn't have, as one step that names what it computes.

    `of` is the submodule's class, or its full name where it can't be imported yet. The submodule is called once for a text, with a
    tensor (batch, time, inputs), or (time, batch, inputs) without `batch_first`. `place` is what its signals' names begin
    with, and a number. `wrap` takes the class; `verify` holds its steps against the submodule's own forward.
    """

    of: ClassVar[type[nn.Module] | str]
    batch_first: ClassVar[bool] = True
    place: ClassVar[str] = "layer"

    def __init__(self, part: nn.Module) -> None:
        self.part: Any = part

    @abstractmethod
    def signals(self) -> list[Signal]:
        """Its signals, named by their kind alone (`hidden`), each with its equation and range."""

    @abstractmethod
    def begin(self, x: Tensor) -> Named:
        """The states before the first symbol, (batch, …) each, for inputs like `x` (batch, inputs); a signal's by its kind."""

    @abstractmethod
    def step(self, x: Tensor, state: Named, note: Note) -> tuple[Tensor, Named]:
        """From the input (batch, inputs) and the states to the output (batch, outputs) and the new states.

        Every signal goes through `note(kind, value)` where it is computed, and what it returns is used from there on.
        """

    def returned(self, out: Tensor, state: Named, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What the submodule's forward returns, from its outputs over time, its last states, and the arguments of its call."""
        return out


def full_names(part: nn.Module) -> list[str]:
    """The full names of a submodule's class and of those that it derives from."""
    return [f"{kind.__module__}.{kind.__qualname__}" for kind in type(part).__mro__]


def matches(kind: type[Recurrence], part: nn.Module) -> bool:
    return kind.of in full_names(part) if isinstance(kind.of, str) else isinstance(part, kind.of)
