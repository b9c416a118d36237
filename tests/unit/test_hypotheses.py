"""Every hypothesis, on passages small enough to label by hand.

A passage is written over a row of marks: `^` where the claim holds, a digit for a graded one, a digit or the category's own
character for a categorical one, `-` where it doesn't apply.
"""

import numpy as np
import pytest

import rnnscope as rs
from rnnscope.analysis.hypotheses import base
from rnnscope.analysis.hypotheses.base import Kind, Labels, label, labelled, reason
from rnnscope.analysis.hypotheses.language import language_of
from rnnscope.analysis.hypotheses.passage import Passage
from rnnscope.exceptions import InputError, UnknownNameError, UsageError

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
    ("paragraph_line", None, "a\n  b\r\nc\n \nd\n\n", "11112223330110"),
    ("sentence_position", None, 'a b. "C." d\n\ne f', "1122001110110112"),
    ("sentence_start", None, "No, no. I'm. 3", "^^      ^^^  ^"),
    ("round_depth", None, "a((b)[)", "0122110"),
    ("square_depth", "python", "[[a], ']']", "1221111110"),
    ("curly_depth", "c", "{ f('}'); { } }", "111111111122110"),
    ("tag", None, "a <b c> d </e> 1 < 2 <!-- f\n\ng", "   ^^^     ^^         ^^^^^^^ "),
    ("tag", "c", "a<b>c", "-----"),
    ("url", None, "(http://a.b/c) www.d xwww.e", "       ^^^^^^     ^^       "),
    ("function_body", "python", "def f(a):\n  b\n  c\nd", "            ^^^^^  "),
    ("function_body", "c", "int f(int a) { b; }\nint c;", "             ^^^^^^       "),
    ("identifier", "python", "if ab: c1.d = 'e'", "   ^^  ^^ ^      "),
    ("identifier", "c", "struct a b = c->d;", "       ^ ^   ^  ^ "),
    ("keyword", "python", "if iffy: return None", "^^       ^^^^^^ ^^^^"),
    ("keyword", "c", "int f(size_t a) { return sizeof(a); }", "^^^               ^^^^^^ ^^^^^^      "),
    ("previous_symbol", None, "ab c", "-ab "),
    ("word_class", None, "ab Ab AB A1 12 a_b\n,", "22033034036055026617"),
    ("since_quote", None, 'a"bc"d“', "-012010"),
    ("since_open", None, "a(b[c])d", "-0101234"),
    ("since_capital", None, "aBcD e", "-01012"),
    ("since_blank_line", None, "a\n\nb\nc", "--0123"),
    ("since_sentence", None, "a. b?!", "-01200"),
    ("next_closer", None, 'a (b "c d") "e', "        ^^   -"),
    ("next_space", None, "a b\tc\n", "^ ^  -"),
    ("next_capital", None, "aB cDE", "^  ^^-"),
    ("entropy", None, "abc", "310"),
    ("error", None, "abc", "^ -"),
]


SIGNALS = {"entropy": np.array([3, 1, 0]), "log_prob": np.log([0.4, 0.6, np.nan])}


def expected(kind: str, marks: str) -> list[float]:
    if kind == "binary":
        return [np.nan if m == "-" else float(m == "^") for m in marks]
    return [np.nan if m == "-" else float(m) if m.isdigit() else ord(m) for m in marks]


@pytest.mark.parametrize(("name", "language", "text", "marks"), CASES)
def test_labels(name: str, language: str | None, text: str, marks: str) -> None:
    [hypothesis] = rs.hypotheses(name)
    corpus = rs.Corpus.from_text(text, language=language)
    labels = label([hypothesis], corpus, SIGNALS)[name]
    np.testing.assert_array_equal(
        labels, expected(hypothesis.kind, marks), err_msg=f"{text!r}\n {''.join(str(int(v)) for v in np.nan_to_num(labels, nan=9))}"
    )


def test_every_hypothesis_is_tried_here() -> None:
    assert {name for name, *_ in CASES} == {h.name for h in rs.hypotheses()}


def test_at_least_fifty_of_every_kind() -> None:
    kinds = [h.kind for h in rs.hypotheses()]
    assert len(kinds) >= 50
    assert {"binary", "graded", "categorical"} == set(kinds)


@pytest.mark.parametrize("hypothesis", rs.hypotheses(), ids=lambda h: h.name)
def test_every_hypothesis_says_what_it_is(hypothesis: rs.Hypothesis) -> None:
    assert (
        hypothesis.sentence.split()[0] in {"binary": ("whether",), "graded": ("how",), "categorical": ("which",)}[hypothesis.kind]
    )
    assert hypothesis.family in ("place", "content", "enclosure", "syntax", "since", "prediction")


CRITICAL = [
    ("round_brackets", "a(bc)d", "   ^  "),
    ("bracket_depth", "((a)b)", "  ^ ^ "),
    ("word_class", "ab 1,", " ^^^ "),
    ("column", "ab\r\nc\n", " ^  ^ "),
    ("line_end", "ab\ncd", " ^   "),
    ("since_quote", 'a"b"', "  ^ "),
    ("next_space", "a b ", "^ ^ "),
]


@pytest.mark.parametrize(("name", "text", "marks"), CRITICAL)
def test_what_suffers_when_track_is_lost(name: str, text: str, marks: str) -> None:
    [hypothesis] = rs.hypotheses(name)
    labels = label([hypothesis], rs.Corpus.from_text(text))[name]
    assert "".join(" ^"[k] for k in hypothesis.critical(Passage(text), labels).astype(int)) == marks


def test_categories_have_names() -> None:
    [symbol], [word] = rs.hypotheses("previous_symbol"), rs.hypotheses("word_class")
    assert symbol.category(10) == "'\\n'"
    assert word.category(4) == "upper-case word"
    assert rs.hypothesis("mine", function=len, kind="categorical").category(3) == "3"


def test_reasons() -> None:
    [comment], [entropy] = rs.hypotheses("comment"), rs.hypotheses("entropy")
    assert reason(comment, "c", None) is None
    assert reason(comment, None, None) == "is about python and c"
    assert reason(entropy, None, SIGNALS) is None
    assert (reason(entropy, None, {}) or "").startswith("needs the model's entropy, which the trace doesn't have; record it with")
    assert reason(entropy, None, None) == "needs the model's entropy, which only a trace has"
    assert not label([entropy], rs.Corpus.from_text("abc"))
    with pytest.raises(UsageError, match="no model has read this passage"):
        Passage("a").signal("entropy")


def test_signals_are_those_of_the_passage() -> None:
    corpus = rs.Corpus.from_text("abcdefgh" * 8, rule=rs.StreamSplit(0.5, 0.25, 2, 4)).split("test")
    assert corpus.segments == 2
    source = {"entropy": np.arange(len(corpus))}
    assert label(rs.hypotheses("entropy"), corpus, source)["entropy"].tolist() == source["entropy"].tolist()


def test_a_long_text_is_labelled_in_pieces_that_begin_behind_empty_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "LONGEST", 16)
    text = "(aaaa aaaa a\n\nb bb b b\nbb bb\nccccccccccccccccccc"
    stretches = [(start, len(values)) for _, start, values in labelled(rs.hypotheses("digit"), rs.Corpus.from_text(text))]
    assert [text[start : start + n] for start, n in stretches] == [
        "(aaaa aaaa a\n\n", "b bb b b\nbb bb\n", "cccccccccccccccc", "ccc",
    ]  # fmt: skip
    assert label(rs.hypotheses("round_brackets"), rs.Corpus.from_text(text))["round_brackets"][14] == 0


def test_the_syntax_of_a_long_program_is_that_of_its_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = rs.Corpus.from_text("a = (1,\n2)\n\n" * 40, language="python", rule=rs.StreamSplit(0.4, 0.3, 3, 7)).split("test")
    names = ["round_brackets", "number", "comment"]
    before = label(rs.hypotheses(names), corpus)
    monkeypatch.setattr(base, "LONGEST_PROGRAM", 60)
    after = label(rs.hypotheses(names), corpus)
    for name in names:
        np.testing.assert_array_equal(before[name], after[name])


class Wrong(rs.Hypothesis):
    name, sentence, family = "wrong", "whether it is wrong", "own"

    def __init__(self, labels: object, kind: Kind = "binary") -> None:
        self.labels, self.kind = labels, kind

    def label(self, passage: Passage) -> Labels:
        return np.asarray(self.labels)


@pytest.mark.parametrize(
    ("labels", "kind", "said"),
    [
        ([1], "binary", r"'wrong' gave labels of shape \(1,\) for 2 symbols; expected one"),
        ([1, 2], "binary", "which is .*, gave the label 2; expected 0, 1 or NaN"),
        ([1, 0.5], "categorical", "which is .*, gave the label 0.5; expected whole numbers"),
        ([1, -1], "categorical", "which is .*, gave the label -1; expected whole numbers"),
        ([1, np.inf], "categorical", "gave the label inf; expected whole numbers from 0 to 2"),
        ([1, 2**24 + 1], "categorical", "gave the label 1.67772e.07; expected whole numbers from 0 to 2"),
        ([1, -np.inf], "graded", "gave the label -inf; expected finite numbers"),
        (["a", "b"], "categorical", "gave labels such as 'a'; expected numbers or booleans"),
    ],
)
def test_wrong_labels_are_refused(labels: object, kind: Kind, said: str) -> None:
    with pytest.raises(InputError, match=said):
        label([Wrong(labels, kind)], rs.Corpus.from_text("ab"))


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
