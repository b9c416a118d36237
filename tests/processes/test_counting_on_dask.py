"""Scores from a cluster of two real processes: the same table, bit for bit."""

from pathlib import Path

import pandas as pd
import pytest

import rnnscope as rs
from rnnscope.exceptions import UsageError
from tests.processes.test_sweeps import dask_cluster

TESTED = ["comment", "column", "word_class", "word_position", "in_word"]


def test_the_same_table_from_two_processes(model: rs.RecurrentLM, text: str, tmp_path: Path) -> None:
    corpus = rs.Corpus.from_text(text * 6, vocabulary=model.vocabulary, language="python")  # several pieces in each half
    trace = rs.record(model, corpus, tmp_path / "kept", ["layer*/cell"])
    lazy = rs.record(model, corpus, tmp_path / "lazy")
    here = rs.score(trace, rs.hypotheses(TESTED), "cell")
    with dask_cluster(tmp_path, 2) as (address, _):
        there = rs.score(trace, rs.hypotheses(TESTED), "cell", cluster=address)
        with pytest.raises(UsageError, match="doesn't keep layer0/cell, layer1/cell"):
            rs.score(lazy, rs.hypotheses(TESTED), "cell", cluster=address)
    pd.testing.assert_frame_equal(here, there, check_exact=True)
    assert pd.DataFrame(here.attrs["claims"]).equals(pd.DataFrame(there.attrs["claims"]))
