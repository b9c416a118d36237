"""Programming languages: which one a text is in, and its syntax tree. The grammars are tree-sitter's."""

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module

import numpy as np
import tree_sitter as ts
from numpy.typing import NDArray

from rnnscope.corpora import Corpus

_GRAMMARS = {"python": "tree_sitter_python", "c": "tree_sitter_c"}
_SAMPLE = 65_536
_LEAST = 200
_MOST_ERRORS = 0.1
_STRIDE = 1 << 18
_ENDS = ("start_byte", "end_byte")


class Tree:
    """A parsed text."""

    def __init__(self, root: ts.Node, language: str) -> None:
        self.root = root
        self.language = language

    def captures(self, query: str) -> dict[str, NDArray[np.int64]]:
        """What a query captures, by the name of the capture: first byte and byte after the last, shape (captures, 2), in order."""
        cursor = ts.QueryCursor(compiled(self.language, query))
        found: dict[str, list[NDArray[np.int64]]] = {}
        for first in range(0, self.root.end_byte, _STRIDE):  # the nodes of a few pages at a time, whatever the text's length
            cursor.set_byte_range(first, min(first + _STRIDE, self.root.end_byte))
            for name, nodes in cursor.captures(self.root).items():
                starts, stops = (np.fromiter((getattr(n, end) for n in nodes), np.int64, len(nodes)) for end in _ENDS)
                # one that begins elsewhere is found there; an empty one is not in the text: the grammar missed it
                here = np.flatnonzero((first <= starts) & (starts < first + _STRIDE) & (starts < stops))
                order = here[np.lexsort((stops[here], starts[here]))]
                found.setdefault(name, []).append(np.stack([starts[order], stops[order]], axis=1))
        return {name: np.concatenate(spans) for name, spans in found.items()}

    def broken(self) -> int:
        """Bytes that the grammar could make nothing of."""
        total, stack = 0, [self.root]
        while stack:
            node = stack.pop()
            if node.is_error:
                total += node.end_byte - node.start_byte
            elif node.has_error:
                stack.extend(node.children)
        return total


def parse(text: bytes, language: str) -> Tree:
    return Tree(ts.Parser(_language(language)).parse(text).root_node, language)


def language_of(corpus: Corpus) -> str | None:
    """The corpus's own language if it says so; else the one whose grammar leaves at most a tenth of a sample broken."""
    if corpus.language:
        return corpus.language
    start, stop = next(corpus.spans())
    text = corpus.to_str(start, min(stop, start + _SAMPLE))
    if len(text) < _LEAST or not any(mark in text for mark in "(;=#"):
        return None
    data = text.encode("latin-1") if corpus.vocabulary.kind == "bytes" else text.encode()
    share, language = min((parse(data, name).broken() / len(data), name) for name in _GRAMMARS)
    return language if share <= _MOST_ERRORS else None


@cache
def _language(name: str) -> ts.Language:
    grammar: Callable[[], object] = import_module(_GRAMMARS[name]).language
    return ts.Language(grammar())


@cache
def letter_tokens(language: str) -> tuple[str, ...]:
    """The tokens that a grammar writes in letters: its keywords."""
    grammar = _language(language)
    tokens = (k for k in range(grammar.node_kind_count) if grammar.node_kind_is_visible(k) and not grammar.node_kind_is_named(k))
    names = {grammar.node_kind_for_id(k) or "" for k in tokens}
    return tuple(sorted(name for name in names if re.fullmatch("[A-Za-z_]*[A-Za-z][A-Za-z_]*", name)))


@cache
def compiled(language: str, query: str) -> ts.Query:
    """A query for a language. Raises tree-sitter's own `QueryError`."""
    return ts.Query(_language(language), query)
