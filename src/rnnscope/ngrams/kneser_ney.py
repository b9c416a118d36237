"""Interpolated modified Kneser-Ney smoothing on a `ContextTree`. Source: Chen & Goodman 1999, section 3; PAPER section 5.

After a context h of n symbols the next symbol w has the probability ::

    p(w | h) = (c(hw) - D(c(hw))) / c(h) + γ(h) p'(w | h'),      γ(h) = Σ_w D(c(hw)) / c(h)

c counts how often w followed h, and the discount D takes a little from each count, which the next shorter context h' gives out:
D is 0, D₁, D₂ or D₃ for counts of 0, 1, 2, and 3 or more, and comes from how many strings of that length occur once, twice, three
and four times. The shorter contexts' p' are made in the same way, but count after how many different symbols hw stands in the text
instead of how often: what occurs in many surroundings is likely in a new one. The last p' is 1 / symbols. A context that the text
doesn't hold leaves all to the next shorter one.

So p' is the same for all n, and one walk down the tree gives every n at once.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rnnscope.ngrams.tree import ContextTree, Ints

Floats = NDArray[np.float64]
_FALLBACK = (0.5, 1.0, 1.5)


def discounts(repeats: Ints) -> Floats:
    """Discounts of counts of 0, 1, 2, and 3 or more, (lengths, 4), from how many strings occur 1, 2, 3 and 4 times, (lengths, 4).

    Y = t₁ / (t₁ + 2 t₂) and Dₖ = k - (k + 1) Y tₖ₊₁ / tₖ. Where t₁, t₂ or t₃ is 0, or a Dₖ isn't between 0 and k, the strings
    of that length get 0.5, 1 and 1.5, as KenLM has it.

    >>> discounts(np.array([[198, 111, 78, 48], [5, 2, 0, 1]])).round(3).tolist()
    [[0.0, 0.471, 1.006, 1.84], [0.0, 0.5, 1.0, 1.5]]
    """
    once, twice, thrice = (repeats[:, k].astype(np.float64) for k in range(3))
    step = np.arange(1, 4)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = step - (step + 1) * (once / (once + 2 * twice))[:, None] * (repeats[:, 1:] / repeats[:, :3])
        bad = (once * twice * thrice == 0) | ~((found >= 0) & (found <= step)).all(1)
    return np.column_stack([np.zeros(len(found)), np.where(bad[:, None], _FALLBACK, found)])


class Share(NamedTuple):
    """What contexts of one length keep for the symbols that they know, and what they leave to the shorter ones.

    Entries are as in `Followers`, `weights` (entries,) in place of the counts; `rest` is γ, (contexts,).
    """

    owners: Ints
    symbols: Ints
    weights: Floats
    rest: Floats


class KneserNey:
    """The probabilities of a tree's contexts, of all lengths."""

    def __init__(self, tree: ContextTree) -> None:
        self.tree = tree
        self._discounts = discounts(tree.repeats)
        self._continuation_discounts = discounts(tree.continuation_repeats)

    def share(self, loci: Ints, depth: int, *, continuation: bool) -> Share:
        """See `Share`; of p' with `continuation`, else of p."""
        owner, symbol, count = self.tree.followers(loci, depth, continuation=continuation)
        discount = (self._continuation_discounts if continuation else self._discounts)[depth][np.minimum(count, 3)]
        total = np.bincount(owner, count, len(loci))
        return Share(owner, symbol, (count - discount) / total[owner], np.bincount(owner, discount, len(loci)) / total)

    def probabilities(self, loci: Ints, reached: Ints, following: Ints, contexts: Sequence[int]) -> Floats:
        """p(following | context) at some places, for contexts of several lengths: (contexts, places).

        `loci` and `reached` are what `ContextTree.walk` gives; `following` (places,) are symbol numbers. `contexts` rise.
        """
        symbols, found = self.tree.symbols, {}
        shorter = np.full(len(reached), 1 / symbols)
        for depth in range(_deepest(reached, contexts) + 1):
            here = np.flatnonzero(reached >= depth)
            distinct, which = np.unique(loci[depth, here], return_inverse=True)
            wanted = which * symbols + following[here]
            for continuation in _kinds(depth, contexts):
                share = self.share(distinct, depth, continuation=continuation)
                known = share.owners * symbols + share.symbols
                at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
                longer = shorter.copy()
                longer[here] = share.rest[which] * shorter[here] + np.where(known[at] == wanted, share.weights[at], 0)
                if continuation:
                    shorter = longer
                else:
                    found[depth] = longer
        return np.stack([found.get(n, shorter) for n in contexts])  # no place has a longer context than the deepest

    def distributions(self, loci: Ints, reached: Ints, contexts: Sequence[int], out: NDArray[Any], rows: Ints) -> None:
        """log p of every symbol, as `probabilities` gives p of one, into `out[:, rows]`: `out` has (contexts, …, symbols).

        Places that have a context in common share its row until they part: best called with some hundred places whose
        contexts are neighbours.
        """
        symbols = self.tree.symbols
        ended = np.empty((len(reached), symbols), out.dtype)  # of places whose context the text doesn't hold any longer
        shorter = np.full((1, symbols), 1 / symbols)
        row = np.zeros(len(reached), np.int64)  # of each place in `shorter`
        deepest = _deepest(reached, contexts)
        for depth in range(deepest + 1):
            here, over = np.flatnonzero(reached >= depth), reached < depth
            distinct, first, which = np.unique(loci[depth, here], return_index=True, return_inverse=True)
            before = row[here[first]]
            for continuation in _kinds(depth, contexts):
                share = self.share(distinct, depth, continuation=continuation)
                longer = share.rest[:, None] * shorter[before]
                longer[share.owners, share.symbols] += share.weights
                if continuation:
                    ends = reached[here] == depth
                    ended[here[ends]] = logarithm(longer[which[ends]])
                    shorter, row[here] = longer, which
                else:
                    at = out[contexts.index(depth)]
                    at[rows[here]] = logarithm(longer).astype(out.dtype, copy=False)[which]
                    at[rows[over]] = ended[over]
        for k in range(bisect_right(contexts, deepest), len(contexts)):
            out[k][rows] = ended


def logarithm(p: Floats) -> Floats:
    """log p; a discount of 0, which tiny texts can have, leaves nothing for what wasn't seen, whose log p is −∞."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(p))


def _deepest(reached: Ints, contexts: Sequence[int]) -> int:
    return min(contexts[-1], int(reached.max(initial=0)))


def _kinds(depth: int, contexts: Sequence[int]) -> Iterator[bool]:
    """Whether continuations are counted: not for a length that is asked for, then for what longer contexts rest on."""
    if depth in contexts:
        yield False
    if depth < contexts[-1]:
        yield True
