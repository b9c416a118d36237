"""How numbers are shown to people."""

import numpy as np
import pandas as pd
import pytest

from rnnscope.cli.show import print_table


def shown(table: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    print_table(table, None)
    return [line.split() for line in capsys.readouterr().out.splitlines()[1:]]


def test_tiny_numbers_have_significant_digits(capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.DataFrame({"tiny": [0.0001234, -0.00567, -0.0], "large": [0.0001234, -0.00567, 0.01], "whole": [1, 20, 0]})
    assert shown(table, capsys) == [
        ["0.000123", "0.000", "1"],
        ["-0.00567", "-0.006", "20"],
        ["0", "0.010", "0"],
    ]
    assert shown(pd.DataFrame({"share": [0.0, 0.0]}), capsys) == [["0.000"], ["0.000"]]
    assert shown(pd.DataFrame({"share": [np.nan, 2.5e-7], "p": [np.inf, 1e-9]}), capsys) == [["inf"], ["2.5e-07", "0.000"]]


def test_no_zero_is_negative(capsys: pytest.CaptureFixture[str]) -> None:
    mixed = pd.Series([-0.0004, None, "a"], dtype=object)
    assert shown(pd.DataFrame({"gain": [-0.0004, -0.0, 1.0], "mixed": mixed}), capsys) == [
        ["0.000", "0.000"], ["0.000"], ["1.000", "a"],
    ]  # fmt: skip


def test_a_whole_number_that_is_missing_is_blank(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(pd.DataFrame({"update": pd.array([16, None], dtype="Int64"), "x": 1}), capsys) == [["16", "1"], ["1"]]
