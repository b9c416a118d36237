"""Numbers along logarithmic axes: as they are spoken, and no more of them than there is room for."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, Locator, LogLocator, MaxNLocator, NullLocator
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

SIZE = 9
"""Points."""
_LETTER, _LINE, _GAP = 0.64, 1.3, 0.8  # of a digit, of a line, between two numbers at least, in em


def logarithmic(axis: Any, *, within: bool = False) -> None:
    """Ticks of a logarithmic axis at powers of ten; `within` at 2 and 5 times these, too, where there is room."""
    _spoken(axis, _Powers(within))


def placed(axis: Any, ticks: Sequence[float]) -> None:
    """Ticks where they are wanted; where there are too many, every second or third, and the first and the last."""
    _spoken(axis, _Placed(ticks))


def spoken(value: float, _: Any = None) -> str:
    """A number to three digits, not as a power of ten.

    >>> spoken(1e6), spoken(0.05), spoken(2.49)
    ('1,000,000', '0.05', '2.49')
    """
    return f"{float(f'{value:.3g}'):,.10g}"


def _spoken(axis: Axis, locator: Locator) -> None:
    axis.set_major_locator(locator)
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(spoken))


class _Powers(LogLocator):
    def __init__(self, within: bool) -> None:
        super().__init__()
        self._within = within

    def __call__(self) -> Any:
        return self.tick_values(*_view(self.axis))

    def tick_values(self, vmin: float, vmax: float) -> Any:
        low, high = sorted((vmin, vmax))
        if not 0 < low < high:
            return np.array([])
        return _first_that_fits(self.axis, self._choices(low, high))

    def _choices(self, low: float, high: float) -> Iterator[NDArray[np.float64]]:
        first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
        powers = 10.0 ** np.arange(first, last + 1)
        finer = np.multiply.outer(powers, (1, 2, 5)).ravel()
        if np.count_nonzero((finer >= low) & (finer <= high)) < 2:
            yield from (_between(np.asarray(MaxNLocator(bins).tick_values(low, high)), low, high) for bins in (5, 3, 1))
            return
        few = np.count_nonzero((powers >= low) & (powers <= high)) < 2
        if self._within or few:
            yield _between(finer, low, high)
        for step in range(1, last - first + 2):
            yield _between(10.0 ** np.arange(first - first % step, last + 1, step), low, high)


class _Placed(Locator):
    def __init__(self, ticks: Sequence[float]) -> None:
        self._ticks = np.array(ticks, np.float64)

    def __call__(self) -> Any:
        return self.tick_values(*_view(self.axis))

    def tick_values(self, vmin: float, vmax: float) -> Any:
        ticks = self._ticks
        inner = ticks[1:-1]
        return _first_that_fits(
            self.axis, (np.concatenate([ticks[:1], inner[::-1][::step][::-1], ticks[-1:]]) for step in range(1, len(inner) + 2))
        )


def _view(axis: Any) -> tuple[float, float]:
    low, high = axis.get_view_interval()
    return float(low), float(high)


def _between(ticks: NDArray[np.floating[Any]], low: float, high: float) -> NDArray[np.float64]:
    return ticks[(ticks >= low) & (ticks <= high)].astype(np.float64)


def _first_that_fits(axis: Any, choices: Iterator[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The first whose numbers keep apart, or the last that there is."""
    ticks = np.array([])
    for ticks in choices:
        if _fits(axis, ticks):
            break
    return ticks


def _fits(axis: Any, ticks: NDArray[np.float64]) -> bool:
    ends = axis.get_transform().transform(np.array(sorted(axis.get_view_interval())))
    box = Bbox.unit().transformed(axis.axes.transAxes - axis.get_figure(root=False).dpi_scale_trans)
    across = axis.axis_name == "x"
    points = 72 * (box.width if across else box.height)
    places = (axis.get_transform().transform(ticks) - ends[0]) / (ends[1] - ends[0]) * points
    sizes = np.array([len(spoken(tick)) * _LETTER if across else _LINE for tick in ticks]) * SIZE
    room = (sizes[1:] + sizes[:-1]) / 2 + (_GAP * SIZE if across else 0)
    return bool((np.diff(places) >= room).all())
