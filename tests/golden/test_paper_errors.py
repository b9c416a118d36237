"""The numbers that the paper's sections 6 and 7 say exactly, on its own text."""

import numpy as np
import pytest

import rnnscope as rs
from rnnscope.breakdown import Mistakes
from rnnscope.breakdown.oracles import NGrams
from tests.conftest import real


@pytest.fixture(scope="module")
def book() -> rs.Corpus:
    return rs.Corpus.from_file(real("warpeace_input.txt"), symbols="bytes", rule=rs.StreamSplit())


def test_some_n_gram_is_right_on_so_many_symbols(book: rs.Corpus) -> None:
    test = book.split("test")
    tested = np.concatenate([np.arange(start, start + 3_300) for start in test.origins])
    everything = Mistakes(book, book.split("train"), tested, np.zeros(len(tested)), len(tested))
    assert NGrams().removes(everything).mean() == pytest.approx(0.615, abs=6e-4)


def test_what_the_20_gram_says_of_line_ends(book: rs.Corpus) -> None:
    model = rs.NGramLM.fit(book.split("train"), 20)
    table = rs.compare({"20-gram": model, "2-gram": model.shorter(2)}, book.split("test")).gains("20-gram", "2-gram")
    [row] = [row for row in table.to_dict("records") if row["symbol"] == "\r"]
    assert row["probability"] == pytest.approx(0.289, abs=5e-4)
