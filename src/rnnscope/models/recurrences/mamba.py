"""Mamba: a state space whose step size, input and output are chosen by the input.

Source: Gu and Dao, *Mamba: Linear-Time Sequence Modeling with Selective State Spaces*, 2023, algorithm 2; as in `transformers`
(`pip install 'rnnscope[hf]'`).
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rnnscope.models.cells import Named
from rnnscope.models.recurrences.base import Note, Recurrence
from rnnscope.signal import Signal


class Mamba(Recurrence):
    """One mixer of E channels with N numbers of state each. `state` lies channel by channel: unit N · channel + n."""

    of = "transformers.models.mamba.modeling_mamba.MambaMixer"

    def signals(self) -> list[Signal]:
        channels, size = self.part.intermediate_size, self.part.ssm_state_size
        return [
            Signal("convolved", channels, "u = act(conv(x)), over the last symbols", None, None),
            Signal("step", channels, "Δ = softplus(W_Δ u + b); 0 keeps and ignores", 0.0, None),
            Signal("input", size, "B = W_B u; what of the state is written", None, None),
            Signal("output", size, "C = W_C u; what of the state is shown", None, None),
            Signal("forget", channels * size, "exp(Δ A); 1 keeps", 0.0, 1.0, gate=True),
            Signal("state", channels * size, "s = exp(Δ A) ∘ s₋₁ + Δ u Bᵀ", None, None, state=True),
            Signal("hidden", channels, "h = (s C + D ∘ u) ∘ act(z)", None, None),
        ]

    def begin(self, x: Tensor) -> Named:
        part = self.part
        return {
            "window": x.new_zeros(len(x), part.intermediate_size, part.conv_kernel_size - 1),
            "state": x.new_zeros(len(x), part.intermediate_size * part.ssm_state_size),
        }

    def step(self, x: Tensor, state: Named, note: Note) -> tuple[Tensor, Named]:
        part, batch, size = self.part, len(x), self.part.ssm_state_size
        taken, gate = part.in_proj(x).chunk(2, -1)
        window = torch.cat([state["window"], taken[..., None]], -1)
        conv = torch.nn.functional.conv1d(window, part.conv1d.weight, part.conv1d.bias, groups=part.intermediate_size)
        u = note("convolved", part.act(conv[..., 0]))
        rank, b, c = part.x_proj(u).split([part.time_step_rank, size, size], -1)
        delta = note("step", softplus(part.dt_proj(rank)))
        b, c = note("input", b), note("output", c)
        forget = note("forget", (delta[..., None] * -part.A_log.exp()).exp().view(batch, -1))
        written = (delta * u)[..., None] * b[:, None]
        s = note("state", forget * state["state"] + written.view(batch, -1))
        shown = (s.view(batch, -1, size) * c[:, None]).sum(-1) + part.D * u
        hidden = note("hidden", shown * part.act(gate))
        return part.out_proj(hidden), {"window": window[..., 1:], "state": s}
