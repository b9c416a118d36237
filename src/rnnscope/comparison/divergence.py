"""How far the predictions of models lie from those of others: the symmetric Kullback-Leibler divergence over one text.

Of two distributions p and q of the next symbol it is Σ (p − q)(log p − log q) = D(p‖q) + D(q‖p), not halved, in nats; what is told
is its mean over the text. Multiplied out, it is Σ p log p + Σ q log q − Σ p log q − Σ q log p: what one model says of a stretch of
text is a vector, and the last two sums, for all pairs of models at once, are products of matrices. All models walk through the text
together, and nothing that they said is kept. Source: PAPER section 6.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from rnnscope.comparison.readings import check_models
from rnnscope.corpora import Corpus
from rnnscope.exceptions import UsageError, expect, so_many
from rnnscope.models.passages import MARK
from rnnscope.models.threads import computing
from rnnscope.ngrams import NGramLM
from rnnscope.progress import Progress, silent
from rnnscope.protocol import LanguageModel

COLUMNS = ("model", "reference", "symbols", "kl", "nats", "difference")
_ROOM = 2**26  # log-probabilities that are held at once

LogProbs = NDArray[np.float32]
Floats = NDArray[np.float64]


def divergences(
    models: Mapping[str, LanguageModel], references: Mapping[str, LanguageModel], corpus: Corpus, *, progress: Progress = silent
) -> pd.DataFrame:
    """Every model against every reference on a text, each segment read from a fresh state.

    A row for each pair: `model`, `reference`, `symbols` (predicted), `kl` (nats per symbol, see above), `nats` (the model's loss
    per symbol), `difference` (that loss less the reference's). Where one gives no probability at all to what the other holds for
    possible, the divergence is infinite; a difference of two infinite losses is NaN. Memory grows with the number of models, not
    with the text.

    Raises `UsageError` for models that can't read the text, for no models, and for a text with nothing to predict.

    >>> import rnnscope as rs
    >>> text = rs.Corpus.from_text("the cat sat on the mat, the rat sat on the cat. " * 20)
    >>> ngram = rs.NGramLM.fit(text.split("train"), context=5)
    >>> shorter = {f"{n}-gram": ngram.shorter(n) for n in (0, 2, 5)}
    >>> rs.divergences({"4-gram": ngram.shorter(4)}, shorter, text.split("test"))["kl"].round(1).tolist()
    [5.4, 0.3, 0.0]
    """
    check_references(references)
    check_models(models, corpus)
    check_models(references, corpus)
    if not (corpus.next_ids() >= 0).any():
        raise UsageError(f"{corpus!r} has nothing to predict: no symbol in it has a successor; give at least 2 symbols")
    sums = _Sums(len(models), len(references), len(corpus.vocabulary))
    done = 0
    with computing(), threadpool_limits(1, "blas"):
        for part in _parts(corpus, len(models), len(references)):
            followers, leaders = _together(references, part), [_Reader(name, _alone(m, part)) for name, m in models.items()]
            for start, stop in leaders[0].ahead():
                following = part.next_ids(np.arange(start, stop))
                said = np.concatenate([reader.at(start, stop) for reader in leaders])
                others = np.empty((len(references), *said.shape[1:]), np.float32)
                for rows, reader in followers:
                    others[rows] = reader.at(start, stop)
                sums.add(said, others, following)
                done += stop - start
                progress(done, len(corpus))
    return sums.table(list(models), list(references))


def check_references(references: object) -> None:
    """Raises `UsageError` for what are no models by their names, or none at all."""
    expect(references, Mapping, "models to compare with by their names, such as {'3-gram': ngram.shorter(3)}")
    if not references:
        raise UsageError("there is no reference; expected at least one model to compare with, such as {'3-gram': ngram.shorter(3)}")


class _Sums:
    """Over the text, in float64, for (models,), (references,) and (models, references)."""

    def __init__(self, models: int, references: int, symbols: int) -> None:
        self.vocabulary, self.symbols = symbols, 0
        self.own, self.others = np.zeros(models), np.zeros(references)  # Σ p log p
        self.loss, self.their_loss = np.zeros(models), np.zeros(references)
        self.cross = np.zeros((models, references))  # Σ p log q + Σ q log p
        self.apart = np.zeros((models, references), np.bool_)  # one rules out what the other doesn't

    def add(self, said: LogProbs, others: LogProbs, following: NDArray[np.int64]) -> None:
        """Log-probabilities (models, places, symbols), (references, places, symbols); what came next, −1 where nobody knows."""
        known = np.flatnonzero(following >= 0)
        self.symbols += len(known)
        p, log_p, ruled_out = _flat(said[:, known])
        q, log_q, ruled_out_too = _flat(others[:, known])
        self.own += np.einsum("mi,mi->m", p, log_p)
        self.others += np.einsum("mi,mi->m", q, log_q)
        self.cross += p @ log_q.T + log_p @ q.T
        self.loss -= said[:, known, following[known]].sum(1, dtype=np.float64)
        self.their_loss -= others[:, known, following[known]].sum(1, dtype=np.float64)
        if ruled_out.any() or ruled_out_too.any():
            for k, impossible in enumerate(ruled_out):
                self.apart[k] |= (impossible != ruled_out_too).any(1)

    def table(self, models: Sequence[str], references: Sequence[str]) -> pd.DataFrame:
        for names, values in ((models, self.own), (references, self.others)):
            for name, value in zip(names, values.tolist(), strict=True):
                if np.isnan(value):
                    raise UsageError(f"{name} gives probabilities that are no numbers; expected logarithms of at most 0; check it")
        divergence = np.maximum(self.own[:, None] + self.others - self.cross, 0) / self.symbols  # rounding can be below 0
        divergence[self.apart] = np.inf
        loss, other = self.loss / self.symbols, self.their_loss / self.symbols
        with np.errstate(invalid="ignore"):
            difference = loss[:, None] - other
        rows = [
            (model, reference, self.symbols, divergence[i, j], loss[i], difference[i, j])
            for i, model in enumerate(models)
            for j, reference in enumerate(references)
        ]
        return pd.DataFrame(rows, columns=list(COLUMNS))


def _flat(log_probs: LogProbs) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """p, log p with 0 where p is 0, and where that is so, each (models, places · symbols)."""
    logs = log_probs.reshape(len(log_probs), -1).astype(np.float64)
    impossible = np.isneginf(logs)
    p = np.exp(logs)
    if impossible.any():
        logs[impossible] = 0.0
    return p, logs, impossible


def _parts(corpus: Corpus, models: int, references: int) -> Iterator[Corpus]:
    """The text in parts of whole segments, of which as many are read side by side as there is room for what is said of them.

    A network is a passage of each segment ahead; n-grams, which read one segment after the other, can be all of them ahead. A long
    segment is no burden: all read it in its own order.
    """
    lengths = np.diff(corpus.bounds)
    taken = len(corpus.vocabulary) * (models * np.minimum(lengths, MARK) + references * lengths)
    spans = np.stack([corpus.bounds[:-1], corpus.bounds[1:]], axis=1)
    first, room = 0, 0
    for k in range(corpus.segments):
        room += int(taken[k])
        last = k + 1 == corpus.segments
        if last or room + int(taken[k + 1]) > _ROOM:
            yield corpus if last and first == 0 else corpus.pieces(spans[first : k + 1])
            first, room = k + 1, 0


def _alone(model: LanguageModel, corpus: Corpus) -> Iterator[tuple[int, LogProbs]]:
    for block in model.read(corpus, ["log_probs"]):
        yield block.start, block.arrays["log_probs"][None]


def _together(references: Mapping[str, LanguageModel], corpus: Corpus) -> list[tuple[list[int], "_Reader"]]:
    """Readers of all references, with the rows that each fills; n-grams of the same counts are looked up at once."""
    counted: dict[int, list[int]] = {}
    found, all_ = [], list(references.items())
    for row, (name, model) in enumerate(all_):
        if type(model) is NGramLM:
            counted.setdefault(id(model.tree), []).append(row)
        else:
            found.append(([row], _Reader(name, _alone(model, corpus))))
    for rows in counted.values():
        ngrams: list[Any] = [all_[row][1] for row in rows]
        deepest = ngrams[0].shorter(ngrams[0].tree.depth)
        found.append((rows, _Reader(all_[rows[0]][0], deepest.log_probs(corpus, [ngram.context for ngram in ngrams]))))
    return found


class _Reader:
    """What models say of a text, at the stretches that are asked for; what they said elsewhere before that is held."""

    def __init__(self, name: str, blocks: Iterator[tuple[int, LogProbs]]) -> None:
        self.name, self._blocks = name, blocks
        self._held: list[tuple[int, LogProbs]] = []

    def ahead(self) -> Iterator[tuple[int, int]]:
        """The stretches in the order in which this one comes to them."""
        for start, said in self._blocks:
            self._held.append((start, said))
            yield start, start + said.shape[1]

    def at(self, start: int, stop: int) -> LogProbs:
        """Of the places from `start` to before `stop`, (models, places, symbols); each can be had once."""
        found: LogProbs | None = None
        missing = stop - start
        while missing:
            held, self._held = self._held, []
            for first, said in held:
                low, high = max(start, first), min(stop, first + said.shape[1])
                if low >= high:
                    self._held.append((first, said))
                    continue
                if found is None:
                    found = np.empty((len(said), stop - start, said.shape[2]), np.float32)
                found[:, low - start : high - start] = said[:, low - first : high - first]
                missing -= high - low
                if first < low:
                    self._held.append((first, said[:, : low - first]))
                if high < first + said.shape[1]:
                    self._held.append((high, said[:, high - first :]))
            if missing:
                block = next(self._blocks, None)
                if block is None:
                    raise UsageError(
                        f"{self.name} said nothing of {so_many(missing, 'symbols')} from position {start:,} on; expected a "
                        "language model that reads all of a text; rnnscope.testing.check_language_model says what is wrong with it"
                    )
                self._held.append(block)
        assert found is not None  # a stretch has at least one place
        return found
