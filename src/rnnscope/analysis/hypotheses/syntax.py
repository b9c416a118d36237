"""Where we are in a program: syntax, from tree-sitter's grammars."""

from rnnscope.analysis.hypotheses.base import Hypothesis, Labels
from rnnscope.analysis.hypotheses.language import letter_tokens
from rnnscope.analysis.hypotheses.passage import Passage

_TRIPLES = ('"""', "'''")


class Node(Hypothesis):
    """Inside any node that a query captures, from its first symbol to its last."""

    family = "syntax"
    context = True
    query: dict[str, str]
    lines = True  # whether it can go on over the end of a line

    def label(self, passage: Passage) -> Labels:
        inside = passage.captured(self.query)
        return inside if self.lines else inside & ~passage.newline


class Comment(Node):
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
        return passage.inside([(start, stop) for start, stop, _ in passage.strings])


class TripleQuotes(Hypothesis):
    name = "triple_quotes"
    sentence = "whether we are in a string with triple quotes, mostly documentation"
    family = "syntax"
    context = True
    languages = ("python",)

    def label(self, passage: Passage) -> Labels:
        return passage.inside([(start, stop) for start, stop, mark in passage.strings if mark in _TRIPLES])


class Text(Hypothesis):
    name = "text"
    sentence = "whether we are in a comment or a string and not in code"
    family = "syntax"
    context = True
    languages = ("python", "c")

    def label(self, passage: Passage) -> Labels:
        strings = passage.inside([(start, stop) for start, stop, _ in passage.strings])
        return strings | passage.captured(Comment.query)


class Condition(Node):
    name = "condition"
    sentence = "whether we are in the condition of an if or a while"
    languages = ("python", "c")
    query = {
        "python": "[(if_statement condition: (_) @node) (elif_clause condition: (_) @node) (while_statement condition: (_) @node)]",
        "c": "[(if_statement condition: (_) @node) (while_statement condition: (_) @node)]",
    }


class Parameters(Node):
    name = "parameters"
    sentence = "whether we are in the parameters of a function's definition"
    languages = ("python", "c")
    query = {"python": "(parameters) @node", "c": "(parameter_list) @node"}


class Arguments(Node):
    name = "arguments"
    sentence = "whether we are in the arguments of a call"
    languages = ("python", "c")
    query = {"python": "(argument_list) @node", "c": "(argument_list) @node"}


class Import(Node):
    name = "import"
    sentence = "whether we are in an import statement"
    languages = ("python",)
    query = {"python": "[(import_statement) (import_from_statement) (future_import_statement)] @node"}


class Preprocessor(Node):
    name = "preprocessor"
    sentence = "whether we are in a line for the preprocessor"
    languages = ("c",)
    lines = False
    query = {"c": "[(preproc_include) (preproc_def) (preproc_function_def) (preproc_call)] @node"}


class FunctionName(Node):
    name = "function_name"
    sentence = "whether we are in the name of a function that is being defined"
    languages = ("python", "c")
    query = {
        "python": "(function_definition name: (_) @node)",
        "c": "(function_definition declarator: (function_declarator declarator: (identifier) @node))",
    }


class DefaultValue(Node):
    name = "default_value"
    sentence = "whether we are in a parameter that has a default value"
    languages = ("python",)
    query = {"python": "[(default_parameter) (typed_default_parameter)] @node"}


class ForHeader(Node):
    name = "for_header"
    sentence = "whether we are in what a for loop runs over"
    languages = ("python",)
    query = {"python": "[(for_statement left: (_) @node right: (_) @node) (for_in_clause left: (_) @node right: (_) @node)]"}


class FunctionBody(Node):
    name = "function_body"
    sentence = "whether we are in the body of a function"
    languages = ("python", "c")
    query = {
        "python": "(function_definition body: (block) @node)",
        "c": "(function_definition body: (compound_statement) @node)",
    }


class Identifier(Node):
    name = "identifier"
    sentence = "whether we are in an identifier"
    family = "content"
    languages = ("python", "c")
    query = {
        "python": "(identifier) @node",
        "c": "[(identifier) (type_identifier) (field_identifier) (statement_identifier)] @node",
    }


class Keyword(Hypothesis):
    """The tokens that the grammar writes in letters."""

    name = "keyword"
    sentence = "whether we are in a keyword"
    family = "content"
    context = True
    languages = ("python", "c")
    named = {"python": ("true", "false", "none"), "c": ("true", "false")}
    types = '((primitive_type) @node (#any-of? @node "int" "char" "void" "float" "double"))'

    def label(self, passage: Passage) -> Labels:
        language = passage.language
        assert language
        tokens = [f'"{token}"' for token in letter_tokens(language)] + [f"({name})" for name in self.named[language]]
        query = f"[{' '.join(tokens)}] @node"
        return passage.captured({language: query + (self.types if language == "c" else "")})


class Number(Node):
    name = "number"
    sentence = "whether we are in a number"
    languages = ("python", "c")
    query = {"python": "[(integer) (float)] @node", "c": "(number_literal) @node"}
