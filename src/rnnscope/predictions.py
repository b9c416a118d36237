"""What every language model says about the next symbol: the signals that all of them have, and what follows from those."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnscope.exceptions import UsageError, so_many
from rnnscope.signal import Signal, select

TOP = re.compile(r"top([1-9]\d*)(?:/(ids|log_probs|\*))?")


def predictions(symbols: int, equation: str = "log softmax(W_y h + b_y), nats") -> list[Signal]:
    """The signals that every model ends with; `equation` is that of `log_probs`."""
    return [
        Signal("log_prob", 0, "log p(the symbol that really came next), nats; NaN where nobody knows it", None, 0.0),
        Signal("entropy", 0, "−Σ p log p over the next symbol, nats", 0.0, None),
        Signal("log_probs", symbols, equation, None, 0.0),
    ]


def top(pattern: str, symbols: int) -> list[Signal]:
    """The signals that `top5`, `top5/ids` or `top5/log_probs` stands for, likeliest first; none for another pattern."""
    match = TOP.fullmatch(pattern)
    if not match:
        return []
    n = int(match[1])
    if n > symbols:
        raise UsageError(f"{pattern} asks for the {n} likeliest of {so_many(symbols, 'symbols')}; expected at most {symbols}")
    both = [
        Signal(f"top{n}/ids", n, f"the {n} likeliest next symbols, likeliest first", 0.0, symbols - 1.0, integer=True),
        Signal(f"top{n}/log_probs", n, "their log p, nats", None, 0.0),
    ]
    return both if match[2] in (None, "*") else [signal for signal in both if signal.kind == match[2]]


def find(signals: Sequence[Signal], patterns: str | Iterable[str], symbols: int) -> list[Signal]:
    """The signals that match; see `signal.select`. Beside those of a model there is `top5`: the five likeliest next
    symbols, as `top5/ids` and `top5/log_probs`, with any number up to the size of the vocabulary."""
    patterns = [patterns] if isinstance(patterns, str) else list(patterns)
    likeliest = [signal for pattern in patterns for signal in top(pattern, symbols)]
    named = [pattern for pattern in patterns if not top(pattern, symbols)]
    return [*(select(signals, named) if named else []), *dict.fromkeys(likeliest)]


def is_prediction(name: str) -> bool:
    """Whether a signal follows from the probabilities of the next symbol."""
    return name in ("log_prob", "entropy", "log_probs") or bool(TOP.fullmatch(name))


def from_log_probs(log_probs: NDArray[np.float32], names: Sequence[str], following: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """The named predictions from log p of every symbol, (places, symbols); `following` is what came next, −1 where nobody knows."""
    found: dict[str, NDArray[Any]] = {}
    for name in names:
        if name == "log_probs":
            found[name] = log_probs
        elif name == "log_prob":
            chosen = log_probs[np.arange(len(following)), np.maximum(following, 0)]
            found[name] = np.where(following < 0, np.float32(np.nan), chosen)
        elif name == "entropy":
            found[name] = -(np.exp(log_probs) * np.maximum(log_probs, np.finfo(np.float32).min)).sum(1) + 0.0  # not −0
    for n in {int(match[1]) for match in map(TOP.fullmatch, names) if match}:
        ids = np.argsort(-log_probs, axis=1, kind="stable")[:, :n].astype(np.int32)
        both = {f"top{n}/ids": ids, f"top{n}/log_probs": np.take_along_axis(log_probs, ids.astype(np.int64), 1)}
        found |= {name: value for name, value in both.items() if name in names}
    return found
