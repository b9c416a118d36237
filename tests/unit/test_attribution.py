"""Gradient × input is what finite differences of stronger inputs give, for every cell."""

from typing import Any

import numpy as np
import pytest
import torch

import rnnscope as rs
from rnnscope.exceptions import RnnscopeError, UsageError
from rnnscope.findings import attribution as module
from rnnscope.findings.attribution import attribution


@pytest.fixture
def cut(corpus: rs.Corpus) -> rs.Corpus:
    return corpus.pieces(np.array([[0, 60], [100, 180]]))


@pytest.mark.parametrize("cell", ["lstm", "gru", "gru-paper", "rnn"])
def test_a_share_is_what_a_little_more_input_gives(cell: str, cut: rs.Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model = rs.RecurrentLM(rs.Architecture(cell, 2, 6), cut.vocabulary).double()
    value, step = module._value, 1e-6
    for target, unit, position, back in (("log_prob", None, 90, 20), ("layer1/hidden", 3, 59, 100), ("layer0/hidden", 0, 60, 5)):
        table = attribution(model, cut, position, target, unit, back=back)
        start = 60 if position >= 60 else 0
        assert table["position"].tolist() == list(range(position, max(start, position + 1 - back) - 1, -1))
        assert "".join(table["symbol"][::-1]) == cut.to_str(int(table["position"].iloc[-1]), position + 1)
        for row in sorted({0, len(table) // 2, len(table) - 1}):
            values: list[float] = []
            for change in (-step, step):

                def stronger(
                    model: Any, inputs: Any, *rest: Any, row: int = row, change: float = change, into: list[float] = values
                ) -> Any:
                    more = torch.ones(len(inputs), 1, 1, dtype=inputs.dtype)
                    more[len(inputs) - 1 - row] += change
                    found = value(model, inputs * more, *rest)
                    into.append(float(found.detach()))
                    return found

                monkeypatch.setattr(module, "_value", stronger)
                attribution(model, cut, position, target, unit, back=back)
                monkeypatch.setattr(module, "_value", value)
            assert table["share"][row] == pytest.approx((values[1] - values[0]) / (2 * step), rel=1e-4, abs=1e-9)


def test_the_target_is_what_the_network_says(model: rs.RecurrentLM, cut: rs.Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    value, found = module._value, []

    def seen(*given: Any) -> Any:
        found.append(float(value(*given).detach()))
        return value(*given)

    monkeypatch.setattr(module, "_value", seen)
    attribution(model, cut, 100, back=7)
    attribution(model, cut, 100, "layer1/cell", 4, back=7)
    expected: dict[str, Any] = {}
    for block in model.read(cut, ["log_prob", "layer1/cell"]):
        if block.start <= 100 < block.stop:
            expected = {name: values[100 - block.start] for name, values in block.arrays.items()}
    assert found[0] == pytest.approx(float(expected["log_prob"]), rel=1e-4)
    assert found[1] == pytest.approx(float(expected["layer1/cell"][4]), rel=1e-4)
    assert all(p.grad is None for p in model.parameters())


def test_what_cannot_be_attributed_is_refused(model: rs.RecurrentLM, cut: rs.Corpus, corpus: rs.Corpus) -> None:
    ngram = rs.NGramLM.fit(corpus, 2)
    wrong: list[tuple[tuple[Any, ...], str]] = [
        ((ngram, cut, 3), "expected a RecurrentLM"),
        ((model, cut, 140), "position is a whole number from 0 to 139, not 140"),
        ((model, cut, 3, "log_prob", 2), "log_prob has no units"),
        ((model, cut, 3, "layer0/cell", 12), "layer0/cell has the units 0 to 11; expected one of them, not 12"),
        ((model, cut, 3, "layer0/cell"), "expected one of them, not None"),
        ((model, cut, 3, "cell", 2), "'cell' is more than one signal; expected one, such as 'layer0/cell'"),
        ((model, corpus, len(corpus) - 1), "nobody knows what came after position"),
    ]
    for given, said in wrong:
        with pytest.raises(UsageError, match=said):
            attribution(*given)
    with pytest.raises(UsageError, match="back is a whole number of at least 1, not 0"):
        attribution(model, cut, 3, back=0)
    with pytest.raises(RnnscopeError, match="no signal is called 'layer9/cell'"):
        attribution(model, cut, 3, "layer9/cell", 0)
