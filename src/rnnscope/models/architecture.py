"""`Architecture`: what a network is made of, before it has weights."""

from dataclasses import asdict, dataclass
from typing import Any

from rnnscope.exceptions import RecipeError


@dataclass(frozen=True)
class Architecture:
    """A stack of equal recurrent layers over one-hot symbols, with a softmax on top.

    `cell` is `lstm`, `gru` (torch's equations), `gru-paper` (the paper's) or `rnn`; `units` is the width of every layer.
    """

    cell: str = "lstm"
    layers: int = 1
    units: int = 256

    def __post_init__(self) -> None:
        from rnnscope.models.cells import CELLS  # torch only when a network is described

        if self.cell not in CELLS:
            raise RecipeError(f"no cell is called {self.cell!r}; known are: {', '.join(CELLS)}")
        for field in ("layers", "units"):
            value = getattr(self, field)
            if not isinstance(value, int) or value < 1:
                raise RecipeError(f"{field} is a whole number of at least 1, not {value!r}")

    def __str__(self) -> str:
        return f"{self.cell.upper()} {self.layers}×{self.units}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
