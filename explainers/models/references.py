"""What word embeddings are compared with."""

from __future__ import annotations

import torch
from torch import Tensor

from saliscope.explainers.models.surface import Surface
from saliscope.explainers.variants import Moved, Rows


def reference(rows: Rows | None, base: Tensor, network: Surface, mask_id: int, kind: str | None = None) -> Tensor:
    """What embeddings `base [T, K]` are compared with, `[K]`."""
    kind = kind or (rows.reference if isinstance(rows, Moved) else "mask")
    if kind == "mask":
        return network.embed(torch.tensor([mask_id], device=base.device))[0].to(base.dtype)
    if kind == "mean":
        return network.mean_embedding().to(base.dtype)
    if kind == "pad":
        return network.embed(torch.tensor([network.pad_id], device=base.device))[0].to(base.dtype)
    return torch.zeros_like(base[0])
