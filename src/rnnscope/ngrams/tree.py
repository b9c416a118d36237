"""`ContextTree`: every context of a text, of every length up to a bound, with the symbols that followed it and their counts.

A context is a string read backwards from a place in the text. The root stands for the empty context, its children for the last
symbol, theirs for the last two. Where a string has always the same symbol before it, nothing branches: it has the followers of
the longer string, and no node of its own. So there are fewer nodes than symbols in the text, however long contexts are. It is
the suffix tree of the text read backwards, cut at a depth.

A *locus* is a place in the tree: the number of a node, or ~r for a string that occurs once, before the symbol at position r of
the text. A locus and a depth are one context. It is *explicit* where the depth is the node's own: only there can several
symbols stand before it.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Symbols = NDArray[np.unsignedinteger[Any]]


class Followers(NamedTuple):
    """The symbols that followed contexts of one length: an entry for each context and symbol, in order of both.

    `owners` numbers the contexts, from 0; `counts` says how often the symbol followed, or after how many different symbols
    before the context. Each has shape (entries,).
    """

    owners: Ints
    symbols: Ints
    counts: Ints


@dataclass(frozen=True, eq=False)
class ContextTree:
    """The tree of a text, as arrays that a file can be mapped to.

    `ids` (text,): the text, each symbol below `symbols`. Node k, of `depths` (nodes,), stands for the context before position
    `rows[k]`, the first of its places. Its children are `children[child_starts[k]:child_starts[k + 1]]`, loci in order of
    `child_symbols`, 0 for the start of the text, 1 for symbol 0 and so on. Its followers are
    `pair_symbols[pair_starts[k]:pair_starts[k + 1]]`, with `pair_counts`, how often each followed, and `pair_continuations`,
    after how many different symbols before the string. The last node is the root.

    `repeats` (depth + 1, 4) counts the strings of each length, their last symbol apart, that occur 1, 2, 3 and 4 times;
    `continuation_repeats` (depth, 4) those that 1, 2, 3 and 4 different symbols stand before.
    """

    ids: Symbols
    symbols: int
    depths: NDArray[np.uint16]
    rows: NDArray[np.integer[Any]]
    child_starts: NDArray[np.integer[Any]]
    child_symbols: Symbols
    children: NDArray[np.signedinteger[Any]]
    pair_starts: NDArray[np.integer[Any]]
    pair_symbols: Symbols
    pair_counts: NDArray[np.uint32]
    pair_continuations: NDArray[np.uint32]
    repeats: Ints
    continuation_repeats: Ints

    @property
    def depth(self) -> int:
        """The length of the longest contexts."""
        return len(self.repeats) - 1

    @property
    def root(self) -> int:
        return len(self.depths) - 1

    def walk(self, ids: NDArray[Any], positions: Ints, lengths: Ints, deepest: int) -> tuple[NDArray[Any], Ints]:
        """Go down the tree along the symbols that end at some positions of another text, which has the same symbol numbers.

        `lengths` says how many symbols there are to read at each position, that one included. Returns the loci for every depth
        up to `deepest`, (deepest + 1, positions), and how far each got, (positions,): the longest context that occurs in the
        text with a symbol after it. Beyond it the loci mean nothing.
        """
        loci = np.full((deepest + 1, len(positions)), self.root, self.children.dtype)
        reached = np.zeros(len(positions), np.int64)
        left = np.flatnonzero(lengths > 0)
        for depth in range(min(deepest, self.depth)):
            if not len(left):
                break
            symbol = ids[positions[left] - depth].astype(np.int64) + 1
            after = self._step(loci[depth, left], depth, symbol)
            there = after != self.root
            left = left[there]
            loci[depth + 1, left] = after[there]
            reached[left] = depth + 1
            left = left[lengths[left] > depth + 1]
        return loci, reached

    def _step(self, loci: NDArray[Any], depth: int, symbol: Ints) -> NDArray[Any]:
        """The locus that one more symbol leads to from each; the root, to which nothing leads, where there is none."""
        after = loci.copy()
        rows = self.first_rows(loci)
        inside = ~self.explicit(loci, depth)
        before = rows[inside] - 1 - depth
        same = (before >= 0) & (self.ids[np.maximum(before, 0)].astype(np.int64) + 1 == symbol[inside])
        after[inside] = np.where(same, loci[inside], self.root)
        nodes = loci[~inside]
        low, stop = self.child_starts[nodes].astype(np.int64), self.child_starts[nodes + 1].astype(np.int64)
        wanted, high = symbol[~inside], stop.copy()
        while (open_ := low < high).any():
            middle = (low + high) >> 1
            less = open_ & (self.child_symbols[np.minimum(middle, len(self.child_symbols) - 1)] < wanted)
            low = np.where(less, middle + 1, low)
            high = np.where(open_ & ~less, middle, high)
        found = low < stop
        found[found] = self.child_symbols[low[found]] == wanted[found]
        reached = np.full(len(nodes), self.root, after.dtype)
        reached[found] = self.children[low[found]]
        after[~inside] = reached
        return after

    def first_rows(self, loci: NDArray[Any]) -> Ints:
        """The first position of the text before which each locus's string stands."""
        return np.where(loci < 0, ~loci, self.rows[np.maximum(loci, 0)]).astype(np.int64)

    def explicit(self, loci: NDArray[Any], depth: int) -> NDArray[np.bool_]:
        own: NDArray[np.bool_] = (loci >= 0) & (self.depths[np.maximum(loci, 0)] == depth)
        return own

    def followers(self, loci: NDArray[Any], depth: int, *, continuation: bool) -> Followers:
        """What followed the contexts of one length at these loci: how often, or, with `continuation`, after how many different
        symbols before the context."""
        single = loci < 0
        nodes = np.maximum(loci, 0)
        starts = np.where(single, 0, self.pair_starts[nodes])
        sizes = np.where(single, 1, self.pair_starts[nodes + 1] - starts)
        owner = np.repeat(np.arange(len(loci)), sizes)
        at = np.repeat(starts - (np.cumsum(sizes) - sizes), sizes) + np.arange(len(owner))
        alone = single[owner]
        symbol = self.pair_symbols[at].astype(np.int64)
        symbol[alone] = self.ids[~loci[single]]
        if continuation:
            count = np.where(self.explicit(loci, depth)[owner], self.pair_continuations[at], 1).astype(np.int64)
        else:
            count = np.where(alone, 1, self.pair_counts[at]).astype(np.int64)
        return Followers(owner, symbol, count)
