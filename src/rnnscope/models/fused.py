"""The accelerator: the equations of `cells` through torch's own kernels (oneDNN, cuDNN, native).

One seam for all of them: `hidden_states` takes what a layer takes and returns what a layer returns. Where no kernel
has a cell's equations, `covers` says so and the caller steps through them.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding, one_hot

from rnnscope.models.cells import Cell, Named, Weights

_KERNELS: dict[str, Any] = {"lstm": torch.lstm, "gru": torch.gru, "rnn": torch.rnn_tanh}


def covers(cell: Cell) -> bool:
    """Whether a kernel computes exactly this cell's equations."""
    return cell.name in _KERNELS


def hidden_states(cell: Cell, x: Tensor, state: Named, weights: Weights) -> tuple[Tensor, Named]:
    """Hidden states of a stretch, (time, batch, units), and the states after it.

    `x` is (time, batch, inputs), or (time, batch) symbol numbers, which stand for one-hot vectors.
    """
    if not x.is_floating_point():
        x, weights = _dense(x, weights)
    start = tuple(state[name][None].to(x.dtype) for name in cell.states)
    first = start if len(start) > 1 else start[0]
    kernel = _KERNELS[cell.name]
    # biases, one layer, no dropout, gradients if they are on, one direction, time first
    out, *last = kernel(x, first, tuple(weights), True, 1, 0.0, torch.is_grad_enabled(), False, False)
    return out, {name: value[0] for name, value in zip(cell.states, last, strict=True)}


def _dense(ids: Tensor, weights: Weights) -> tuple[Tensor, Weights]:
    # A kernel wants dense input. One-hot vectors are the cheaper form while the vocabulary is smaller than a layer's
    # rows; beyond that the rows of W are looked up here and the kernel multiplies by the identity.
    rows, symbols = weights.input.shape
    if symbols <= rows:
        return one_hot(ids, symbols).to(weights.input.dtype), weights
    identity = torch.eye(rows, dtype=weights.input.dtype, device=weights.input.device)
    return embedding(ids, weights.input.T), weights._replace(input=identity)


def has_bfloat16(device: torch.device) -> bool:
    """Whether it multiplies bfloat16 in hardware (a processor by AVX-512 BF16 or AMX), so that it pays."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
