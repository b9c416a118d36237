"""`NGramLM`: n-grams of every order as a language model."""

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rnnscope.corpora import Corpus, Vocabulary
from rnnscope.exceptions import CorpusError, UsageError, expect, so_many
from rnnscope.files import fingerprint
from rnnscope.ngrams.growth import grow
from rnnscope.ngrams.index import read_index, write_index
from rnnscope.ngrams.kneser_ney import KneserNey, logarithm
from rnnscope.ngrams.recomputation import Recomputation
from rnnscope.ngrams.tree import ContextTree, Ints
from rnnscope.predictions import find, from_log_probs, predictions
from rnnscope.progress import Progress, silent
from rnnscope.protocol import LONGEST, Block, Listener, check_readable
from rnnscope.signal import Signal

_PLACES = 2**16  # that are looked up in the tree together
_LOCI = 2**22  # in the tree that are held at once
_NEIGHBOURS = 2**18  # probabilities that are worked out together: they stay in the cache
_ROOM = 2**22  # probabilities that are given at once

Contexts = Sequence[int]


class NGramLM:
    """Interpolated modified Kneser-Ney over contexts of `context` symbols: an (n + 1)-gram model for a context of n.

    It holds the counts of all shorter contexts, too: `shorter(n)` is the model of contexts of n symbols, and `log_prob` gives
    several at once. See `kneser_ney` for what is computed.

    >>> model = NGramLM.fit(Corpus.from_text("abracadabra abracadabra"), context=3)
    >>> model, model.match_length(Corpus.from_text("cabra", vocabulary=model.vocabulary)).tolist()
    (<NGramLM 3-gram of 23 symbols>, [1, 2, 2, 3, 3])
    """

    def __init__(self, tree: ContextTree, vocabulary: Vocabulary, *, context: int | None = None, name: str | None = None) -> None:
        self.tree = tree
        self.vocabulary = vocabulary
        self.context = tree.depth if context is None else context
        self.name = name or f"{self.context}-gram"
        self.origin: dict[str, Any] | None = None
        """Where it can be loaded from again, as in `Recurrent.origin`."""
        self._smoothing = KneserNey(tree)

    @classmethod
    def fit(cls, corpus: Corpus, context: int = 20, *, progress: Progress = silent) -> "NGramLM":
        """Count a corpus: give it the part to learn from, `corpus.split("train")`. Its segments are joined as they lie.

        `context` is the largest number of symbols that a prediction depends on, as in the paper's Table 2, where a 20-gram has
        contexts of 20 symbols. Takes time as n log n in the length of the text, and some 70 bytes of memory a symbol.
        """
        expect(corpus, Corpus, "a Corpus; rs.Corpus.from_file(path) reads one")
        if not len(corpus):
            raise CorpusError(f"{corpus!r} holds nothing to count; expected at least one symbol")
        ids, symbols = np.ascontiguousarray(corpus.ids), len(corpus.vocabulary)
        return cls(grow(ids, symbols, _checked(context, LONGEST), progress), corpus.vocabulary)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} of {so_many(len(self.tree.ids), 'symbols')}>"

    def shorter(self, context: int) -> "NGramLM":
        """The model of contexts of `context` symbols, from the same counts, which it holds all of: of a shorter one a longer one
        can be had again."""
        other = copy(self)
        other.context = _checked(context, self.tree.depth)
        other.name = f"{other.context}-gram"
        other.__dict__.pop("fingerprint", None)
        if self.origin is not None:
            other.origin = {**self.origin, "options": {"context": other.context}}
        return other

    @property
    def signals(self) -> list[Signal]:
        length = Signal(
            "match_length", 0, "symbols of the longest context that the training text holds", 0.0, self.context, integer=True
        )
        return [length, *predictions(len(self.vocabulary), f"log p after {self.context} symbols, interpolated Kneser-Ney, nats")]

    @cached_property
    def fingerprint(self) -> str:
        """Of the text that was counted, and how far back."""
        ids = np.ascontiguousarray(self.tree.ids)
        return fingerprint("n-gram", self.vocabulary.fingerprint, self.context, str(ids.dtype), ids.data.cast("B"))

    def find(self, patterns: str | Iterable[str]) -> list[Signal]:
        """The signals that match; see `predictions.find`."""
        return find(self.signals, patterns, len(self.vocabulary))

    def read(self, corpus: Corpus, signals: Sequence[str], *, block: int = 256) -> Iterator[Block]:
        """See `LanguageModel.read`. A segment begins without any context."""
        if block < 1:
            raise UsageError(f"a block holds at least 1 symbol, not {block}")
        check_readable(self, corpus)
        names = [s.name for s in self.find(signals)]
        for stretch in self._stretches(len(corpus), 1 if _whole(names) else 0):
            places = np.arange(stretch.start, stretch.stop)
            arrays = self._look_up_signals(corpus, places, names)
            cuts = corpus.bounds[(corpus.bounds > stretch.start) & (corpus.bounds < stretch.stop)].tolist()
            for start, end in zip([stretch.start, *cuts], [*cuts, stretch.stop], strict=True):
                for at in range(start, end, block):
                    piece = slice(at - stretch.start, min(at + block, end) - stretch.start)
                    yield Block(at, {name: value[piece] for name, value in arrays.items()})

    def at(self, corpus: Corpus, positions: Ints, signals: Sequence[str]) -> dict[str, NDArray[Any]]:
        """Signals at some positions of a corpus, in any order, each (positions, units) or (positions,)."""
        check_readable(self, corpus)
        if len(positions) and not 0 <= positions.min() <= positions.max() < len(corpus):
            raise UsageError(f"positions run from {positions.min()} to {positions.max()}; expected 0 to {len(corpus) - 1:,}")
        names = [s.name for s in self.find(signals)]
        stretches = list(self._stretches(len(positions), 1 if _whole(names) else 0)) or [slice(0, 0)]
        parts = [self._look_up_signals(corpus, positions[stretch], names) for stretch in stretches]
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    def _look_up_signals(self, corpus: Corpus, places: Ints, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        following = corpus.next_ids(places)
        order, loci, reached = self._look_up(corpus, places, self.context)
        back = np.argsort(order)
        found: dict[str, NDArray[Any]] = {"match_length": reached[back].astype(np.int32)}
        if _whole(names):
            log_probs = np.empty((len(places), len(self.vocabulary)), np.float32)
            for part in self._neighbours(len(places)):
                self._smoothing.distributions(loci[:, part], reached[part], [self.context], log_probs[None], order[part])
            found |= from_log_probs(log_probs, names, following)
        elif "log_prob" in names:
            p = self._smoothing.probabilities(loci, reached, np.maximum(following, 0)[order], [self.context])[0][back]
            found["log_prob"] = np.where(following < 0, np.nan, logarithm(p)).astype(np.float32)
        return {name: found[name] for name in names}

    def recomputation(self, corpus: Corpus, streams: int, states: object, dtypes: object) -> Recomputation:
        """What gives any window of any signal of a recorded text; see `traces.Recomputable`. There is no state to begin from."""
        return Recomputation(self, corpus)

    def log_prob(self, corpus: Corpus, contexts: Contexts, *, progress: Progress = silent) -> NDArray[np.float32]:
        """log p of the symbol that really came next by models of several contexts: (contexts, symbols of the corpus), nats.

        NaN where nobody knows what came next. All of them take little more time than the longest alone.
        """
        wanted = self._known_contexts(contexts)
        chosen = sorted(set(wanted))
        check_readable(self, corpus)
        found = np.empty((len(chosen), len(corpus)), np.float32)
        for stretch in self._stretches(len(corpus), 0):
            places = np.arange(stretch.start, stretch.stop)
            following = corpus.next_ids(places)
            order, loci, reached = self._look_up(corpus, places, chosen[-1])
            p = self._smoothing.probabilities(loci, reached, np.maximum(following, 0)[order], chosen)
            found[:, places[order]] = np.where(following[order] < 0, np.nan, logarithm(p))
            progress(stretch.stop, len(corpus))
        return found[[chosen.index(n) for n in wanted]]

    def log_probs(self, corpus: Corpus, contexts: Contexts) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """log p of every symbol by models of several contexts, a stretch at a time, in order.

        Yields the position of its first symbol and an array (contexts, symbols of the stretch, symbols of the vocabulary), nats.
        """
        wanted = self._known_contexts(contexts)
        chosen = sorted(set(wanted))
        check_readable(self, corpus)
        for stretch in self._stretches(len(corpus), len(chosen)):
            places = np.arange(stretch.start, stretch.stop)
            order, loci, reached = self._look_up(corpus, places, chosen[-1])
            found = np.empty((len(chosen), len(places), len(self.vocabulary)), np.float32)
            for part in self._neighbours(len(places)):
                self._smoothing.distributions(loci[:, part], reached[part], chosen, found, order[part])
            yield stretch.start, found if chosen == wanted else found[[chosen.index(n) for n in wanted]]

    def match_length(self, corpus: Corpus) -> NDArray[np.int32]:
        """How many of the last symbols, up to `context`, the training text holds with a symbol after them: (symbols,)."""
        return np.asarray(self.at(corpus, np.arange(len(corpus)), ["match_length"])["match_length"])

    def after(self, text: str | bytes | ArrayLike, context: int | None = None) -> NDArray[np.float64]:
        """log p of every symbol after a text, (symbols,), nats; by at most `context` symbols of it. For a page that asks live."""
        context = self.context if context is None else _checked(context, self.tree.depth)
        ids = self._numbers(text)
        ids = ids[len(ids) - min(context, len(ids)) :]
        loci, reached = self.tree.walk(ids, np.array([len(ids) - 1]), np.array([len(ids)]), context)
        found = np.empty((1, 1, len(self.vocabulary)), np.float64)
        self._smoothing.distributions(loci, reached, [context], found, np.zeros(1, np.int64))
        log_probs: NDArray[np.float64] = found[0, 0]
        return log_probs

    def _numbers(self, text: str | bytes | ArrayLike) -> NDArray[Any]:
        if isinstance(text, str | bytes):
            return self.vocabulary.encode(text)
        ids, symbols = np.asarray(text), len(self.vocabulary)
        if not ids.size:
            ids = ids.astype(np.int64)  # an empty list would be one of floats
        if ids.ndim != 1 or ids.dtype.kind not in "iu" or ((ids < 0) | (ids >= symbols)).any():
            raise UsageError(
                f"{' '.join(repr(text).split()):.60} is no text; expected one, or symbol numbers from 0 to {symbols - 1:,}, (time,)"
            )
        return ids

    def listen(self) -> Listener:
        """Begin a text that it will be told piece by piece."""
        heard = np.empty(0, np.int64)

        def tell(ids: NDArray[np.int64]) -> NDArray[np.float64]:
            nonlocal heard
            heard = np.concatenate([heard, ids])
            heard = heard[len(heard) - min(self.context, len(heard)) :]
            return self.after(heard)

        return tell

    def save(self, path: str | Path) -> None:
        """Write the counts of all lengths to a folder, which `open` maps into memory.

        Raises `OccupiedError` if something else is there.
        """
        write_index(Path(path), self.tree, self.vocabulary)
        self.origin = {"loader": "ngram", "path": str(Path(path).absolute()), "options": {"context": self.context}}

    @classmethod
    def open(cls, path: str | Path, context: int | None = None) -> "NGramLM":
        """The counts that `save` wrote, read from the disk as they are needed. Raises `FormatError` for another folder."""
        tree, vocabulary = read_index(Path(path))
        model = cls(tree, vocabulary)
        model.origin = {"loader": "ngram", "path": str(Path(path).absolute()), "options": {"context": model.context}}
        return model if context is None else model.shorter(context)

    def _stretches(self, places: int, distributions: int) -> Iterator[slice]:
        """Places that are looked up together, when so many whole distributions are wanted at each."""
        size = min(_PLACES, _LOCI // (self.tree.depth + 1))
        if distributions:
            size = max(1, min(size, _ROOM // (len(self.vocabulary) * distributions)))
        return (slice(start, min(start + size, places)) for start in range(0, places, size))

    def _neighbours(self, places: int) -> Iterator[slice]:
        size = max(16, _NEIGHBOURS // len(self.vocabulary))
        return (slice(start, start + size) for start in range(0, places, size))

    def _look_up(self, corpus: Corpus, places: Ints, deepest: int) -> tuple[Ints, NDArray[Any], Ints]:
        """Walk down the tree at some places: an order in which contexts are neighbours, and loci and lengths in that order."""
        bits = int(len(self.vocabulary) - 1).bit_length() or 1
        nearby = np.zeros(len(places), np.int64)
        for back in range(63 // bits):
            nearby = (nearby << bits) | corpus.ids[np.maximum(places - back, 0)]
        order = np.argsort(nearby)
        at = places[order]
        heard = at + 1 - corpus.bounds[np.searchsorted(corpus.bounds, at, side="right") - 1]
        return order, *self.tree.walk(corpus.ids, at, heard, deepest)

    def _known_contexts(self, contexts: Contexts) -> list[int]:
        expect(contexts, Sequence | range | np.ndarray, "several lengths of context, such as [1, 2, 20]")
        if not len(contexts):
            raise UsageError("no context is named; expected at least one length, such as 5")
        return [_checked(each, self.tree.depth) for each in contexts]


def _whole(names: Sequence[str]) -> bool:
    """Whether whole distributions are needed for these signals."""
    return any(name not in ("match_length", "log_prob") for name in names)


def _checked(context: Any, longest: int) -> int:
    if isinstance(context, bool) or not isinstance(context, int | np.integer) or not 0 <= context <= longest:
        raise UsageError(f"a context is a whole number of symbols from 0 to {longest:,}, not {context!r}")
    return int(context)
