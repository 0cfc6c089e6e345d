"""A micro-batch as tensors."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from saliscope.explainers.models.taps import Swap
from saliscope.explainers.variants import Layer


@dataclass(frozen=True, slots=True)
class Batch:
    """One micro-batch: `ids` and `mask` `[B, T]` padded on the right, position ids where tokens were dropped, word
    embeddings `[B, T, K]`, the last position of each row (before its tail), and layers whose states are swapped on the
    way, with how far the text's own states are from their reference there, `[T, K]`. `types [B, T]` are token types,
    None if all are 0. Where rows have a tail, `reads [B, m]` are the positions that predict its tokens.
    """

    ids: Tensor
    mask: Tensor
    places: Tensor | None
    embeds: Tensor
    ends: Tensor
    swaps: dict[Layer, Swap]
    displacements: dict[Layer, Tensor] = field(default_factory=dict)
    types: Tensor | None = None
    reads: Tensor | None = None
