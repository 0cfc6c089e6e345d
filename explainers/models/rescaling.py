"""The rescale rule as a gradient: an activation passes on its slope between a text and its reference.

Shrikumar, Greenside & Kundaje, "Learning Important Features Through Propagating Activation Differences", ICML 2017.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

ELEMENTWISE: Final = frozenset(
    {
        functional.gelu,
        functional.silu,
        functional.mish,
        functional.elu,
        functional.selu,
        functional.celu,
        functional.relu,
        functional.relu6,
        functional.leaky_relu,
        functional.hardtanh,
        functional.hardswish,
        functional.hardsigmoid,
        functional.softplus,
        functional.logsigmoid,
        functional.tanh,
        functional.sigmoid,
        torch.relu,
        torch.selu,
        torch.celu,
        torch.tanh,
        torch.sigmoid,
        torch.erf,
        torch.Tensor.relu,
        torch.Tensor.tanh,
        torch.Tensor.sigmoid,
        torch.Tensor.erf,
    }
)
"""Functions of one number, as models call them when they do not keep a module for it."""

CLOSE = 16
"""A difference of so many roundings is none: there the slope is the gradient."""


class Rescaling(TorchFunctionMode):
    """Inside, row 2k is a text and row 2k+1 its reference, and an activation f has the gradient
    (f(x) - f(x')) / (x - x') in both, or its own where the two nearly meet.

    No value changes, nothing of the model is touched, and only in this thread. Softmax, norms and products keep their
    gradient at the text, so that scores add up exactly only where a model has none of them between text and output.
    """

    def __init__(self, num_rows: int) -> None:
        super().__init__()
        self._num_rows = num_rows
        self.num_activations = 0

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """An activation with its slope; all else as it is."""
        left = function(*args, **(kwargs or {}))
        return self.pass_on(args[0], left) if function in ELEMENTWISE and args else left

    def pass_on(self, entered: Tensor, left: Tensor) -> Tensor:
        """The output of an activation, with the slope between the rows of a pair for its gradient."""
        if left is entered or entered.dim() < 2 or len(entered) % self._num_rows or entered.shape != left.shape:
            return left
        self.num_activations += 1
        with torch.no_grad():
            x, y = entered.reshape(self._num_rows, -1), left.reshape(self._num_rows, -1)
            gap, rise = x[::2] - x[1::2], y[::2] - y[1::2]
            least = CLOSE * torch.finfo(x.dtype).eps * torch.maximum(x[::2].abs(), x[1::2].abs()).clamp(min=1.0)
            close = gap.abs() <= least
            slope = rise / torch.where(close, torch.ones_like(gap), gap)
            both, near = (t.repeat_interleave(2, 0).reshape(entered.shape) for t in (slope, close))
        return torch.where(near, left, replace_gradient(left, both * entered))


def replace_gradient(value: Tensor, linear: Tensor) -> Tensor:
    """Exactly `value`, with the gradient of `linear`."""
    return value.detach() + (linear - linear.detach())
