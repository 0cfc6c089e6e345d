"""A model that is a known function of its word embeddings: gradients exact, no network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saliscope.explainers.answers import Answer, Differentiated, Evaluated
from saliscope.explainers.models.rows import draw
from saliscope.explainers.queries import Differentiate, Evaluate, Query
from saliscope.explainers.targets.scales import scaled
from saliscope.explainers.variants import INPUT, Moved
from tests.explainers.fakes import BASIC, FakeModel, linear_game

WIDTH = 6
EMBEDDINGS = torch.randn((1000, WIDTH), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
MASKED = torch.randn(WIDTH, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
WEIGHTS = torch.randn(WIDTH, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
Field = Callable[[Tensor], Tensor]
"""Embeddings `[B, T, K]` to the logit of "yes" `[B]`."""


def linear(embeds: Tensor) -> Tensor:
    """sum_i <w, E_i>."""
    return (embeds @ WEIGHTS).sum(-1)


def cubic(embeds: Tensor) -> Tensor:
    """sum_i <w, E_i>^3: what a position adds is known, whatever the path."""
    return (embeds @ WEIGHTS).pow(3).sum(-1)


def steep(embeds: Tensor) -> Tensor:
    """A step of sum_i <w, E_i>."""
    return torch.tanh(10.0 * ((embeds @ WEIGHTS).sum(-1) - 1.0))


@dataclass
class FieldModel(FakeModel):
    """A `ModelView` whose yes-logit is `field` of the embeddings of the words (no's is 0)."""

    field: Field = linear

    def embed(self, ids: Any) -> Tensor:
        """`[T, K]`; equal ids have equal rows."""
        return EMBEDDINGS[torch.from_numpy(np.asarray(ids))]

    def moved(self, query: Evaluate | Differentiate) -> Tensor:
        """The rows of a query, `[B, T, K]`."""
        base, rows = self.embed(query.encoding.ids), query.rows
        if rows is None:
            return base[None].clone()
        assert isinstance(rows, Moved)
        assert (rows.layer, rows.normalise) == (INPUT, "relative")
        away_from = MASKED if rows.reference == "mask" else torch.zeros(WIDTH, dtype=torch.float64)
        embeds = base.expand(len(rows), -1, -1).clone()
        for feature, group in enumerate(rows.groups):
            z = torch.from_numpy(rows.z[:, feature].astype(np.float64))[:, None, None]
            embeds[:, list(group)] += z * (base[list(group)] - away_from)
        if rows.noise is not None:
            embeds += draw(rows.noise, rows.groups, base, 0, len(rows))
        return embeds

    def answer(self, query: Query) -> Answer:
        self.queries.append(query)
        assert isinstance(query, Evaluate | Differentiate)
        embeds = self.moved(query).requires_grad_(True)
        logits = self.field(embeds)
        outputs = torch.stack([torch.zeros_like(logits), logits], -1)
        first = outputs[0].detach().numpy().astype(np.float32)
        if isinstance(query, Evaluate) and query.rows is None:
            return Evaluated(first[None], first)
        scalar = query.read.scalar if isinstance(query, Evaluate) else query.scalar  # type: ignore[union-attr]
        index = int(first.argmax()) if scalar.index is None else scalar.index
        values = scaled(outputs, index, scalar.scale, "softmax", torch)
        numbers = values.detach().numpy().astype(np.float32)
        if isinstance(query, Evaluate):
            return Evaluated(numbers, first)
        (gradient,) = torch.autograd.grad(values.sum(), embeds)
        away_from = MASKED if query.reference == "mask" else torch.zeros(WIDTH, dtype=torch.float64)
        kinds = {
            "activation": (gradient * embeds).sum(-1),
            "displacement": (gradient * (self.embed(query.encoding.ids) - away_from)).sum(-1),
            "sum": gradient.sum(-1),
            "l1": gradient.abs().sum(-1),
            "l2": gradient.norm(dim=-1),
            "l2-activation": (gradient * embeds).norm(dim=-1),
        }
        products = {(INPUT, kind): kinds[kind].detach().numpy().astype(np.float32) for kind in query.reductions}
        return Differentiated(first, index, numbers, products)


def make(field: Field = linear, **options: Any) -> FieldModel:
    """A field without fixed tokens, unless `leading` or `trailing` say otherwise."""
    capabilities = options.pop("capabilities", BASIC | {"gradients"})
    return FieldModel(linear_game([0.0]), capabilities=capabilities, field=field, **options)
