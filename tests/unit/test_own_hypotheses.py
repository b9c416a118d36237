"""Hypotheses of one's own: from a function, a pattern, a query, a column of a file, and from the command line."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rnnscope as rs
from rnnscope.analysis.hypotheses.base import label
from rnnscope.cli.claims import own_hypotheses
from rnnscope.exceptions import InputError, RnnscopeError, UsageError

TEXT = "a 12 b"


def labels(hypothesis: rs.Hypothesis, text: str = TEXT, language: str | None = None) -> list[float]:
    found: list[float] = label([hypothesis], rs.Corpus.from_text(text, language=language))[hypothesis.name].tolist()
    return found


def test_a_function() -> None:
    digits = rs.hypothesis("mine", function=lambda text: [c.isdigit() for c in text], sentence="whether it is a digit")
    assert labels(digits) == [0, 0, 1, 1, 0, 0]
    assert (digits.name, digits.kind, digits.family, digits.sentence) == ("mine", "binary", "own", "whether it is a digit")
    code = rs.hypothesis("code", function=lambda text: [ord(c) for c in text], kind="categorical")
    assert labels(code, "ab") == [97, 98]


def test_a_pattern() -> None:
    assert labels(rs.hypothesis("mine", pattern=r"\d+")) == [0, 0, 1, 1, 0, 0]
    assert labels(rs.hypothesis("mine", pattern=re.compile(r"A", re.I))) == [1, 0, 0, 0, 0, 0]
    assert labels(rs.hypothesis("mine", pattern=r" (?P<in>1)2| (?P<other>b)")) == [0, 0, 1, 0, 0, 0]


def test_a_query() -> None:
    for query in (("c", "(number_literal) @x"), "c: (number_literal) @x"):
        hypothesis = rs.hypothesis("mine", query=query)
        assert hypothesis.languages == ("c",)
        assert labels(hypothesis, "a = 12;", "c") == [0, 0, 0, 0, 1, 1, 0]


COLUMNS: list[tuple[str, str, str, str, list[float]]] = [
    ("a.csv", "", "x\n1\n0\n\n1\n0\n0\n", "binary", [1, 0, np.nan, 1, 0, 0]),
    ("a.csv", ":y", "x,y\n1,3\n0,4\n1,5\n1,6\n1,7\n1,2.5\n", "graded", [3, 4, 5, 6, 7, 2.5]),
    ("a.tsv", ":y", "x\ty\n" + "1\tTrue\n2\t\n3\tFalse\n" * 2, "binary", [1, np.nan, 0, 1, np.nan, 0]),
    ("a.txt", "", "noun\nverb\n\nnoun\nadverb\nnoun\n", "categorical", [1, 2, np.nan, 1, 0, 1]),
    ("a.txt", "", "1\n2\n\n3\n4\n5\n", "graded", [1, 2, np.nan, 3, 4, 5]),
    ("a.txt", "", "true\nfalse\n\ntrue\ntrue\ntrue\n", "binary", [1, 0, np.nan, 1, 1, 1]),
]


@pytest.mark.parametrize(("file", "column", "content", "kind", "expected"), COLUMNS)
def test_a_column(tmp_path: Path, file: str, column: str, content: str, kind: str, expected: list[float]) -> None:
    (tmp_path / file).write_text(content)
    hypothesis = rs.hypothesis("mine", column=f"{tmp_path / file}{column}")
    assert hypothesis.kind == kind
    np.testing.assert_array_equal(labels(hypothesis), expected)
    if kind == "categorical":
        assert [hypothesis.category(k) for k in range(3)] == ["adverb", "noun", "verb"]


def test_columns_in_other_files(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([True, False] * 3))
    assert labels(rs.hypothesis("mine", column=tmp_path / "a.npy")) == [1, 0] * 3
    pd.DataFrame({"x": [1, 2] * 3, "y": ["b", None, "c"] * 2}).to_parquet(tmp_path / "a.parquet")
    np.testing.assert_array_equal(labels(rs.hypothesis("mine", column=f"{tmp_path / 'a.parquet'}:y")), [0, np.nan, 1] * 2)
    assert labels(rs.hypothesis("mine", column=f"{tmp_path / 'a.parquet'}:x", kind="categorical")) == [1, 2] * 3


def test_a_column_is_of_the_recorded_text_or_of_the_whole(tmp_path: Path) -> None:
    corpus = rs.Corpus.from_text("abcdefgh" * 8, rule=rs.StreamSplit(0.5, 0.25, 2, 4)).split("test")
    whole = np.arange(64)
    np.save(tmp_path / "whole.npy", whole)
    np.save(tmp_path / "part.npy", np.arange(len(corpus)))
    found = label([rs.hypothesis("mine", column=tmp_path / "whole.npy")], corpus)["mine"]
    expected = [whole[o : o + b - a] for (a, b), o in zip(corpus.spans(), corpus.origins, strict=True)]
    np.testing.assert_array_equal(found, np.concatenate(expected))
    assert label([rs.hypothesis("mine", column=tmp_path / "part.npy")], corpus)["mine"].tolist() == list(range(len(corpus)))
    np.save(tmp_path / "other.npy", np.arange(9))
    with pytest.raises(InputError, match=r"has 9 values for the hypothesis 'mine'; expected 16, .* or 64 for the whole text"):
        label([rs.hypothesis("mine", column=tmp_path / "other.npy")], corpus)


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("mine", {}, "was given nothing; expected exactly one of function, pattern, query, column"),
    ("mine", {"pattern": "a", "query": "c: (x)"}, "was given pattern and query; expected exactly one"),
    ("a b", {"pattern": "a"}, "'a b' is no name for a hypothesis"),
    ("comment", {"pattern": "a"}, "'comment' is there already"),
    ("mine", {"pattern": "a", "kind": "yes"}, "'yes' is no kind of hypothesis; expected one of binary, graded, categorical"),
    ("mine", {"pattern": "a", "kind": "graded"}, "whose labels are binary, not graded"),
    ("mine", {"pattern": "("}, "is no regular expression: missing"),
    ("mine", {"pattern": b"a"}, "is of bytes"),
    ("mine", {"function": 3}, "the function of 'mine' is 3; expected a function"),
    ("mine", {"query": "java: (x) @y"}, "is for 'java'; expected python or c"),
    ("mine", {"query": ("c",)}, "expected a language and a query"),
    ("mine", {"query": ("c", "(comment)", "x")}, "expected a language and a query"),
    ("mine", {"query": "c: (commen) @y"}, "is none for c: Invalid node type at row 0, column 1: commen"),
    ("mine", {"query": "c: (comment)"}, "captures nothing; write @node"),
    ("mine", {"column": "nothing.csv"}, "there is no file nothing.csv"),
    ("mine", {"column": "labels.xls"}, "in no form that is known; expected one of .csv"),
]


@pytest.mark.parametrize(("name", "given", "said"), WRONG)
def test_what_makes_no_sense_is_refused(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(RnnscopeError, match=re.escape(said)) as error:
        rs.hypothesis(name, **given)
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,b\n")
    for place, said in ((":z", "has no column 'z'; name one of its columns"), ("", "has 2 columns; name one")):
        with pytest.raises(InputError, match=said):
            rs.hypothesis("mine", column=f"{tmp_path / 'a.csv'}{place}")
    with pytest.raises(InputError, match="holds 'b', which is no graded label"):
        rs.hypothesis("mine", column=f"{tmp_path / 'a.csv'}:y", kind="graded")
    np.save(tmp_path / "a.npy", np.zeros((2, 2)))
    with pytest.raises(InputError, match=r"its shape is \(2, 2\), expected"):
        rs.hypothesis("mine", column=tmp_path / "a.npy")


def test_a_function_that_fails() -> None:
    with pytest.raises(InputError, match=r"the hypothesis 'mine' gave labels of shape \(\) for 6 symbols"):
        labels(rs.hypothesis("mine", function=len))
    with pytest.raises(InputError, match="the function of the hypothesis 'mine' failed: ZeroDivisionError"):
        labels(rs.hypothesis("mine", function=lambda text: 1 // 0))


def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("labels_of_mine.py").write_text("def digit(text):\n    return [c.isdigit() for c in text]\n")
    Path("a.csv").write_text("x,y\n" + "1,2\n" * 6)
    made = own_hypotheses(("f=labels_of_mine:digit",), (r"p=\d=?",), ("q=c:(number_literal) @x",), ("l:categorical=a.csv:y",))
    assert [(h.name, h.kind) for h in made] == [("f", "binary"), ("p", "binary"), ("q", "binary"), ("l", "categorical")]
    assert [labels(h) for h in made if not h.languages] == [[0, 0, 1, 1, 0, 0], [0, 0, 1, 1, 0, 0], [2] * 6]
    for functions, said in (
        (("f",), "'f' describes no hypothesis; expected NAME="),
        (("f=labels_of_mine",), "names no function"),
        (("f=no_such_module_here:f",), "can't be imported"),
        (("f=labels_of_mine:g",), "has no function 'g'"),
        (("f=labels_of_mine:digit",) * 2, "two hypotheses of yours are called 'f'"),
    ):
        with pytest.raises(RnnscopeError, match=said):
            own_hypotheses(functions, (), (), ())
    with pytest.raises(UsageError, match="is no kind"):
        own_hypotheses(("f:yes=labels_of_mine:digit",), (), (), ())
