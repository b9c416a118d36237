"""Every context of a text in order: one sort that serves n-grams of every length.

The context of a symbol is all that comes before it, read backwards: the symbol before, the one before that, and so on to the
start of the text. Sorted like words in a dictionary, contexts that end with the same n symbols lie side by side, for every n.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
_WORD = 63
"""Bits of a signed number that compare as one."""
_BLOCK = 2**18  # places that are worked on together, so that what is needed for a moment stays small


def sorted_contexts(ids: NDArray[np.unsignedinteger[Any]], symbols: int, depth: int) -> tuple[NDArray[Any], NDArray[np.uint16]]:
    """The positions of a text by their contexts, and how much of its context each shares with the one before it.

    `ids` has shape (text,), each below `symbols`. Position r stands for the context before the symbol `ids[r]`; the start of
    the text counts as a symbol of its own, before all others. Returns the positions, (text,), in order of the last `depth`
    symbols of their contexts at the least, and for each how many symbols, up to `depth`, its context has in common with the
    position's before it, (text,); 0 for the first.

    >>> order, shared = sorted_contexts(np.array([0, 1, 0, 1, 0]), symbols=2, depth=3)  # a b a b a
    >>> order.tolist(), shared.tolist()
    ([0, 1, 3, 2, 4], [0, 0, 1, 0, 2])

    Contexts are compared a word at a time (as many symbols as a machine word holds), then by the ranks that the comparisons
    before have found, which doubles the length each time: Manber & Myers 1993; only those that are still equal, Larsson &
    Sadakane 2007.
    """
    words, width = _words(ids, symbols, depth)
    number = np.int32 if len(ids) < 2**31 else np.int64
    order: NDArray[Any] = np.argsort(words).astype(number)
    first = changes(words[order])
    compared = width
    while compared < depth:
        ties = np.flatnonzero(~(first & np.append(first[1:], True))).astype(number)  # places in groups of more than one
        if not len(ties):
            break
        rank = np.empty_like(order)
        group = np.where(first, np.arange(len(ids), dtype=number), 0)
        rank[order] = np.maximum.accumulate(group, out=group)
        keys = group[ties].astype(np.int64)
        del group
        tied = order[ties]
        keys <<= 32
        keys |= np.where(tied >= compared, rank[np.maximum(tied - compared, 0)] + 1, 0)
        del rank
        within = np.argsort(keys)
        order[ties] = tied[within]
        first[ties] = changes(keys[within])
        compared *= 2
    return order, _shared(words, width, order, depth, symbols)


def _words(ids: NDArray[np.unsignedinteger[Any]], symbols: int, depth: int) -> tuple[Ints, int]:
    """The last symbols of every context as one number, the last symbol in its highest place, and how many they are."""
    bits = int(symbols).bit_length()  # 0 is the start of the text
    width = min(_WORD // bits, max(depth, 1))
    words = np.zeros(len(ids), np.int64)
    for back in range(1, width + 1):
        words <<= bits
        words[back:] += ids[: max(len(ids) - back, 0)]
        words[back:] += 1  # here and not to `ids`, whose type the highest symbol may fill
    return words, width


def changes(values: Ints) -> NDArray[np.bool_]:
    """Whether each of sorted values, (values,), is another than the one before it; the first is."""
    changes = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return changes


def _shared(words: Ints, width: int, order: NDArray[Any], depth: int, symbols: int) -> NDArray[np.uint16]:
    bits = int(symbols).bit_length()
    shared = np.zeros(len(order), np.uint16)
    for start in range(1, len(order), _BLOCK):
        places = np.arange(start, min(start + _BLOCK, len(order)))
        for before in range(0, depth, width):
            a, b = order[places - 1] - before, order[places] - before
            apart = np.where(a >= 0, words[np.maximum(a, 0)], 0) ^ np.where(b >= 0, words[np.maximum(b, 0)], 0)
            equal = np.zeros(len(places), np.uint16)
            for symbol in range(width):
                equal += apart >> (bits * symbol) == 0
            shared[places] += equal
            places = places[equal == width]
    return np.minimum(shared, np.uint16(depth), out=shared)
