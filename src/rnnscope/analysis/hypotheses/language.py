"""Programming languages: which one a text is in, and its syntax tree. The grammars are tree-sitter's."""

from collections.abc import Callable
from functools import cache
from importlib import import_module

import tree_sitter as ts

from rnnscope.corpora import Corpus

_GRAMMARS = {"python": "tree_sitter_python", "c": "tree_sitter_c"}
_SAMPLE = 65_536
_LEAST = 200
_MOST_ERRORS = 0.1


class Tree:
    """A parsed text."""

    def __init__(self, root: ts.Node, language: str) -> None:
        self.root = root
        self.language = language

    def captures(self, query: str) -> list[tuple[int, int, str]]:
        """What a query captures, as (first byte, byte after the last, name of the capture), in the order of the text."""
        found = ts.QueryCursor(_query(self.language, query)).captures(self.root)
        spans = [(node.start_byte, node.end_byte, name) for name, nodes in found.items() for node in nodes]
        return sorted(span for span in spans if span[0] < span[1])  # an empty one is not in the text: the grammar missed it

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
def _query(language: str, query: str) -> ts.Query:
    return ts.Query(_language(language), query)
