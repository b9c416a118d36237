"""`Architecture`: what a network is made of, before it has weights."""

from bisect import bisect_left
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

        if not isinstance(self.cell, str) or self.cell not in CELLS:
            raise RecipeError(f"no cell is called {self.cell!r}; known are: {', '.join(CELLS)}")
        for field in ("layers", "units"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise RecipeError(f"{field} is a whole number of at least 1, not {value!r}")

    @classmethod
    def matched(cls, cell: str, layers: int, size: int, symbols: int) -> "Architecture":
        """The network of that cell and depth whose parameter count is nearest to a 1-layer LSTM's of width `size`.

        `symbols` is the size of the vocabulary, which the counts depend on. So the paper's models of one row are
        comparable. Source: PAPER section 2.

        >>> Architecture.matched("lstm", 2, 128, symbols=87).units, Architecture.matched("gru-paper", 3, 512, symbols=101).units
        (84, 282)
        """
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise RecipeError(f"the size is the width of a 1-layer LSTM, a whole number of at least 1, not {size!r}")
        wanted = cls("lstm", 1, size).parameters(symbols)
        widths = range(1, 4 * size + symbols + 2)
        above = widths[bisect_left(widths, wanted, key=lambda n: cls(cell, layers, n).parameters(symbols))]
        near = [cls(cell, layers, n) for n in (max(above - 1, 1), above)]
        return min(near, key=lambda each: abs(each.parameters(symbols) - wanted))

    def parameters(self, symbols: int) -> int:
        """How many numbers the network learns with a vocabulary of that size; two bias vectors for every gate."""
        from rnnscope.models.cells import CELLS

        rows = CELLS[self.cell].blocks * self.units
        first, later = rows * (symbols + self.units + 2), rows * (2 * self.units + 2)
        return first + (self.layers - 1) * later + symbols * (self.units + 1)

    def __str__(self) -> str:
        return f"{self.cell.upper()} {self.layers}×{self.units}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
