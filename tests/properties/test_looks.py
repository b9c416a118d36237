"""Laws of comparisons, contexts, attributions and writes, for every network and text."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rnnscope as rs
from rnnscope.comparison import read_all
from rnnscope.comparison.agreement import agreement, branches, tree
from rnnscope.comparison.contexts import WAYS, contexts
from rnnscope.comparison.overlap import overlap, regions
from rnnscope.comparison.venn import venn
from rnnscope.findings.attribution import attribution
from tests.unit.test_comparison import Told

TEXT = "she said (so), and left;\n" * 20
CORPUS = rs.Corpus.from_text(TEXT)
cells = st.sampled_from(["lstm", "gru", "gru-paper", "rnn"])
seeds = st.integers(0, 10_000)
some = settings(deadline=None, max_examples=20)


def network(cell: str, seed: int, units: int = 5) -> rs.RecurrentLM:
    torch.manual_seed(seed)
    made = rs.RecurrentLM(rs.Architecture(cell, 2, units), CORPUS.vocabulary).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.uniform_(-0.9, 0.9)
    return made


@some
@given(cells, seeds, st.integers(1, 400), st.integers(1, 60))
def test_what_a_target_rests_on_does_not_depend_on_how_far_is_looked(cell: str, seed: int, position: int, back: int) -> None:
    """The shares of the last symbols are the same however many are asked for, and those of two targets add up."""
    model = network(cell, seed)
    few, many = (attribution(model, CORPUS, position, back=n)["share"].to_numpy() for n in (back, back + 30))
    np.testing.assert_allclose(few, many[: len(few)], rtol=1e-9, atol=1e-12)
    hidden = [attribution(model, CORPUS, position, "layer1/hidden", unit, back=back)["share"].to_numpy() for unit in range(5)]
    came = int(CORPUS.next_ids(np.array([position]))[0])
    with torch.no_grad():
        ids = torch.from_numpy(CORPUS.ids[: position + 1].astype(np.int64))[:, None]
        p = model.advance(ids, model.begin(1))[0]["logits"][-1, 0].softmax(-1)
        weight = (model.readout.weight[came] - p @ model.readout.weight).numpy()  # d log p / d h
    np.testing.assert_allclose(few, weight @ np.array(hidden), rtol=1e-6, atol=1e-10)


@some
@given(st.sampled_from(["lstm", "gru", "gru-paper"]), seeds, st.integers(0, 479), st.integers(1, 600))
def test_what_was_written_adds_up_to_the_state(cell: str, seed: int, position: int, back: int) -> None:
    model = network(cell, seed)
    pieces = CORPUS.pieces(np.array([[0, 130], [150, 151], [151, len(CORPUS)]]))
    at = position % len(pieces)
    blocks = list(model.read(pieces, ["layer*/*"]))
    values: Any = {
        name: np.concatenate([b.arrays[name] for b in sorted(blocks, key=lambda b: b.start)]) for name in blocks[0].arrays
    }
    signal = "layer1/cell" if cell == "lstm" else "layer1/hidden"
    table = rs.writes(Recorded(model, pieces, values), signal, seed % 5, at, back=back)
    assert table["part"].sum() == pytest.approx(values[signal][at, seed % 5], rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(table["part"], table["write"] * table["kept"])


class Recorded(rs.Trace):
    """A trace in memory."""

    lost: Any = ""  # what the real one finds in its files
    signals: Any = ()
    corpus: Any = None

    def __init__(self, model: rs.RecurrentLM, corpus: rs.Corpus, values: Any) -> None:
        self.corpus, self.signals, self.values = corpus, [s for s in model.signals if s.layer is not None], values

    def __len__(self) -> int:
        return len(self.corpus)

    def __getitem__(self, name: Any) -> Any:
        return self.values[name]


@settings(deadline=None, max_examples=15)
@given(st.integers(2, 7), seeds)
def test_models_agree_with_themselves_and_with_one_another_alike(models: int, seed: int) -> None:
    noise = np.random.default_rng(seed).uniform(0.01, 0.99, (models, len(TEXT)))
    readings = read_all({str(k): Told(str(k), CORPUS, p) for k, p in enumerate(noise)}, CORPUS)
    table = agreement(readings)
    assert (np.diag(table) == 1).all()
    assert (table == table.T).all(axis=None)
    assert ((table >= 0) & (table <= 1)).all(axis=None)
    rows = branches(table)
    assert rows["models"].iloc[-1] == models
    assert rows["distance"].is_monotonic_increasing
    assert rows["distance"].tolist() == tree(table)[:, 2].tolist()
    counted = overlap(readings)
    assert counted["symbols"].sum() == len(readings)
    wrong = readings.errors()
    if models == 2:
        circles = venn(counted, ("0", "1"))
        total = sum(regions(counted, ("0", "1")).values())
        for (_, _, radius), errors in zip(circles.circles, wrong, strict=True):
            assert np.pi * radius**2 * total == pytest.approx(errors.sum(), rel=1e-6)


class Plain:
    """The same model, of which nothing is known but that it reads."""

    def __init__(self, model: rs.Recurrent) -> None:
        self.name, self.vocabulary, self.fingerprint = model.name, model.vocabulary, model.fingerprint
        self.signals, self._model = model.signals, model

    def read(self, corpus: rs.Corpus, signals: Sequence[str], *, block: int = 256) -> Iterator[rs.Block]:
        return self._model.read(corpus, signals, block=block)


@settings(deadline=None, max_examples=12)
@given(cells | st.sampled_from(["window", "ablated"]), seeds, st.lists(st.integers(1, 300), min_size=1, max_size=5), st.booleans())
def test_pieces_that_begin_alike_say_what_each_says_when_it_is_read(cell: str, seed: int, lengths: list[int], parted: bool) -> None:
    model: Any = network("lstm" if cell == "ablated" else cell, seed) if cell != "window" else None
    if cell == "window":
        torch.manual_seed(seed)
        model = rs.WindowLM(rs.Architecture("window", units=4, context=6), CORPUS.vocabulary)
    if cell == "ablated":
        model = rs.ablate(model, {"layer0/cell": 2}, to=0.5)
    corpus = CORPUS.pieces(np.array([[0, 320], [330, 480]])) if parted else CORPUS
    table = contexts({"shared": model, "read": Plain(model)}, corpus, lengths, places=20, seed=seed)
    one, other = (table[table["model"] == name].drop(columns="model").reset_index(drop=True) for name in ("shared", "read"))
    assert (one[["way", "context", "places"]] == other[["way", "context", "places"]]).all(axis=None)
    np.testing.assert_allclose(one["nats"], other["nats"], rtol=1e-5, atol=1e-6)
    longest = one[one["context"] == max(lengths)]
    assert longest["way"].tolist() == list(WAYS)
    assert (longest[["rise", "low", "high"]] == 0).all(axis=None)
