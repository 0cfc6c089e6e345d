"""Gradients of values by what lies below the outputs, also where float16 has no room for small ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

LARGEST = 32.0
"""The largest slope of a row at the outputs with which a backward pass in float16 begins."""


def gradients_of(values: Tensor, outputs: Tensor, wanted: Sequence[Tensor], dtype: torch.dtype) -> list[Tensor | None]:
    """Gradients of `values [B]` by each of `wanted [B, …]`, None where there is no way; `outputs [B, …]` lie between.

    A model in float16 (`dtype`) loses what is small on the way down, and the loss of a confident one is: there each row
    goes back with slopes of a common size and is brought to its own in float32.
    """
    if dtype != torch.float16:
        return list(torch.autograd.grad(values.sum(), wanted, allow_unused=True))
    (slopes,) = torch.autograd.grad(values.sum(), [outputs], retain_graph=True)
    size = slopes.flatten(1).abs().amax(1)
    factor = LARGEST / size.clamp(min=1e-30)
    found = torch.autograd.grad(outputs, wanted, _by_row(factor, slopes) * slopes, allow_unused=True)
    return [None if grad is None else grad.float() / _by_row(factor, grad) for grad in found]


def _by_row(factor: Tensor, like: Tensor) -> Tensor:
    """One number a row, `[B, 1, …]`, with as many dimensions as `like`."""
    return factor.reshape(-1, *[1] * (like.dim() - 1))
