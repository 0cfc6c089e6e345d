"""Short runs of a model that was just loaded: does it keep what its capabilities promise?"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from saliscope.explainers.facts import Check
from saliscope.explainers.models.batches import Batch
from saliscope.explainers.models.network import Network
from saliscope.explainers.variants import INPUT

NUM_TOKENS = 12
STEPS = (4, 16, 64)
"""Midpoints on the way; more of them only where fewer do not show that the gradient adds up."""
REACH = 0.1
"""How far the completeness check goes from the text: far enough to be no rounding, near enough for a few steps."""

CAUSAL_TOLERANCE = 1e-4
PADDED_TOLERANCE = 1e-4
COMPLETE_TOLERANCE = 0.05
HALVES = (torch.float16, torch.bfloat16)
HALF_IS_ROUGHER = 500.0


def check(network: Network, max_tokens: int) -> tuple[Check, ...]:
    """What was found on a probe of ordinary ids; values are relative, 0 is perfect.

    `causality` (decoders): states do not change with later tokens. `padding`: rows of other lengths beside it do not
    change a row's outputs. `completeness`: the gradient on the way to a nearby input adds up to the change of output.
    """
    ids = _probe(network, max(2, min(NUM_TOKENS, max_tokens)))
    found = [_padding(network, ids), _completeness(network, ids)]
    return (_causality(network, ids), *found) if network.causal else tuple(found)


@torch.no_grad()
def _causality(network: Network, ids: Tensor) -> Check:
    """Two cuts, so that a layer that looks ahead now and then is seen too."""
    whole = network.hidden(network.embed(ids), torch.ones_like(ids)).float()
    worst = 0.0
    for cut in {ids.shape[1] // 3, ids.shape[1] - 1} - {0}:
        other = ids.clone()
        other[0, cut:] = ids[0, :cut].repeat(ids.shape[1])[: ids.shape[1] - cut]
        states = network.hidden(network.embed(other), torch.ones_like(other)).float()
        worst = max(worst, _gap(states[:, :cut], whole[:, :cut]))
    return _found("causality", worst, CAUSAL_TOLERANCE, network)


@torch.no_grad()
def _padding(network: Network, ids: Tensor) -> Check:
    length = ids.shape[1]
    short = max(1, length // 2)
    together, mask = ids.repeat(2, 1), torch.ones((2, length), dtype=torch.long, device=ids.device)
    mask[1, short:] = 0
    ends = torch.tensor([length - 1, short - 1], device=ids.device)
    merged = network.outputs(network.own_kind, _batch(network, together, mask, ends))
    alone = [network.outputs(network.own_kind, _single(network, row)) for row in (ids, ids[:, :short])]
    worst = max(_gap(merged[at : at + 1], single) for at, single in enumerate(alone))
    return _found("padding", worst, PADDED_TOLERANCE, network)


def _completeness(network: Network, ids: Tensor) -> Check:
    """Midpoints of a short way towards the embeddings in reverse order, held against the change of output."""
    found = Check("completeness", False, math.inf, 0.0)
    for steps in STEPS:
        found = _found("completeness", _residual(network, ids, steps), COMPLETE_TOLERANCE, network)
        if found.ok:
            break
    return found


def _residual(network: Network, ids: Tensor, steps: int) -> float:
    """What the gradients at `steps` midpoints miss of the change, as a share of it."""
    base = _single(network, ids)
    way = REACH * (base.embeds.flip(1) - base.embeds)
    points = torch.linspace(0, 1, 2 * steps + 1, device=ids.device)[:, None, None].to(way.dtype)

    def mixed(outputs: Tensor) -> Tensor:
        weights = torch.linspace(1.0, 2.0, outputs.shape[-1], device=outputs.device)
        return (outputs * weights).mean(-1)

    def at(points: Tensor) -> Batch:
        return _spread(base, points * way)

    read = network.reader(network.own_kind)
    shares = torch.zeros_like(base.embeds[0, :, 0], dtype=torch.float32)
    for middles in torch.split(points[1::2], STEPS[0]):
        _, _, _, gradients = network.gradients(read, at(middles), (INPUT,), mixed)
        shares += (gradients[INPUT].float() * way.float()).sum(-1).sum(0) / steps
    with torch.no_grad():
        first, last = mixed(read(at(points[[0, -1]])))
    size = max(float(shares.abs().sum()), abs(float(last - first)))
    # An output that nothing here changes has no completeness to speak of.
    return 0.0 if size < 1e-6 * (1 + abs(float(first))) else abs(float(shares.sum() - (last - first))) / size


def _spread(base: Batch, moved: Tensor) -> Batch:
    """One row for each way `[B, T, K]` that its embeddings are moved."""
    rows = len(moved)
    return replace(
        base,
        ids=base.ids.repeat(rows, 1),
        mask=base.mask.repeat(rows, 1),
        embeds=base.embeds + moved,
        ends=base.ends.repeat(rows),
    )


def _found(name: str, value: float, limit: float, network: Network) -> Check:
    half = next(iter(network.model.parameters())).dtype in HALVES
    limit *= (10 if name == "completeness" else HALF_IS_ROUGHER) if half else 1
    return Check(name, math.isfinite(value) and value <= limit, value, limit)


def _gap(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).abs().max() / wanted.abs().max().clamp(min=1.0))


def _probe(network: Network, length: int) -> Tensor:
    """Ordinary ids, no two neighbours alike."""
    six = network.probe_batch().ids[0]
    steps = torch.arange(length, device=six.device)
    return six[(steps * 5 + steps // 6) % 6][None]


def _single(network: Network, ids: Tensor) -> Batch:
    ends = torch.tensor([ids.shape[1] - 1], device=ids.device)
    return _batch(network, ids, torch.ones_like(ids), ends)


def _batch(network: Network, ids: Tensor, mask: Tensor, ends: Tensor) -> Batch:
    return Batch(ids, mask, None, network.embed(ids).detach(), ends, {})
