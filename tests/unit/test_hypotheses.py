"""Every hypothesis, on passages small enough to label by hand.

A passage is written over a row of marks: `^` where the claim holds, a digit for a graded one, `-` where it doesn't apply.
"""

import numpy as np
import pytest

import rnnscope as rs
from rnnscope.analysis.hypotheses.base import label
from rnnscope.analysis.hypotheses.language import language_of
from rnnscope.exceptions import UnknownNameError

CASES = [
    ("column", None, "ab\ncd\r\ne", "12012301"),
    ("line_end", None, "ab\ncd\nef", "21321---"),
    ("newline", None, "ab\ncd\r\ne\rf", "  ^   ^ ^ "),
    ("before_newline", None, "ab\nc\n", " ^ ^-"),
    ("before_newline", None, "a\r\nb\rc\n", "^  ^ ^-"),
    ("double_quotes", "c", 'f(u8"a");', "    ^^   "),
    ("indentation", None, "  a\n   b", "12201233"),
    ("leading_blank", None, "  a b\n\t c", "^^    ^^ "),
    ("in_word", None, "it's 'ok', a_1", "^^^^  ^^   ^^^"),
    ("word_start", None, "it's 'ok' no", "^     ^   ^ "),
    ("word_position", None, "ab c", "12-1"),
    ("upper_case", None, "aB cÉ", " ^  ^"),
    ("capital_word", None, "aB Cde f", "   ^^^  "),
    ("digit", None, "a1 23", " ^ ^^"),
    ("punctuation", None, "a_b, (c)", "   ^ ^ ^"),
    ("double_quotes", None, 'a "b c" d', "  ^^^^   "),
    ("double_quotes", None, 'a "b\n\nc "d"', "  ^^^^  ^^ "),
    ("single_quotes", None, "it's 'a b' c's", "     ^^^^     "),
    ("round_brackets", None, "a(b[c)d)e", " ^^^^    "),
    ("square_brackets", None, "a(b[c)d)e", "   ^^^^^^"),
    ("round_brackets", None, "a (b\n\nc) (d", "  ^^^^   ^^"),
    ("curly_brackets", None, "}{x}", " ^^ "),
    ("bracket_depth", None, "a(b[c]{d})", "0112212210"),
    ("double_quotes", "python", "x = \"a(\" + 'b'", "    ^^^       "),
    ("single_quotes", "python", "x = \"a'\" + rb'c'", "             ^^ "),
    ("round_brackets", "python", "f(')', g)  # (", " ^^^^^^^      "),
    ("bracket_depth", "python", "f([1], {2})", "01221112210"),
    ("comment", "python", "a = 1  # no '#'\nb", "       ^^^^^^^^  "),
    ("string", "python", "f\"a{b}c\" + '''d'''", " ^^^^^^      ^^^^ "),
    ("triple_quotes", "python", '"""a"b"""; "c"', "  ^^^^^^      "),
    ("text", "python", "'a' # b\nc", "^^  ^^^  "),
    ("condition", "python", "if a > b:\n  c", "   ^^^^^     "),
    ("parameters", "python", "def f(a, b): pass", "     ^^^^^^      "),
    ("arguments", "python", "f(a)(b)", " ^^^^^^"),
    ("import", "python", "import os\nx", "^^^^^^^^^  "),
    ("comment", "c", "a; /* b */ c; // d\n", "   ^^^^^^^    ^^^^ "),
    ("string", "c", 'char c = \'x\', *s = L"a\\"b";', "         ^^         ^^^^^  "),
    ("double_quotes", "c", 'f("a\'");', "  ^^^   "),
    ("single_quotes", "c", "c = '\"';", "    ^^  "),
    ("condition", "c", "if (a) b;", "   ^^^   "),
    ("parameters", "c", "int f(int a) {}", "     ^^^^^^^   "),
    ("arguments", "c", "int x = f(a, b);", "         ^^^^^^ "),
    ("preprocessor", "c", "#include <a.h>\nint x;", "^^^^^^^^^^^^^^       "),
    ("blank_line", None, "a\n\nb\r\n\r\n\n", "  ^    ^^"),
    ("function_name", "python", "def f1(a): g(a)", "    ^^         "),
    ("function_name", "c", "int f1(int a) {}", "    ^^          "),
    ("default_value", "python", "def f(a, b=1): c", "         ^^^    "),
    ("for_header", "python", "for a in b(c):\n d", "    ^    ^^^^    "),
    ("number", "python", "a1 = 12 + 3.5", "     ^^   ^^^"),
    ("number", "c", "a = 0x1f;", "    ^^^^ "),
]


def expected(kind: str, marks: str) -> list[float]:
    if kind == "binary":
        return [np.nan if m == "-" else float(m == "^") for m in marks]
    return [np.nan if m == "-" else float(m) for m in marks]


@pytest.mark.parametrize(("name", "language", "text", "marks"), CASES)
def test_labels(name: str, language: str | None, text: str, marks: str) -> None:
    [hypothesis] = rs.hypotheses(name)
    corpus = rs.Corpus.from_text(text, language=language)
    labels = label([hypothesis], corpus)[name]
    np.testing.assert_array_equal(
        labels, expected(hypothesis.kind, marks), err_msg=f"{text!r}\n {''.join(str(int(v)) for v in np.nan_to_num(labels, nan=9))}"
    )


def test_every_hypothesis_is_tried_here() -> None:
    assert {name for name, *_ in CASES} == {h.name for h in rs.hypotheses()}


def test_at_least_twelve_binary_and_graded() -> None:
    kinds = [h.kind for h in rs.hypotheses()]
    assert len(kinds) >= 12
    assert {"binary", "graded"} == set(kinds)


@pytest.mark.parametrize("hypothesis", rs.hypotheses(), ids=lambda h: h.name)
def test_every_hypothesis_says_what_it_is(hypothesis: rs.Hypothesis) -> None:
    assert hypothesis.sentence.split()[0] in ("whether", "how")
    assert hypothesis.family in ("place", "content", "enclosure", "syntax")


def test_positions_are_symbols_whatever_the_encoding() -> None:
    text = "x = 'é€𝄞'  # ü\ny = '' # b"
    [comment] = rs.hypotheses("comment")
    by_character = label([comment], rs.Corpus.from_text(text, language="python"))["comment"]
    assert "".join(c for c, m in zip(text, by_character, strict=True) if m) == "# ü# b"
    data = text.encode()
    by_byte = label([comment], rs.Corpus.from_text(data, language="python"))["comment"]
    assert bytes(c for c, m in zip(data, by_byte, strict=True) if m) == "# ü# b".encode()


def test_a_segment_knows_nothing_of_what_came_before() -> None:
    rule = rs.StreamSplit(0.5, 0.25, 1, 4)
    corpus = rs.Corpus.from_text("(((((((((((((((( ", rule=rule)
    labels = label(rs.hypotheses("bracket_depth"), corpus.split("test"))["bracket_depth"]
    assert labels.tolist() == [1, 2, 3, 4]


def test_syntax_is_that_of_the_whole_text() -> None:
    text = 'a = """one ( two\nthree ) four"""; b = (5)\n' * 4
    corpus = rs.Corpus.from_text(text, language="python", rule=rs.StreamSplit(0.4, 0.3, 3, 5))
    part = corpus.split("test").head(20)  # begins inside strings and behind brackets
    for name in ("triple_quotes", "round_brackets", "number"):
        known = label(rs.hypotheses(name), corpus)[name]
        found = label(rs.hypotheses(name), part)[name]
        for (start, stop), origin in zip(part.spans(), part.origins, strict=True):
            np.testing.assert_array_equal(found[start:stop], known[origin : origin + stop - start])


def test_the_language_is_found_out(corpus: rs.Corpus) -> None:
    assert language_of(rs.Corpus.from_text(corpus.to_str())) == "python"
    c = "#include <a.h>\n" + "static int f(int a)\n{\n\tif (a > 1)\n\t\treturn g(a); /* no */\n\treturn 0;\n}\n" * 10
    assert language_of(rs.Corpus.from_text(c)) == "c"
    prose = "Well, Prince, so Genoa and Lucca are now just family estates; (that is) of the Buonapartes. " * 10
    assert language_of(rs.Corpus.from_text(prose)) is None
    assert language_of(rs.Corpus.from_text("short")) is None


def test_a_closer_that_the_grammar_made_up_does_not_count() -> None:
    labels = label(rs.hypotheses("curly_brackets"), rs.Corpus.from_text("{a}{", language="c"))["curly_brackets"]
    assert labels.tolist() == [1, 1, 0, 1]


def test_unknown_names_suggest_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="did you mean"):
        rs.hypotheses("coment")
