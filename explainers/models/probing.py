"""What a short run says of a network beforehand."""

from __future__ import annotations

import torch

from saliscope.explainers.models.batches import Batch
from saliscope.explainers.models.surface import Surface
from saliscope.explainers.targets.scalar import Kind
from saliscope.explainers.variants import INPUT

HALVES = (torch.float16, torch.bfloat16)
ROUNDING = 1e-3
"""A gradient whose part along the embedding is a smaller share than this is at right angles to it."""


def is_scale_free(network: Surface, batch: Batch, kind: Kind) -> bool:
    """Whether every word embedding goes through a norm at once, so that its length means nothing.

    The gradient at such an embedding is at right angles to it: their product is rounding at every position. Asked of
    every output at once with weights that do not cancel.
    """

    def mixed(outputs: torch.Tensor) -> torch.Tensor:
        weights = torch.linspace(1.0, 2.0, outputs.shape[-1], device=outputs.device)
        return (outputs * weights).sum(-1)

    _, _, states, gradients = network.gradients(network.reader(kind), batch, (INPUT,), mixed)
    state, gradient = states[INPUT].float(), gradients[INPUT].float()
    sizes = state.norm(dim=-1) * gradient.norm(dim=-1)
    along = (state * gradient).sum(-1).abs()
    share = ROUNDING * (50 if states[INPUT].dtype in HALVES else 1)
    return bool(sizes.max() > 0) and bool((along <= share * sizes.clamp(min=1e-12)).all())
