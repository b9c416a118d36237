"""`Architecture`: what a network is made of, before it has weights."""

from bisect import bisect_left
from dataclasses import asdict, dataclass
from typing import Any

from rnnscope.exceptions import RecipeError
from rnnscope.protocol import LONGEST

WINDOW = "window"
"""The name, in place of a cell's, of the network that has none: it sees the last `context` symbols only."""


@dataclass(frozen=True)
class Architecture:
    """A stack of equal recurrent layers over one-hot symbols, with a softmax on top; or one layer over a window of symbols.

    `cell` is `lstm`, `gru` (torch's equations), `gru-paper` (the paper's), `rnn`, or `window`: the paper's n-NN, which has no
    recurrence but sees the last `context` symbols at once. `units` is the width of every layer.

    >>> str(Architecture("lstm", 2, 128)), str(Architecture("window", units=512, context=6))
    ('LSTM 2×128', '6-NN 512')
    """

    cell: str = "lstm"
    layers: int = 1
    units: int = 256
    context: int | None = None

    def __post_init__(self) -> None:
        from rnnscope.models.cells import CELLS  # torch only when a network is described

        if not isinstance(self.cell, str) or self.cell not in (*CELLS, WINDOW):
            raise RecipeError(f"no cell is called {self.cell!r}; known are: {', '.join([*CELLS, WINDOW])}")
        for field in ("layers", "units"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise RecipeError(f"{field} is a whole number of at least 1, not {value!r}")
        if self.cell == WINDOW:
            self._check_window()
        elif self.context is not None:
            raise RecipeError(
                f"context ({self.context!r}) is how many symbols a window holds; the cell {self.cell!r} has none; leave it out"
            )

    def _check_window(self) -> None:
        if self.context is None:
            raise RecipeError("a window needs its context, how many symbols it holds; give one (--context 6)")
        if isinstance(self.context, bool) or not isinstance(self.context, int) or not 1 <= self.context <= LONGEST:
            raise RecipeError(f"context is a whole number from 1 to {LONGEST:,}, not {self.context!r}")
        if self.layers != 1:
            raise RecipeError(f"a window has 1 layer, not {self.layers}; leave the layers out, or take another cell")

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
        if cell == WINDOW:
            raise RecipeError(f"a window has no size ({size}), which compares recurrent networks; give its units")
        wanted = cls("lstm", 1, size).parameters(symbols)
        widths = range(1, 4 * size + symbols + 2)
        above = widths[bisect_left(widths, wanted, key=lambda n: cls(cell, layers, n).parameters(symbols))]
        near = [cls(cell, layers, n) for n in (max(above - 1, 1), above)]
        return min(near, key=lambda each: abs(each.parameters(symbols) - wanted))

    def parameters(self, symbols: int) -> int:
        """How many numbers the network learns with a vocabulary of that size; two bias vectors for every gate."""
        from rnnscope.models.cells import CELLS

        if self.context is not None:
            return self.units * (self.context * symbols + 1) + symbols * (self.units + 1)
        rows = CELLS[self.cell].blocks * self.units
        first, later = rows * (symbols + self.units + 2), rows * (2 * self.units + 2)
        return first + (self.layers - 1) * later + symbols * (self.units + 1)

    def __str__(self) -> str:
        if self.context is not None:
            return f"{self.context}-NN {self.units}"
        return f"{self.cell.upper()} {self.layers}×{self.units}"

    def to_json(self) -> dict[str, Any]:
        """As plain data; a context is left out where there is none."""
        return {name: value for name, value in asdict(self).items() if value is not None}
