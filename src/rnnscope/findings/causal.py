"""Whether a network uses what a unit says: take the unit out, inside the recurrence, and see where its predictions suffer.

A unit that keeps track of quotes should be missed where quotes close, and less elsewhere, and more than other units of its layer
are. It is set to its mean at every step; so are, one after the other, some units drawn at random from the same signal.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rnnscope.analysis.hypotheses.base import Hypothesis, label
from rnnscope.analysis.labels import middle
from rnnscope.analysis.significance import RATE
from rnnscope.corpora import Corpus
from rnnscope.findings.critical import critical
from rnnscope.models import Recurrent
from rnnscope.models.interventions import ablate
from rnnscope.models.threads import computing
from rnnscope.progress import Progress, silent

READ, PIECE = 32_768, 1_024
"""Symbols that are read for each unit, in pieces that are read side by side."""
OTHERS = 19
"""Units that each is compared with."""
COLUMNS = ("loss_critical", "loss_elsewhere", "others_critical", "others_elsewhere", "p_causal", "critical")


def excerpt(corpus: Corpus) -> Corpus:
    """Of the second half of a text, on which units were not chosen, `READ` symbols in pieces that lie all over it."""
    first = middle(len(corpus))
    spans = [
        (start, min(start + PIECE, stop))
        for begin, stop in corpus.spans()
        for start in range(max(begin, first), stop, PIECE)
        if stop > first
    ]
    taken = np.unique(np.linspace(0, len(spans) - 1, min(len(spans), READ // PIECE)).astype(np.int64))
    return corpus.pieces(np.array(spans, np.int64)[taken])


def causal(
    model: Recurrent,
    corpus: Corpus,
    best: pd.DataFrame,
    hypotheses: Sequence[Hypothesis],
    *,
    seed: int = 0,
    progress: Progress = silent,
) -> pd.DataFrame:
    """For each row of a table of best units (`hypothesis`, `signal`, `unit`) what the network loses without the unit.

    In nats per symbol: `loss_critical` where the claim says that it should hurt (`Hypothesis.critical`: where a quote closes, a
    line ends), at `critical` symbols, and `loss_elsewhere`; `others_critical` and `others_elsewhere` the means without each of
    19 other units of the same signal. `p_causal` is how many of these hurt as much at the critical symbols, the unit itself among
    them: 0.05 at the least. Columns are NaN where the text has no critical symbol. The index is that of `best`.
    """
    text = excerpt(corpus)
    known = {h.name: h for h in hypotheses}
    masks = {name: _critical(known[name], text, model) for name in best["hypothesis"]}
    signals = list(dict.fromkeys(best["signal"]))
    losses = _Losses(model, text, signals)
    others = {s: _drawn(model, s, set(best["unit"][best["signal"] == s]), seed) for s in signals}
    wanted = [(s, u) for s in signals for u in [*others[s], *dict.fromkeys(best["unit"][best["signal"] == s])]]
    for k, (s, u) in enumerate(wanted):
        losses.without(s, u)
        progress(k + 1, len(wanted))
    rows = []
    for _, row in best.iterrows():
        mask = masks[row["hypothesis"]]
        mine = losses.rise(row["signal"], int(row["unit"]), mask)
        rest = np.array([losses.rise(row["signal"], u, mask) for u in others[row["signal"]]]).reshape(-1, 2)
        p = (1 + (rest[:, 0] >= mine[0]).sum()) / (1 + len(rest)) if mask.any() else np.nan
        rows.append((*mine, *(rest.mean(0) if len(rest) else (np.nan, np.nan)), p, int(mask.sum())))
    return pd.DataFrame(rows, columns=list(COLUMNS), index=best.index, dtype=float)


def needed(best: pd.DataFrame) -> "pd.Series[str]":
    """What taking each unit out says, for a table with the columns of `causal`.

    `yes`: the loss rises more where it should than elsewhere, and without none of 19 other units as much. `no`: it
    rises no more there than elsewhere, or falls. `unclear`: it rises more, but without another unit as much, or there are fewer
    than 19 others. Empty where it was not tested.
    """
    found = pd.Series("", index=best.index)
    if "loss_critical" not in best:
        return found
    there = best["loss_critical"]
    more = there > best["loss_elsewhere"].clip(lower=0).fillna(0)
    found[there.notna()] = "no"
    found[more] = "unclear"
    found[more & (best["p_causal"] <= RATE)] = "yes"
    return found


class _Losses:
    """−log p of what came next at every symbol, with the network as it is and without units."""

    def __init__(self, model: Recurrent, text: Corpus, signals: Sequence[str]) -> None:
        self.model, self.text = model, text
        self._sums = {signal: np.zeros(()) for signal in signals}
        self.intact = self._read(model, signals)
        self._known: dict[tuple[str, int], NDArray[np.float64]] = {}

    def without(self, signal: str, unit: int) -> NDArray[np.float64]:
        if (signal, unit) not in self._known:
            mean = float(self._sums[signal][unit] / len(self.text))  # as `ablate` to "mean" finds it, by reading the text each time
            self._known[signal, unit] = self._read(ablate(self.model, {signal: [unit]}, to=mean)) - self.intact
        return self._known[signal, unit]

    def rise(self, signal: str, unit: int, mask: NDArray[np.bool_]) -> tuple[float, float]:
        """By how much the loss rises without a unit, at the masked symbols and at the others."""
        change = self.without(signal, unit)
        there = ~np.isnan(change)
        return _mean(change[mask & there]), _mean(change[~mask & there])

    def _read(self, model: Recurrent, signals: Sequence[str] = ()) -> NDArray[np.float64]:
        found = np.empty(len(self.text))
        with computing():
            for block in model.read(self.text, ["log_prob", *signals]):
                found[block.start : block.stop] = -block.arrays["log_prob"]
                for signal in signals:
                    self._sums[signal] = self._sums[signal] + block.arrays[signal].sum(0, dtype=np.float64)
        return found


def _critical(hypothesis: Hypothesis, text: Corpus, model: Recurrent) -> NDArray[np.bool_]:
    values = label([hypothesis], text, _Predictions(model, text) if hypothesis.signals else None)[hypothesis.name]
    return critical(hypothesis, text, values)


class _Predictions:
    """What a model's predictions are on a text, by the signal's name."""

    def __init__(self, model: Recurrent, text: Corpus) -> None:
        self._model, self._text = model, text

    def __contains__(self, name: object) -> bool:
        return any(s.name == name for s in self._model.signals)

    def __getitem__(self, name: str) -> NDArray[Any]:
        found = np.empty(len(self._text))
        with computing():
            for block in self._model.read(self._text, [name]):
                found[block.start : block.stop] = block.arrays[name]
        return found


def _drawn(model: Recurrent, signal: str, taken: set[int], seed: int) -> list[int]:
    size = next(s.size for s in model.signals if s.name == signal)
    free = np.array([u for u in range(size) if u not in taken], np.int64)
    drawn: list[int] = np.random.default_rng(seed).permutation(free)[:OTHERS].tolist()
    return drawn


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")
