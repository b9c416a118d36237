"""A network whose units are known by construction: they are found, and noise is not."""

from pathlib import Path

import pytest
import torch

import rnnscope as rs

UNITS, QUOTE, BRACKET, LINE = 16, 3, 7, 11


def planted(vocabulary: rs.Vocabulary, *, flipped: bool = False, seed: int = 0) -> rs.RecurrentLM:
    """An LSTM among whose random units one latches between double quotes, one counts round brackets and one counts columns."""
    torch.manual_seed(seed)
    model = rs.RecurrentLM(rs.Architecture("lstm", 1, UNITS), vocabulary)
    [layer] = model.stack
    symbol = {chr(value): k for k, value in enumerate(vocabulary.values)}
    sign = -1.0 if flipped else 1.0
    with torch.no_grad():
        for unit in (QUOTE, BRACKET, LINE):
            for row in (unit, UNITS + unit, 2 * UNITS + unit, 3 * UNITS + unit):
                for weights in layer.parameters():
                    weights[row] = 0.0
            layer.bias_ih[unit] = -20  # input gate shut …
            layer.bias_ih[UNITS + unit] = 20  # … forget gate open: the cell keeps
            layer.bias_ih[3 * UNITS + unit] = 20  # output gate open
        # bracket: writes +1 at an opener, −1 at a closer
        for mark, step in (("(", 1.0), (")", -1.0)):
            layer.weight_ih[BRACKET, symbol[mark]] = 40
            layer.weight_ih[2 * UNITS + BRACKET, symbol[mark]] = sign * step * 20
        # quote: the candidate is +1 while the latch is off and −1 while it is on, written at every quote
        layer.weight_ih[QUOTE, symbol['"']] = 40
        layer.bias_ih[2 * UNITS + QUOTE] = sign * 20
        layer.weight_hh[2 * UNITS + QUOTE, QUOTE] = -60.0
        # line: a small step at every symbol, forgotten at a newline
        layer.bias_ih[LINE] = -4
        layer.bias_ih[2 * UNITS + LINE] = sign * 20
        layer.weight_ih[UNITS + LINE, symbol["\n"]] = -60
    return model


@pytest.fixture(scope="module")
def prose() -> rs.Corpus:
    sentence = 'He said (to her, and (aside) to me) "that was it" and left.\nThen nothing "more (or less) came" (so far).\n'
    return rs.Corpus.from_text(sentence * 60)


@pytest.mark.parametrize("flipped", [False, True])
def test_planted_units_are_found(prose: rs.Corpus, flipped: bool, tmp_path: Path) -> None:
    model = planted(prose.vocabulary, flipped=flipped)
    trace = rs.record(model, prose, tmp_path / "t")
    best = rs.best_units(
        rs.score(trace, rs.hypotheses(["double_quotes", "round_brackets", "bracket_depth", "column"]), "cell")
    ).set_index("hypothesis")
    wanted = {"double_quotes": QUOTE, "round_brackets": BRACKET, "bracket_depth": BRACKET, "column": LINE}
    assert best["unit"].to_dict() == wanted
    assert (best["polarity"] == (-1 if flipped else 1)).all()
    assert (best["score"] > 0.97).all(), best


def test_nothing_is_found_in_random_networks(prose: rs.Corpus, tmp_path: Path) -> None:
    found = 0
    for seed in range(5):
        torch.manual_seed(seed)
        model = rs.RecurrentLM(rs.Architecture("lstm", 1, UNITS), prose.vocabulary)
        trace = rs.record(model, prose, tmp_path / str(seed), ["cell"])
        best = rs.best_units(rs.score(trace, rs.hypotheses(["double_quotes", "round_brackets"])))
        found += int((best["score"] > 0.95).sum())
    assert found == 0
