"""Weights as the matrix products of few rows want them: what an edit of a text asks for, of which most is kept."""

from __future__ import annotations

from types import MethodType
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.pytorch_utils import Conv1D

FEW_ROWS: Final = range(3, 97)
"""Rows whose product is faster with the weights on the left, `(W xᵀ)ᵀ`: with 8 rows it takes two thirds of the time.

Libraries of linear algebra share out the rows of the left side; one or two rows are read through by themselves, and
from about a hundred on both ways are the same.
"""

LEAST_WEIGHTS: Final = 1 << 18
"""Below these many numbers a matrix stays in the cache of a core and either way is fast."""


def lay_out(model: nn.Module) -> None:
    """Make a model's large float32 matrices on a CPU fast for few rows; what it computes stays the same.

    The `[in, out]` matrices of GPT-2's `Conv1D` keep their shape and are stored column by column.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | Conv1D) and _is_worth_it(module):
            if isinstance(module, Conv1D):
                module.weight.data = module.weight.data.t().contiguous().t()
            module.__dict__["forward"] = MethodType(_forward, module)


def _is_worth_it(module: nn.Linear | Conv1D) -> bool:
    if type(module) not in (nn.Linear, Conv1D):  # a class of its own may have a forward of its own
        return False
    weight: Tensor = module.weight
    on_cpu = weight.device.type == "cpu" and weight.dtype == torch.float32
    return on_cpu and weight.is_contiguous() and weight.numel() >= LEAST_WEIGHTS


def _forward(module: nn.Linear | Conv1D, rows: Tensor) -> Tensor:
    """`[..., in]` to `[..., out]`, as the module's own forward."""
    weight = module.weight.t() if isinstance(module, Conv1D) else module.weight
    flat = rows.reshape(-1, rows.shape[-1])
    if len(flat) not in FEW_ROWS or torch.is_grad_enabled():
        return functional.linear(rows, weight, module.bias)
    columns = weight @ flat.t() if module.bias is None else torch.addmm(module.bias[:, None], weight, flat.t())
    return columns.t().contiguous().view(*rows.shape[:-1], -1)
