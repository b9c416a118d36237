"""minGRU: gates that see the input only, so that training needs no loop.

Source: Feng et al., *Were RNNs All We Needed?*, 2024, appendix B.3; as in the package `minGRU-pytorch`.
"""

from typing import Any

from torch import Tensor, where, zeros

from rnnscope.models.cells import Named
from rnnscope.models.recurrences.base import Note, Recurrence
from rnnscope.signal import Signal


class MinGRU(Recurrence):
    of = "minGRU_pytorch.minGRU.minGRU"

    def signals(self) -> list[Signal]:
        units = self.part.to_hidden_and_gate.out_features // 2
        return [
            Signal("update", units, "z = σ(W_z x); 1 overwrites", 0.0, 1.0, gate=True),
            Signal("candidate", units, "h̃ = g(W_h x), g(a) = a + ½ for a ≥ 0, else σ(a)", 0.0, None),
            Signal("hidden", units, "h = (1 − z) ∘ h₋₁ + z ∘ h̃", 0.0, None, state=True),
        ]

    def begin(self, x: Tensor) -> Named:
        return {"hidden": zeros(len(x), self.part.to_hidden_and_gate.out_features // 2, dtype=x.dtype, device=x.device)}

    def step(self, x: Tensor, state: Named, note: Note) -> tuple[Tensor, Named]:
        candidate, gate = self.part.to_hidden_and_gate(x).chunk(2, -1)
        z = note("update", gate.sigmoid())
        candidate = note("candidate", where(candidate >= 0, candidate + 0.5, candidate.sigmoid()))
        hidden = note("hidden", (1 - z) * state["hidden"] + z * candidate)
        return self.part.to_out(hidden), {"hidden": hidden}

    def returned(self, out: Tensor, state: Named, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        with_state = given[2] if len(given) > 2 else named.get("return_next_prev_hidden", False)
        return (out, state["hidden"][:, None]) if with_state else out
