"""Where we are in a program: syntax, from tree-sitter's grammars."""

from rnnscope.analysis.hypotheses.base import Hypothesis, Labels
from rnnscope.analysis.hypotheses.enclosure import strings
from rnnscope.analysis.hypotheses.passage import Passage

_TRIPLES = ('"""', "'''")


class _Node(Hypothesis):
    """Inside any node that a query captures, from its first symbol to its last."""

    family = "syntax"
    query: dict[str, str]

    def label(self, passage: Passage) -> Labels:
        return passage.inside([(start, stop) for start, stop, _ in passage.spans(self.query)])


class Comment(_Node):
    name = "comment"
    sentence = "whether we are in a comment"
    languages = ("python", "c")
    query = {"python": "(comment) @node", "c": "(comment) @node"}


class String(Hypothesis):
    name = "string"
    sentence = "whether we are in a string of any kind"
    family = "syntax"
    languages = ("python", "c")

    def label(self, passage: Passage) -> Labels:
        return passage.inside([(start, stop) for start, stop, _ in strings(passage)])


class TripleQuotes(Hypothesis):
    name = "triple_quotes"
    sentence = "whether we are in a string with triple quotes, mostly documentation"
    family = "syntax"
    languages = ("python",)

    def label(self, passage: Passage) -> Labels:
        return passage.inside([(start, stop) for start, stop, mark in strings(passage) if mark in _TRIPLES])


class Text(Hypothesis):
    name = "text"
    sentence = "whether we are in a comment or a string and not in code"
    family = "syntax"
    languages = ("python", "c")

    def label(self, passage: Passage) -> Labels:
        comments = [(start, stop) for start, stop, _ in passage.spans(Comment.query)]
        return passage.inside(comments + [(start, stop) for start, stop, _ in strings(passage)])


class Condition(_Node):
    name = "condition"
    sentence = "whether we are in the condition of an if or a while"
    languages = ("python", "c")
    query = {
        "python": "[(if_statement condition: (_) @node) (elif_clause condition: (_) @node) (while_statement condition: (_) @node)]",
        "c": "[(if_statement condition: (_) @node) (while_statement condition: (_) @node)]",
    }


class Parameters(_Node):
    name = "parameters"
    sentence = "whether we are in the parameters of a function's definition"
    languages = ("python", "c")
    query = {"python": "(parameters) @node", "c": "(parameter_list) @node"}


class Arguments(_Node):
    name = "arguments"
    sentence = "whether we are in the arguments of a call"
    languages = ("python", "c")
    query = {"python": "(argument_list) @node", "c": "(argument_list) @node"}


class Import(_Node):
    name = "import"
    sentence = "whether we are in an import statement"
    languages = ("python",)
    query = {"python": "[(import_statement) (import_from_statement) (future_import_statement)] @node"}


class Preprocessor(_Node):
    name = "preprocessor"
    sentence = "whether we are in a line for the preprocessor"
    languages = ("c",)
    query = {"c": "[(preproc_include) (preproc_def) (preproc_function_def) (preproc_call)] @node"}
