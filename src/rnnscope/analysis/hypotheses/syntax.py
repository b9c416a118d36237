"""Where we are in a program: syntax, from tree-sitter's grammars."""

from rnnscope.analysis.hypotheses.base import Hypothesis, Labels
from rnnscope.analysis.hypotheses.enclosure import strings
from rnnscope.analysis.hypotheses.passage import Passage

_TRIPLES = ('"""', "'''")


class _Node(Hypothesis):
    """Inside any node that a query captures, from its first symbol to its last."""

    family = "syntax"
    context = True
    query: dict[str, str]
    lines = True  # whether it can go on over the end of a line

    def label(self, passage: Passage) -> Labels:
        inside = passage.inside([(start, stop) for start, stop, _ in passage.spans(self.query)])
        return inside if self.lines else inside & ~passage.newline


class Comment(_Node):
    name = "comment"
    sentence = "whether we are in a comment"
    languages = ("python", "c")
    query = {"python": "(comment) @node", "c": "(comment) @node"}


class String(Hypothesis):
    name = "string"
    sentence = "whether we are in a string of any kind"
    family = "syntax"
    context = True
    languages = ("python", "c")

    def label(self, passage: Passage) -> Labels:
        return passage.inside([(start, stop) for start, stop, _ in strings(passage)])


class TripleQuotes(Hypothesis):
    name = "triple_quotes"
    sentence = "whether we are in a string with triple quotes, mostly documentation"
    family = "syntax"
    context = True
    languages = ("python",)

    def label(self, passage: Passage) -> Labels:
        return passage.inside([(start, stop) for start, stop, mark in strings(passage) if mark in _TRIPLES])


class Text(Hypothesis):
    name = "text"
    sentence = "whether we are in a comment or a string and not in code"
    family = "syntax"
    context = True
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
    lines = False
    query = {"c": "[(preproc_include) (preproc_def) (preproc_function_def) (preproc_call)] @node"}


class FunctionName(_Node):
    name = "function_name"
    sentence = "whether we are in the name of a function that is being defined"
    languages = ("python", "c")
    query = {
        "python": "(function_definition name: (_) @node)",
        "c": "(function_definition declarator: (function_declarator declarator: (identifier) @node))",
    }


class DefaultValue(_Node):
    name = "default_value"
    sentence = "whether we are in a parameter that has a default value"
    languages = ("python",)
    query = {"python": "[(default_parameter) (typed_default_parameter)] @node"}


class ForHeader(_Node):
    name = "for_header"
    sentence = "whether we are in what a for loop runs over"
    languages = ("python",)
    query = {"python": "[(for_statement left: (_) @node right: (_) @node) (for_in_clause left: (_) @node right: (_) @node)]"}


class Number(_Node):
    name = "number"
    sentence = "whether we are in a number"
    languages = ("python", "c")
    query = {"python": "[(integer) (float)] @node", "c": "(number_literal) @node"}
