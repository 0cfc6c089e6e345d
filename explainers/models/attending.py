"""Attention maps: watched where the model computes them, and reduced to one number a token before they leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from saliscope.explainers.errors import NotCapable
from saliscope.explainers.models.batches import Batch
from saliscope.explainers.models.network import Network, Reader
from saliscope.explainers.models.probing import PROBE_TOLERANCE
from saliscope.explainers.models.slopes import gradients_of
from saliscope.explainers.queries import AttentionForm

SOFTMAX = (functional.softmax, torch.softmax, torch.Tensor.softmax)
FUSED = functional.scaled_dot_product_attention
HALVES = (torch.float16, torch.bfloat16)

Pooling = Literal["first", "last", "mean"]
"""Which positions of the last layer an output is read from: the first, the row's last one, or all of them alike."""


@dataclass(frozen=True, slots=True)
class Attention:
    """One pass with its attention watched: raw `outputs [B, C]`, scalar `values [B]`, the weight `pooled [B, T]` with
    which each position of the last layer is read, and `reduced`: `[B, T]`, or `[B, L, T, T]` for the form "maps".
    """

    outputs: Tensor
    values: Tensor
    pooled: Tensor
    reduced: Tensor


class Watching(TorchFunctionMode):
    """Inside, every attention weight `[B, H, T, T]` is kept in order of computation, as a tensor of the graph.

    Fused attention is written out. Nothing of the model is touched: calls of torch functions are watched, in this
    thread only.
    """

    def __init__(self, num_rows: int, width: int, keep: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._num_rows, self._width, self._keep = num_rows, width, keep
        self.maps: list[Tensor] = []

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Let a call through, and keep what it computes if that is attention."""
        if function is FUSED:
            weights, value = weigh(*args, **(kwargs or {}))
            return self._watched(weights).to(value.dtype) @ value
        result = function(*args, **(kwargs or {}))
        return self._watched(result) if function in SOFTMAX else result

    def _watched(self, weights: Tensor) -> Tensor:
        squares = weights.dim() == 4 and weights.shape[-2:].numel() == self._width**2
        # A single query may have its heads laid out as [B, G, H / G, 1].
        single = self._width == 1 and weights.dim() == 4 and weights.shape[-1] == 1
        if len(weights) == self._num_rows and (squares or single):
            if torch.is_grad_enabled() and not weights.requires_grad:
                weights.requires_grad_(True)
            self.maps.append(self._keep(weights))
        return weights


def weigh(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Tensor, Tensor]:
    """The weights `[B, H, T, T]` (float32 at least) and values that `scaled_dot_product_attention` multiplies.

    As its documentation writes it out; a row that may look nowhere has weights of zero.
    """
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    wide = torch.promote_types(scores.dtype, torch.float32)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is None:
        return scores.softmax(-1, dtype=wide), value
    if attn_mask.dtype != torch.bool:
        return (scores + attn_mask).softmax(-1, dtype=wide), value
    hidden = ~attn_mask
    weights = scores.masked_fill(hidden, torch.finfo(scores.dtype).min).softmax(-1, dtype=wide)
    return weights.masked_fill(hidden, 0.0), value


def attend(
    network: Network,
    batch: Batch,
    read: Reader,
    form: AttentionForm,
    pooling: Pooling,
    scalar: Callable[[Tensor], Tensor],
) -> Attention:
    """One pass, with one backward for the form "gae": `read` makes outputs `[B, C]`, `scalar` maps them to values."""
    pooled = start_rows(batch, pooling)
    if form == "gae":
        with torch.enable_grad():
            outputs, maps = _watch(network, batch, read, lambda weights: weights)
            values = scalar(outputs)
            slopes = gradients_of(values, outputs, maps, batch.embeds.dtype)
        products = [
            _heads((weights * slope).detach(), batch)
            for weights, slope in zip(maps, slopes, strict=True)
            if slope is not None
        ]
        return Attention(outputs.detach(), values.detach(), pooled, _relevance(products, pooled))
    outputs, means = _watch(network, batch, read, lambda weights: _heads(weights, batch))
    if form == "maps":
        reduced = torch.stack(means, 1)
    elif form == "last":
        reduced = _step(pooled, means[-1])
    else:
        reduced = _rollout(means, pooled)
    return Attention(outputs, scalar(outputs), pooled, reduced)


def start_rows(batch: Batch, pooling: Pooling) -> Tensor:
    """The weight with which each position of the last layer is read, `[B, T]`, summing to one."""
    if pooling == "mean":
        return batch.mask / batch.mask.sum(-1, keepdim=True)
    at = batch.ends if pooling == "last" else torch.zeros_like(batch.ends)
    return functional.one_hot(at, batch.ids.shape[1]).float()


def find_pooling(network: Network) -> Pooling:
    """Which positions of the last block's output the model's own output hangs on.

    Where the blocks are not known it is taken to be the last position of a decoder, the first of an encoder.
    """
    if network.causal:
        return "last"
    if network.anatomy is None:
        return "first"
    top = network.anatomy.num_layers
    with torch.no_grad():
        batch = network.probe_batch()
    read = network.reader(network.own_kind)
    _, _, _, gradients = network.gradients(read, batch, (top,), lambda outputs: outputs[..., 0])
    touched = gradients[top][0].float().norm(dim=-1)
    little = 1e-3 * float(touched.max())
    if float(touched[1:].max()) <= little:
        return "first"
    return "last" if float(touched[:-1].max()) <= little else "mean"


def shows_attention(network: Network) -> bool:
    """Whether one attention map a layer can be watched, differentiated, and leaves the outputs as they are."""
    with torch.no_grad():
        batch = network.probe_batch()
        plain = network.outputs(network.own_kind, batch)
    with torch.enable_grad():
        outputs, maps = _watch(network, batch, network.reader(network.own_kind), lambda weights: weights, checked=False)
        if len(maps) != network.num_layers:
            return False
        slopes = torch.autograd.grad(outputs.sum(), maps, allow_unused=True)
    sums = torch.stack([weights.detach().float().sum(-1).sub(1).abs().max() for weights in maps])
    scale = float(plain.abs().max().clamp(min=1.0)) * (50 if batch.embeds.dtype in HALVES else 1)
    same = float((outputs.detach() - plain).abs().max()) <= PROBE_TOLERANCE * scale
    return same and float(sums.max()) < 1e-3 and all(slope is not None for slope in slopes)


def _watch(
    network: Network, batch: Batch, read: Reader, keep: Callable[[Tensor], Tensor], checked: bool = True
) -> tuple[Tensor, list[Tensor]]:
    rows, width = batch.ids.shape
    with Watching(rows, width, keep) as watching:
        outputs = read(batch)
    if checked and len(watching.maps) != network.num_layers:
        raise NotCapable(
            f"{len(watching.maps)} attention maps were seen in {network.num_layers} layers of this model; use a method"
            " that needs none"
        )
    return outputs, watching.maps


def _heads(weights: Tensor, batch: Batch) -> Tensor:
    """The mean over heads of the positive part, `[B, T, T]` in float32."""
    rows, width = batch.ids.shape
    return weights.reshape(rows, -1, width, width).float().clamp(min=0.0).mean(1)


def _step(rows: Tensor, layer: Tensor) -> Tensor:
    return torch.einsum("bi,bij->bj", rows, layer)


def _rollout(means: list[Tensor], pooled: Tensor) -> Tensor:
    """The pooled row of the product of 0.5 (A + I), rows summing to one, from the top layer down."""
    rows = pooled
    for mean in reversed(means):
        sums = 0.5 * mean.sum(-1) + 0.5
        rows = 0.5 * (_step(rows / sums, mean) + rows / sums)
    return rows


def _relevance(products: list[Tensor], pooled: Tensor) -> Tensor:
    """The pooled row of the product of (I + relu(A dF/dA)), from the top layer down, without the identity's part."""
    rows = pooled
    for product in reversed(products):
        rows = rows + _step(rows, product)
    return rows - pooled
