"""A text's `ContextTree`, from the deepest nodes to the root.

Contexts lie in order, and between two neighbours stands how many symbols they share. From the largest such number down to 0,
neighbours that share exactly so many become one node, which takes their place; its followers are theirs, added up. Each string
is touched when it is joined and at no other time, and counts of counts are taken on the way.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnscope.ngrams.contexts import changes, sorted_contexts
from rnnscope.ngrams.tree import ContextTree, Ints, Symbols
from rnnscope.progress import Progress, silent

_COUNTED = 4
"""Counts of counts that discounts are made of: strings that occur once, twice, three and four times."""


def grow(ids: Symbols, symbols: int, depth: int, progress: Progress = silent) -> ContextTree:
    """The tree of the contexts of up to `depth` symbols that the text `ids`, (text,), holds; each symbol is below `symbols`."""
    growth, total = _Growth(ids, symbols, depth), len(ids)
    progress(0, total, "sorting")
    order, shared = sorted_contexts(ids, symbols, depth)
    places, shares = ~order, shared.astype(np.int16)  # a context that occurs once is the complement of its position
    shares[0] = -1
    del order, shared
    occurring = np.flatnonzero(np.bincount(shares[1:], minlength=1))
    for level in occurring[occurring > 0][::-1].tolist():
        progress(total // 2 + (depth - level) * total // (2 * depth), total, f"counting contexts of {level}")
        places, shares = growth.join(places, shares, level)
    shares[1:] = 0
    growth.join(places, shares, 0)
    progress(total, total)
    return growth.tree()


class _Growth:
    def __init__(self, ids: Symbols, symbols: int, depth: int) -> None:
        self.ids, self.symbols, self.depth = ids, symbols, depth
        large = np.int64 if 4 * len(ids) >= 2**31 else np.int32
        self.depths, self.rows = _Column(np.uint16), _Column(large)
        self.child_sizes, self.child_symbols, self.children = (
            _Column(np.uint32),
            _Column(np.min_scalar_type(symbols)),
            _Column(large),
        )
        self.pair_starts = _Column(np.int64, [0])
        self.pair_symbols = _Column(np.min_scalar_type(max(symbols - 1, 0)))
        self.pair_counts, self.pair_continuations = _Column(np.uint32), _Column(np.uint32)
        # How many strings more, or fewer, than at the depth before occur 1, 2, 3, 4 times; past the depth nobody looks
        self.repeats = np.zeros((depth + 2, _COUNTED), np.int64)
        self.continuation_repeats = np.zeros((depth + 2, _COUNTED), np.int64)

    def join(self, places: NDArray[Any], shares: NDArray[np.int16], level: int) -> tuple[NDArray[Any], NDArray[np.int16]]:
        """Make nodes of all neighbours that share `level` symbols and no more; what is left, and what it shares."""
        joined = shares == level
        begins = ~joined & np.append(joined[1:], False)
        if level == 0:
            begins[0] = True  # the root, even of a single context
        member = joined | begins
        members, begin = places[member], begins[member]
        if not len(members):
            return places, shares
        group = np.cumsum(begin) - 1
        first = len(self.depths.held)
        rows = np.where(members < 0, ~members, self.rows.held[np.maximum(members, 0)] if first else 0).astype(np.int64)
        self._gather(members, group, rows, level)
        firsts = np.flatnonzero(begin)
        self.depths.extend(np.full(len(firsts), level))
        self.rows.extend(np.minimum.reduceat(rows, firsts))
        if level < self.depth:
            before = rows - 1 - level
            self.child_symbols.extend(np.where(before < 0, 0, self.ids[np.maximum(before, 0)].astype(np.int64) + 1))
            self.children.extend(members)
            self.child_sizes.extend(np.diff(np.append(firsts, len(members))))
        else:
            self.child_sizes.extend(np.zeros(len(firsts), np.int64))
        kept = ~joined
        places, shares = places[kept], shares[kept]
        places[begins[kept]] = np.arange(first, first + len(firsts))
        return places, shares

    def _gather(self, members: NDArray[Any], group: Ints, rows: Ints, level: int) -> None:
        """The followers of each group's members, added up."""
        nodes = np.maximum(members, 0)
        single = members < 0
        starts, sizes = np.zeros(len(members), np.int64), np.ones(len(members), np.int64)
        starts[~single] = self.pair_starts.held[nodes[~single]]
        sizes[~single] = self.pair_starts.held[nodes[~single] + 1] - starts[~single]
        source = np.repeat(starts - (np.cumsum(sizes) - sizes), sizes) + np.arange(int(sizes.sum()))
        of_node = np.repeat(~single, sizes)
        symbol = np.repeat(self.ids[rows].astype(np.int64), sizes)
        symbol[of_node] = self.pair_symbols.held[source[of_node]]
        count = np.ones(len(source), np.int64)
        count[of_node] = self.pair_counts.held[source[of_node]]
        self._note_edges(members, rows, np.repeat(np.arange(len(members)), sizes), count, level)
        keys = np.repeat(group, sizes) * self.symbols + symbol
        order = np.argsort(keys)
        keys = keys[order]
        firsts = np.flatnonzero(changes(keys))
        counts, continuations = np.add.reduceat(count[order], firsts), np.diff(np.append(firsts, len(keys)))
        if level < self.depth:
            self._note(self.continuation_repeats, level, np.full(len(counts), level), continuations)
        if level == 0:
            self._note(self.repeats, 0, np.zeros(len(counts), np.int64), counts)
        self.pair_symbols.extend(keys[firsts] % self.symbols)
        self.pair_counts.extend(counts)
        self.pair_continuations.extend(continuations)
        sizes = np.bincount(keys[firsts] // self.symbols, minlength=int(group[-1]) + 1)
        self.pair_starts.extend(self.pair_starts.held[-1] + np.cumsum(sizes))

    def _note_edges(self, members: NDArray[Any], rows: Ints, member: Ints, count: Ints, level: int) -> None:
        """Count the strings between `level` and the members, which have no nodes of their own: they occur as often as the
        members do, each with one symbol before it, the start of the text counting as one."""
        ends = np.minimum(rows + 1, self.depth)
        nodes = members >= 0
        ends[nodes] = self.depths.held[members[nodes]]
        self._note(self.repeats, level + 1, ends[member], count)
        ends[nodes] -= 1  # a node's own context can have several symbols before it
        self._note(self.continuation_repeats, level + 1, ends[member], np.ones(len(member), np.int64))

    def _note(self, repeats: Ints, first: int, lasts: Ints, counts: Ints) -> None:
        """Strings that occur so often at all depths from `first` to their last one."""
        classes = _COUNTED + 2
        found = np.bincount(lasts * classes + np.minimum(counts, _COUNTED + 1), minlength=(self.depth + 1) * classes)
        ending = found.reshape(-1, classes)[:, 1 : _COUNTED + 1]
        repeats[first] += ending.sum(0)
        repeats[1:] -= ending

    def tree(self) -> ContextTree:
        return ContextTree(
            ids=self.ids,
            symbols=self.symbols,
            depths=self.depths.held,
            rows=self.rows.held,
            child_starts=np.concatenate([[0], np.cumsum(self.child_sizes.held)]).astype(self.rows.held.dtype),
            child_symbols=self.child_symbols.held,
            children=self.children.held,
            pair_starts=self.pair_starts.held,
            pair_symbols=self.pair_symbols.held,
            pair_counts=self.pair_counts.held,
            pair_continuations=self.pair_continuations.held,
            repeats=np.cumsum(self.repeats, axis=0)[: self.depth + 1],
            continuation_repeats=np.cumsum(self.continuation_repeats, axis=0)[: self.depth],
        )


class _Column:
    """An array that grows at its end."""

    def __init__(self, dtype: Any, values: list[int] | None = None) -> None:
        self._room = np.empty(1024, dtype)
        self.held: NDArray[Any] = self._room[:0]
        if values:
            self.extend(np.array(values))

    def extend(self, values: NDArray[Any]) -> None:
        size = len(self.held) + len(values)
        if size > len(self._room):
            del self.held
            self._room.resize(max(size, len(self._room) * 2), refcheck=False)  # in place: a large one is moved, not copied
        self._room[size - len(values) : size] = values
        self.held = self._room[:size]
