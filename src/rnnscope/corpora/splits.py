"""Split rules: which part of a text is for training, which for validation, which for the test."""

from dataclasses import asdict, dataclass
from fractions import Fraction
from math import floor
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rnnscope.exceptions import CorpusError, FormatError, UsageError, so_many

PARTS = ("train", "validation", "test")
Spans = NDArray[np.int64]


class SplitRule(Protocol):
    """Says where the segments of a part lie: rows of (start, stop), in symbols of the whole text."""

    def spans(self, part: str, symbols: int) -> Spans: ...
    def to_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class ContiguousSplit:
    """One piece each, in the order of the text: train, validation, test."""

    train: float = 0.85
    validation: float = 0.05

    def __post_init__(self) -> None:
        _check_fractions(self.train, self.validation)

    def spans(self, part: str, symbols: int) -> Spans:
        ends = [0, *_cuts(self.train, self.validation, symbols), symbols]
        at = _index(part)
        return np.array([[ends[at], ends[at + 1]]], np.int64)

    def to_json(self) -> dict[str, Any]:
        return {"rule": "contiguous", **asdict(self)}


@dataclass(frozen=True)
class StreamSplit:
    """The split of char-rnn's loader, which the paper's numbers stand on.

    The tail is dropped to a multiple of `batch` × `length`; the rest is viewed as `batch` contiguous streams, each
    cut in columns of `length`; the first columns of every stream are for training, the next for validation, the
    last for the test. So each part has `batch` segments, spread over the whole text. Source: PAPER section 1.
    """

    train: float = 0.80
    validation: float = 0.10
    batch: int = 100
    length: int = 100

    def __post_init__(self) -> None:
        _check_fractions(self.train, self.validation)
        if self.batch < 1 or self.length < 1:
            raise UsageError(f"a stream split needs a batch and a length of at least 1, not {self.batch} and {self.length}")

    def spans(self, part: str, symbols: int) -> Spans:
        columns = symbols // (self.batch * self.length)
        if columns < 3:
            raise CorpusError(
                f"the text has {so_many(symbols, 'symbols')}; {self.batch} streams in columns of {self.length} need at least "
                f"{3 * self.batch * self.length:,}; take fewer or shorter streams, or the contiguous split"
            )
        ends = [0, *_cuts(self.train, self.validation, columns), columns]
        at = _index(part)
        starts = np.arange(self.batch, dtype=np.int64) * columns * self.length
        return np.stack([starts + ends[at] * self.length, starts + ends[at + 1] * self.length], axis=1)

    def to_json(self) -> dict[str, Any]:
        return {"rule": "streams", **asdict(self)}


def split_rule(data: dict[str, Any]) -> SplitRule:
    """The rule that `to_json` described."""
    rules = {"contiguous": ContiguousSplit, "streams": StreamSplit}
    fields = dict(data)
    name = fields.pop("rule", None)
    if name not in rules:
        raise FormatError(f"no split rule is called {name!r}; known are: {', '.join(rules)}")
    try:
        return rules[name](**fields)  # type: ignore[no-any-return]
    except TypeError as error:
        raise FormatError(f"the split rule {name!r} can't be read: {error}") from error


def _index(part: str) -> int:
    if part not in PARTS:
        raise UsageError(f"no part of a corpus is called {part!r}; there are: {', '.join(PARTS)}")
    return PARTS.index(part)


def _cuts(train: float, validation: float, total: int) -> tuple[int, int]:
    # Fractions as written: floor(0.29 * 100) would be 28 in binary floating point.
    first = floor(Fraction(str(train)) * total)
    return first, first + floor(Fraction(str(validation)) * total)


def _check_fractions(train: float, validation: float) -> None:
    if not (0 < train < 1 and 0 < validation < 1 and train + validation < 1):
        raise UsageError(
            f"the shares for training and validation are above 0 and leave something for the test, not {train} and {validation}"
        )
