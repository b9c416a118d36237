"""Interpolated modified Kneser-Ney as its definition reads, with dictionaries: slow, and independent of `rnnscope.ngrams`."""

from collections import Counter, defaultdict
from collections.abc import Sequence

Gram = tuple[int, ...]
START = -1


class KneserNey:
    """The model of contexts of `context` symbols of a text; PAPER section 5 says what is counted."""

    def __init__(self, text: Sequence[int], symbols: int, context: int) -> None:
        self.symbols, self.context = symbols, context
        told = (START, *text)
        self.counts: list[dict[Gram, int]] = []
        for length in range(1, context + 2):
            grams = [told[i : i + length] for i in range(len(told) - length + 1)]
            counts: dict[Gram, int] = Counter(gram for gram in grams if gram != (START,))
            if length <= context:
                lefts = defaultdict(set)
                for i in range(len(told) - length):
                    lefts[told[i + 1 : i + 1 + length]].add(told[i])
                counts = {gram: n if gram[0] == START else len(lefts[gram]) for gram, n in counts.items()}
            self.counts.append(counts)
        self.discounts = [self._discounts(list(counts.values())) for counts in self.counts]

    @staticmethod
    def _discounts(counts: list[int]) -> tuple[float, ...]:
        t = Counter(counts)
        if t[1] and t[2] and t[3]:
            y = t[1] / (t[1] + 2 * t[2])
            found = tuple(k - (k + 1) * y * t[k + 1] / t[k] for k in (1, 2, 3))
            if all(0 <= d <= k for k, d in zip((1, 2, 3), found, strict=True)):
                return (0.0, *found)
        return (0.0, 0.5, 1.0, 1.5)

    def probability(self, symbol: int, before: Sequence[int]) -> float:
        return self._probability(symbol, tuple(before)[max(len(before) - self.context, 0) :])

    def _probability(self, symbol: int, before: Gram) -> float:
        counts, discounts = self.counts[len(before)], self.discounts[len(before)]
        following = {gram[-1]: n for gram, n in counts.items() if gram[:-1] == before}
        shorter = self._probability(symbol, before[1:]) if before else 1 / self.symbols
        if not following:
            return shorter
        taken = sum(discounts[min(n, 3)] for n in following.values())
        own = following.get(symbol, 0)
        return (own - discounts[min(own, 3)] + taken * shorter) / sum(following.values())
