"""The conformance test passes what is right and names what isn't."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch

import rnnscope as rs
from rnnscope.exceptions import SeesAheadWarning, UsageError, VerificationError
from rnnscope.models.cells import CELLS
from rnnscope.testing import check_language_model
from tests.unit.test_wrapped import Looped, Theirs

VOCABULARY = rs.Vocabulary.of("abcdefghij")


@pytest.mark.parametrize("cell", CELLS)
def test_networks_conform(cell: str) -> None:
    check_language_model(rs.RecurrentLM(rs.Architecture(cell, 2, 7), VOCABULARY))


def test_wrapped_and_intervened_models_conform() -> None:
    from tests.unit.test_wrapped import CORPUS

    for module in (Theirs(), Looped()):
        check_language_model(rs.wrap(module, CORPUS.vocabulary), CORPUS.head(300))
    with pytest.warns(SeesAheadWarning, match="Theirs reads from both sides, and so has read what it predicts"):
        check_language_model(rs.wrap(Theirs(bidirectional=True), CORPUS.vocabulary), CORPUS.head(300))
    check_language_model(rs.ablate(rs.RecurrentLM(rs.Architecture("lstm", 2, 7), VOCABULARY), {"layer0/cell": 2}, 0.1))


class Uniform:
    """A language model that is no network: every symbol is as likely as any other."""

    name = "uniform"
    vocabulary = VOCABULARY
    fingerprint = "uniform"
    signals = (
        rs.Signal("log_prob", 0, "−log V", None, 0.0),
        rs.Signal("log_probs", len(VOCABULARY), "−log V", None, 0.0),
    )

    def read(self, corpus: rs.Corpus, signals: Sequence[str], *, block: int = 256) -> Iterator[rs.Block]:
        following = corpus.next_ids()
        for start, stop in corpus.spans():
            for at in range(start, stop, block):
                end = min(at + block, stop)
                values: dict[str, Any] = {
                    "log_probs": np.full((end - at, len(VOCABULARY)), -np.log(len(VOCABULARY)), np.float32),
                    "log_prob": np.where(following[at:end] >= 0, np.float32(-np.log(len(VOCABULARY))), np.float32(np.nan)),
                }
                yield rs.Block(at, self.spoiled(at, {name: values[name] for name in signals}))

    def spoiled(self, at: int, values: dict[str, Any]) -> dict[str, Any]:
        return values


def test_a_model_that_is_no_network_conforms() -> None:
    check_language_model(Uniform())
    with pytest.raises(UsageError, match="expected a language model"):
        check_language_model(3)  # type: ignore[arg-type]


def spoil(change: Any) -> type[Uniform]:
    return type("Spoiled", (Uniform,), {"spoiled": lambda self, at, values: change(at, values)})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda at, v: {name: value[:-1] for name, value in v.items()}, "expected each segment in order|was read 0 times"),
        (lambda at, v: {**v, "more": next(iter(v.values()))}, "it was asked for .* and gave"),
        (lambda at, v: {n: a + 3 for n, a in v.items()}, "log_prob runs from"),
        (lambda at, v: {n: a - 0.1 for n, a in v.items()}, "the sum of its probabilities and 1 differ by"),
        (lambda at, v: {n: a - at / 1000 for n, a in v.items()}, "is another in blocks of 1 symbols"),
        (lambda at, v: {n: a[:, :3] if a.ndim > 1 else a for n, a in v.items()}, r"log_probs has shape .* it is declared as"),
        (lambda at, v: {n: np.nan * a for n, a in v.items()}, "log_prob holds NaN"),
        (lambda at, v: {n: a - 0.1 * (len(v) == 1) for n, a in v.items()}, "log_prob asked for alone and among others differ"),
    ],
)
def test_what_does_not_hold_is_named(change: Any, words: str) -> None:
    with pytest.raises(VerificationError, match=words):
        check_language_model(spoil(change)())


def test_a_state_that_forgets_is_found_out() -> None:
    class Forgets(rs.RecurrentLM):
        def advance(self, ids: Any, state: Any, **options: Any) -> Any:
            named, after = super().advance(ids, state, **options)
            return named, {name: torch.zeros_like(value) for name, value in after.items()}

    with pytest.raises(VerificationError, match=r"differs? by"):
        check_language_model(Forgets(rs.Architecture("lstm", 1, 7), VOCABULARY))


def test_a_model_that_sees_the_future_is_found_out() -> None:
    class Cheats(rs.RecurrentLM):
        def advance(self, ids: Any, state: Any, **options: Any) -> Any:
            named, after = super().advance(ids, state, **options)
            named["logits"] = named["logits"] + ids.sum(0)[None, :, None] * torch.arange(len(VOCABULARY)) / 1e3
            return named, after

    with pytest.raises(VerificationError, match="read alone and among others"):
        check_language_model(Cheats(rs.Architecture("lstm", 1, 7), VOCABULARY))
