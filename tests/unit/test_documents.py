"""The documents' examples run."""

import doctest
from pathlib import Path

import pytest

import rnnscope as rs

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["ngrams.md", "hypotheses.md"])
def test_examples(name: str) -> None:
    found = doctest.testfile(str(DOCS / name), module_relative=False)
    assert found.attempted > 5
    assert found.failed == 0


SIDE_BY_SIDE = (
    "Breakdown", "Comparison", "appearances", "attribution", "closest", "compare", "contexts", "distances", "divergences",
    "dynamics", "emergence", "errors", "gained", "lookback", "nearest", "openings", "oracle", "oracles", "saturation", "timescales",
    "venn", "writes",
)  # fmt: skip


@pytest.mark.parametrize("name", SIDE_BY_SIDE)
def test_what_compares_and_explains_has_an_example(name: str) -> None:
    """They run as all examples do: pytest collects them."""
    assert name in rs.__all__
    assert ">>> " in (getattr(rs, name).__doc__ or "")


def test_every_hypothesis_stands_in_its_page() -> None:
    page = (DOCS / "hypotheses.md").read_text(encoding="utf-8")
    rows = [f"| `{h.name}` | {h.kind} | {', '.join(h.languages) or 'any'} | {h.sentence} |" for h in rs.hypotheses()]
    assert [row for row in rows if row not in page] == []
    assert page.count("\n| `") == len(rows)
