"""The accelerator: the equations of `cells` through our kernel (`compiled`), or torch's own (oneDNN, cuDNN, native).

One seam for all of them: `hidden_states` takes what a layer takes and returns what a layer returns. Where no kernel
has a cell's equations, `covers` says so and the caller steps through them.
"""

import warnings
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding, linear

from rnnscope.models import cells, compiled, gradients, loops
from rnnscope.models.cells import Cell, Named, Weights
from rnnscope.models.edits import Edit, held_by
from rnnscope.models.paper_gru import paper_gru

# A layer's weights are four tensors, which cuDNN copies together at every call: little beside a stretch of text.
warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")

_KERNELS: dict[str, Any] = {
    "lstm": torch.lstm,
    "lstm-projected": torch.lstm,
    "gru": torch.gru,
    "rnn": torch.rnn_tanh,
    "rnn-relu": torch.rnn_relu,
}

_SMALL = 512
"""Units × batch up to which replaying is faster than our loops: for LSTM 1×128 four times, about equal at 512."""


def covers(cell: Cell) -> bool:
    """Whether a kernel computes exactly this cell's equations."""
    return cell.name in _KERNELS or cell.name == "gru-paper"


def hidden_states(cell: Cell, x: Tensor, state: Named, weights: Weights) -> tuple[Tensor, Named]:
    """Hidden states of a stretch, (time, batch, units), and the states after it.

    `x` is (time, batch, inputs), or (time, batch) symbol numbers, which stand for one-hot vectors.
    """
    if compiled.covers(cell, weights):
        return gradients.hidden_states(cell, x, state, weights)
    if cell.name == "gru-paper":
        hidden = paper_gru(project(x, weights).to(weights.hidden.dtype), state["hidden"], weights.hidden, weights.bias_hidden)
        return hidden, {"hidden": hidden[-1]}
    if not x.is_floating_point():
        x, weights = _dense(x, weights)
    start = tuple(state[name][None].to(x.dtype) for name in cell.states)
    first = start if len(start) > 1 else start[0]
    kernel = _KERNELS[cell.name]
    # biases, one layer, no dropout, gradients if they are on, one direction, time first
    out, *last = kernel(x, first, tuple(w for w in weights if w is not None), True, 1, 0.0, torch.is_grad_enabled(), False, False)
    return out, {name: value[0] for name, value in zip(cell.states, last, strict=True)}


def every_signal(cell: Cell, x: Tensor, state: Named, weights: Weights, *, kernel: bool = True, edit: Edit | None = None) -> Named:
    """Every signal of a stretch by kind, each (time, batch, units).

    By our kernel where it was compiled, else, on a processor, by our loops. Elsewhere, and where there is little to compute in
    a step, what a step starts costs more than its product: there the hidden states of torch's kernel are replayed. `kernel=False`
    steps through the equations, and so does an `edit`, but for our kernel, which holds units by itself.
    """
    if kernel and compiled.covers(cell, weights):
        held = held_by(edit, tuple(cell.equations), (*x.shape[:2], weights.hidden.shape[1]))
        if held is not None:
            return compiled.every_signal(cell, x, state, weights, held)
    if kernel and edit is None:
        small = x.shape[1] * weights.hidden.shape[1] <= _SMALL and cell.name in _KERNELS
        if loops.covers(cell, weights) and not small:
            return loops.every_signal(cell, x, state, weights)
        if covers(cell):
            hidden, _ = hidden_states(cell, x, state, weights)
            return cells.replay(cell, project(x, weights), {"hidden": hidden}, state, weights)
    return cells.unroll(cell, project(x, weights), state, weights, edit)


def project(x: Tensor, weights: Weights) -> Tensor:
    """The input times its weights plus its bias; a symbol number selects a column, never a product."""
    if x.is_floating_point():
        return linear(x, weights.input, weights.bias_input)
    return embedding(x, weights.input.T) + weights.bias_input


def _dense(ids: Tensor, weights: Weights) -> tuple[Tensor, Weights]:
    # A kernel wants dense input. One-hot vectors are the cheaper form while the vocabulary is smaller than a layer's
    # rows; beyond that the rows of W are looked up here and the kernel multiplies by the identity.
    rows, symbols = weights.input.shape
    if symbols <= rows:
        dtype = torch.get_autocast_dtype(ids.device.type) if torch.is_autocast_enabled(ids.device.type) else weights.input.dtype
        return torch.zeros(*ids.shape, symbols, dtype=dtype, device=ids.device).scatter_(-1, ids[..., None], 1), weights
    identity = torch.eye(rows, dtype=weights.input.dtype, device=weights.input.device)
    return embedding(ids, weights.input.T), weights._replace(input=identity)


def has_bfloat16(device: torch.device) -> bool:
    """Whether it multiplies bfloat16 in hardware (a processor by AVX-512 BF16 or AMX), so that it pays."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
