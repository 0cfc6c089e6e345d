"""Relevance propagation as a gradient: torch functions whose backward follows a rule, the forward as it was.

Ali et al., "XAI for Transformers: Better Explanations through Conservative Propagation", ICML 2022 (cp-lrp), and
Achtibat et al., "AttnLRP: Attention-Aware Layer-Wise Relevance Propagation for Transformers", ICML 2024 (attn-lrp).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from saliscope.explainers.models.attending import FUSED, SOFTMAX
from saliscope.explainers.models.network import Network
from saliscope.explainers.models.rescaling import Rescaling, replace_gradient
from saliscope.explainers.models.surface import Surface
from saliscope.explainers.queries import Rule

ACTIVATIONS = (
    functional.gelu,
    functional.silu,
    functional.relu,
    torch.relu,
    torch.Tensor.relu,
    functional.tanh,
    torch.tanh,
    torch.Tensor.tanh,
)
PRODUCTS = (torch.mul, torch.Tensor.mul, torch.Tensor.__mul__)
MATRIX_PRODUCTS = (torch.matmul, torch.bmm, torch.Tensor.matmul, torch.Tensor.bmm, torch.Tensor.__matmul__)
PASSING = (
    functional.dropout,
    torch.dropout,
    torch.Tensor.to,
    torch.Tensor.type_as,
    torch.Tensor.view,
    torch.Tensor.reshape,
    torch.Tensor.contiguous,
)
"""What attention weights go through unchanged on their way to the values."""


class Obeying(TorchFunctionMode):
    """Inside, gradients follow a rule; no value changes, nothing of the model is touched, and only in this thread.

    cp-lrp: attention weights and the denominators of norms are constants. attn-lrp: denominators are; a product of
    attention weights and values shares its relevance evenly, so does a gated product, and an activation passes its
    relevance on whole (gradient f(x)/x).
    """

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self._even = rule == "attn-lrp"
        self._weights: list[Tensor] = []
        self._gates: list[Tensor] = []
        self.num_attentions = self.num_norms = 0

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """A call as its rule says; all others as they are."""
        kwargs = kwargs or {}
        if function is FUSED:
            return self._fused(*args, **kwargs)
        if function in SOFTMAX:
            return self._softmax(function, *args, **kwargs)
        if function is functional.layer_norm:
            self.num_norms += 1
            return _layer_norm(*args, **kwargs)
        if function is functional.rms_norm:
            self.num_norms += 1
            return _rms_norm(*args, **kwargs)
        if function in (torch.rsqrt, torch.Tensor.rsqrt):
            self.num_norms += 1
            return function(*args, **kwargs).detach()
        return self._share(function, args, kwargs) if self._even else function(*args, **kwargs)

    def pass_on(self, entered: Tensor, left: Tensor) -> Tensor:
        """The output of an activation, with the gradient f(x)/x."""
        slope = torch.where(entered == 0, 0.0, left / entered).detach()
        gate = replace_gradient(left, slope * entered)
        self._gates.append(gate)
        return gate

    def _fused(self, query: Tensor, key: Tensor, value: Tensor, *rest: Any, **kwargs: Any) -> Tensor:
        self.num_attentions += 1
        if not self._even:
            return FUSED(query.detach(), key.detach(), value, *rest, **kwargs)
        return FUSED(_damp(query, 0.25), _damp(key, 0.25), _damp(value, 0.5), *rest, **kwargs)

    def _softmax(self, function: Any, scores: Tensor, *rest: Any, **kwargs: Any) -> Tensor:
        if not self._even:
            self.num_attentions += 1
            return function(scores, *rest, **kwargs).detach()  # type: ignore[no-any-return]
        # A quarter here is a quarter at the queries and at the keys.
        weights: Tensor = function(_damp(scores, 0.25), *rest, **kwargs)
        self._weights.append(weights)
        return weights

    def _share(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if function in ACTIVATIONS:
            return self.pass_on(args[0], function(*args, **kwargs))
        if function in PRODUCTS and self._is_gated(*args):
            return _damp(function(*args, **kwargs), 0.5)
        if function in MATRIX_PRODUCTS and _among(args[0], self._weights):
            self.num_attentions += 1
            return function(args[0], _damp(args[1], 0.5), **kwargs)
        result = function(*args, **kwargs)
        if function in PASSING and _among(args[0], self._weights):
            self._weights.append(result)
        return result

    def _is_gated(self, left: Any, right: Any = None) -> bool:
        alike = isinstance(left, Tensor) and isinstance(right, Tensor) and left.shape == right.shape
        return alike and (_among(left, self._gates) or _among(right, self._gates))


@contextmanager
def obeying(
    rule: Rule | None, activations: Sequence[nn.Module] = (), num_rows: int = 1
) -> Iterator[Obeying | Rescaling | None]:
    """Gradients of forwards of `num_rows` rows inside follow `rule`.

    `activations` are modules that attn-lrp and deep-lift take as one function.
    """
    if rule is None:
        yield None
        return
    rules = Rescaling(num_rows) if rule == "deep-lift" else Obeying(rule)
    hooks = []
    if rule != "cp-lrp":
        hooks = [
            module.register_forward_hook(lambda _, args, left: rules.pass_on(args[0], left)) for module in activations
        ]
    try:
        with rules:
            yield rules
    finally:
        for hook in hooks:
            hook.remove()


def can_obey(network: Network) -> bool:
    """Whether a rule meets an attention and a norm in every layer, and leaves the outputs as they are."""
    with torch.no_grad():
        batch = network.probe_batch()
        plain = network.outputs(network.own_kind, batch)
        with obeying("attn-lrp") as rules:
            ruled = network.outputs(network.own_kind, batch)
    assert isinstance(rules, Obeying)
    met = min(rules.num_attentions, rules.num_norms) >= network.num_layers
    return met and torch.allclose(plain, ruled, rtol=1e-3, atol=1e-5)


@torch.no_grad()
def find_activations(network: Surface) -> tuple[nn.Module, ...]:
    """The modules that apply one function to each number: found by watching a forward, not by their class."""
    bare = [
        m for m in network.model.modules() if not list(m.children()) and not m.state_dict() and not list(m.buffers())
    ]
    calls: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def note(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if len(args) == 1 and isinstance(args[0], Tensor) and isinstance(output, Tensor):
            calls[module] = args[0], output

    hooks = [module.register_forward_hook(note) for module in bare]
    try:
        network.reader(network.own_kind)(network.probe_batch())
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(module for module, (entered, left) in calls.items() if _is_elementwise(module, entered, left))


def _is_elementwise(module: nn.Module, entered: Tensor, left: Tensor) -> bool:
    if entered.shape != left.shape or torch.equal(entered, left):
        return False
    return torch.allclose(module(entered[..., :1]), left[..., :1], rtol=1e-3, atol=1e-5)


def _layer_norm(
    entered: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    dims = tuple(range(-len(normalized_shape), 0))
    centred = entered - entered.mean(dims, keepdim=True)
    scale = (entered.var(dims, unbiased=False, keepdim=True) + eps).rsqrt().detach()
    left = functional.layer_norm(entered, list(normalized_shape), weight, bias, eps)
    return replace_gradient(left, centred * scale if weight is None else centred * scale * weight)


def _rms_norm(
    entered: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    dims = tuple(range(-len(normalized_shape), 0))
    least = torch.finfo(entered.dtype).eps if eps is None else eps
    scale = (entered.square().mean(dims, keepdim=True) + least).rsqrt().detach()
    left = functional.rms_norm(entered, list(normalized_shape), weight, eps)
    return replace_gradient(left, entered * scale if weight is None else entered * scale * weight)


def _damp(tensor: Tensor, factor: float) -> Tensor:
    """The same tensor, with `factor` times the gradient."""
    view = tensor.view_as(tensor)
    if view.requires_grad:
        view.register_hook(lambda gradient: gradient * factor)  # type: ignore[no-untyped-call]
    return view


def _among(tensor: Any, known: list[Tensor]) -> bool:
    return any(tensor is one for one in known)
