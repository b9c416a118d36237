"""The documents' examples run."""

import doctest
from pathlib import Path


def test_ngrams() -> None:
    found = doctest.testfile(str(Path(__file__).parents[2] / "docs" / "ngrams.md"), module_relative=False)
    assert found.attempted > 5
    assert found.failed == 0
