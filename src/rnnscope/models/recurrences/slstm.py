"""sLSTM of xLSTM: exponential gates, held in range by a normaliser and a stabiliser; and the convolution in front of it.

Source: Beck et al., *xLSTM: Extended Long Short-Term Memory*, 2024, section 2.2; as in the package `xlstm`.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from rnnscope.models.cells import Named
from rnnscope.models.recurrences.base import Note, Recurrence
from rnnscope.signal import Signal


class SLSTM(Recurrence):
    """The cell, whose input is already multiplied by its weights. Units lie head by head."""

    of = "xlstm.blocks.slstm.cell.sLSTMCellBase"

    def signals(self) -> list[Signal]:
        units = self.part.config.hidden_size
        return [
            Signal("input", units, "i = exp(ĩ − m), ĩ = x_i + R_i h₋₁ + b_i; 1 writes", 0.0, 1.0, gate=True),
            Signal("forget", units, "f = exp(log σ(f̃) + m₋₁ − m), f̃ = x_f + R_f h₋₁ + b_f; 1 keeps", 0.0, 1.0, gate=True),
            Signal("output", units, "o = σ(x_o + R_o h₋₁ + b_o); 1 shows", 0.0, 1.0, gate=True),
            Signal("candidate", units, "z = tanh(x_z + R_z h₋₁ + b_z)", -1.0, 1.0),
            Signal("stabiliser", units, "m = max(log σ(f̃) + m₋₁, ĩ)", None, None, state=True),
            Signal("cell", units, "c = f ∘ c₋₁ + i ∘ z", None, None, state=True),
            Signal("normaliser", units, "n = f ∘ n₋₁ + i", 0.0, None, state=True),
            Signal("hidden", units, "h = o ∘ c / n", -1.0, 1.0, state=True),
        ]

    def begin(self, x: Tensor) -> Named:
        zeros = x.new_zeros(len(x), self.part.config.hidden_size)
        # Nothing is kept at the first step, so that m = ĩ there
        return {"hidden": zeros, "cell": zeros, "normaliser": zeros, "stabiliser": torch.full_like(zeros, -torch.inf)}

    def step(self, x: Tensor, state: Named, note: Note) -> tuple[Tensor, Named]:
        part, heads = self.part, self.part.config.num_heads
        # As the package names them: from each unit of a head to each gate of its units, whatever the order in memory
        weights, bias = part._recurrent_kernel_int2ext(part._recurrent_kernel), part._bias_int2ext(part._bias)
        recurrent = torch.einsum("bki,kigo->bgko", state["hidden"].view(len(x), heads, -1), weights)
        i, f, z, o = (x + recurrent.flatten(1) + bias.transpose(0, 1).flatten()).chunk(4, -1)
        kept = logsigmoid(f) + state["stabiliser"]
        m = note("stabiliser", torch.maximum(i, kept))
        write, keep = note("input", (i - m).exp().clamp(max=1)), note("forget", (kept - m).exp().clamp(max=1))
        show, candidate = note("output", o.sigmoid()), note("candidate", z.tanh())
        cell = note("cell", keep * state["cell"] + write * candidate)
        normaliser = note("normaliser", keep * state["normaliser"] + write)
        hidden = note("hidden", show * cell / normaliser)
        return hidden, {"hidden": hidden, "cell": cell, "normaliser": normaliser, "stabiliser": m}

    def returned(self, out: Tensor, state: Named, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        states = torch.stack([state[kind] for kind in ("hidden", "cell", "normaliser", "stabiliser")])
        return self.part._permute_output(out.transpose(0, 1)), states


class CausalConvolution(Recurrence):
    """The convolution over the last symbols: no recurrence, but what it remembers has to be carried from stretch to stretch."""

    of = "xlstm.components.conv.CausalConv1d"
    place = "convolution"

    def signals(self) -> list[Signal]:
        return []

    def begin(self, x: Tensor) -> Named:
        return {"window": x.new_zeros(len(x), self.part.pad, x.shape[-1])}

    def step(self, x: Tensor, state: Named, note: Note) -> tuple[Tensor, Named]:
        window = torch.cat([state["window"], x[:, None]], 1)
        conv = self.part.conv
        out = torch.nn.functional.conv1d(window.transpose(1, 2), conv.weight, conv.bias, groups=conv.groups)
        return out[..., 0], {"window": window[:, 1:]}
