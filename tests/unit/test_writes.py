"""The parts of a state add up to it, in every cell that has a gate that keeps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rnnscope as rs
from rnnscope.exceptions import InputError, UsageError


@pytest.mark.parametrize(("cell", "state"), [("lstm", "cell"), ("gru", "hidden"), ("gru-paper", "hidden")])
def test_the_parts_make_the_state(cell: str, state: str, corpus: rs.Corpus, tmp_path: Path) -> None:
    torch.manual_seed(0)
    cut = corpus.pieces(np.array([[0, 300], [500, 900]]))
    network = rs.RecurrentLM(rs.Architecture(cell, 2, 5), corpus.vocabulary)
    trace = rs.record(network, cut, tmp_path / "t", ["layer*/*"])
    for position, back in ((0, 10), (299, 1_000), (299, 50), (300, 50), (640, 700), (640, 1)):
        for unit in (0, 4):
            table = rs.writes(trace, f"layer1/{state}", unit, position, back=back)
            assert table["part"].sum() == pytest.approx(float(trace[f"layer1/{state}"][position, unit]), abs=1e-5)
            start = 300 if position >= 300 else 0
            assert len(table) == min(back, position + 1 - start) + 1
            assert table["position"].tolist() == [*range(position, position - len(table) + 1, -1), position - len(table) + 1]
            assert "".join(table["symbol"][::-1]) == cut.to_str(position + 2 - len(table), position + 1)
            assert table["kept"][0] == 1
    begun = rs.writes(trace, f"layer0/{state}", 1, 310, back=500).iloc[-1]
    assert begun["part"] == 0  # nothing was there before the segment


def test_writes_by_hand(model: rs.RecurrentLM, trace: rs.Trace) -> None:
    table = rs.writes(trace, "layer0/cell", 2, 40)
    gates = {name: trace[f"layer0/{name}"][:41, 2].astype(float) for name in ("forget", "input", "candidate")}
    for row in (0, 1, 7, 40):
        at = 40 - row
        assert table["write"][row] == pytest.approx(gates["input"][at] * gates["candidate"][at], rel=1e-6)
        assert table["kept"][row] == pytest.approx(np.prod(gates["forget"][at + 1 :]), rel=1e-6)


def test_what_has_no_writes_is_refused(model: rs.RecurrentLM, trace: rs.Trace) -> None:
    for name in ("layer0/hidden", "layer0/forget", "layer7/cell", "log_prob"):
        with pytest.raises(InputError, match="is no state that a gate keeps"):
            rs.writes(trace, name, 0, 3)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"unit": 12}, "unit is a whole number from 0 to 11, not 12"),
        ({"position": -1}, "position is a whole number from 0 to 5,999, not -1"),
        ({"back": 0}, "back is a whole number of at least 1, not 0"),
        ({"unit": True}, "unit is a whole number from 0 to 11, not True"),
    ]
    for change, said in wrong:
        given: dict[str, Any] = {"unit": 0, "position": 3} | change
        with pytest.raises(UsageError, match=said):
            rs.writes(trace, "layer0/cell", **given)


def test_a_state_that_its_gates_do_not_make_is_refused(tmp_path: Path) -> None:
    text = rs.Corpus.from_text("".join(f"{k} times {k} is {k * k}, and so on.\n" for k in range(60)))
    model = rs.RecurrentLM(rs.Architecture("lstm", 1, 4), text.vocabulary)
    half = rs.record(model, text, tmp_path / "half", ["layer*/*"], half="layer*/*")
    assert rs.writes(half, "layer0/cell", 2, 1_000)["part"].sum() == pytest.approx(float(half["layer0/cell"][1_000, 2]), abs=0.05)
    ablated = rs.record(rs.ablate(model, {"layer0/cell": [2]}, to=0.7), text, tmp_path / "ablated", ["layer*/*"])
    with pytest.raises(InputError, match=r"holds 0\.7 at position 1,000, but its gates make"):
        rs.writes(ablated, "layer0/cell", 2, 1_000)
