"""Rows of a causal model that begin alike: what is before their first difference is computed once.

Neighbours in a micro-batch have much in common where one feature after the other is hidden, and where many questions
follow one prompt.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from saliscope.explainers.errors import first_line
from saliscope.explainers.models.batches import Batch
from saliscope.explainers.models.lines import TOLERANCE, KeysAndValues
from saliscope.explainers.models.network import Network
from saliscope.explainers.texts.encoding import IntArray

#: What a forward costs beside its tokens, in tokens of a large one: reading the weights, starting the kernels.
FORWARD: Final = {"cpu": 24, "cuda": 1024}
#: Fewer rows are not divided any more.
FEWEST: Final = 4


class Group(NamedTuple):
    """Rows `start` to `stop` behind `known` positions that somebody computed: first those up to `shared` for all of
    them at once, then the rest, in `parts` if there are any.
    """

    start: int
    stop: int
    known: int
    shared: int
    parts: tuple[Group, ...] = ()


def plan(common: IntArray, length: int, forward: int) -> Group | None:
    """How rows of `length` tokens are computed with the fewest; `common [B - 1]` positions are alike in neighbours.

    A forward costs as many tokens again as `forward` says. None: all rows at once, from their beginning.
    """
    if common.sum() <= forward:
        return None
    group, cost = _planned(common, 0, len(common) + 1, 0, length, forward)
    return group if cost < _plain(len(common) + 1, length, forward) else None


def _planned(common: IntArray, start: int, stop: int, known: int, length: int, forward: int) -> tuple[Group, int]:
    rows = stop - start
    alike = int(common[start : stop - 1].min()) if rows > 1 else 0
    shared, cost = known, 0
    # The last position is left to be computed, so that every row has one of its own.
    if (alike := min(alike, length - 1)) > known and (alike - known) * (rows - 1) > forward:
        shared, cost = alike, forward + alike - known
    whole, rest = Group(start, stop, known, shared), _plain(rows, length - shared, forward)
    if rows >= 2 * FEWEST:
        middle = start + rows // 2
        halves = [_planned(common, *ends, shared, length, forward) for ends in ((start, middle), (middle, stop))]
        if (divided := sum(part for _, part in halves)) < rest:
            whole, rest = whole._replace(parts=tuple(group for group, _ in halves)), divided
    return whole, cost + rest


def _plain(rows: int, length: int, forward: int) -> int:
    return forward + rows * length


class _Behind(CacheLayerMixin):  # type: ignore[misc]
    """Keys and values of one layer for rows that all begin as one row that was computed."""

    is_sliding = False

    def __init__(self, layer: KeysAndValues, length: int) -> None:
        super().__init__()
        self.is_initialized = True
        self._before = [tape.until(length) for tape in layer.tapes]
        self._length = length

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing is to be prepared."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Keys and values `[B, H, T, D]`: the common ones, and behind them those of the rows."""
        keys, values = (
            torch.cat([before.expand(len(rows), -1, -1, -1), rows], dim=-2)
            for before, rows in zip(self._before, (key_states, value_states), strict=True)
        )
        return keys, values

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """How many positions the new ones look at, and the first of them."""
        return self._length + query_length, 0

    def get_seq_length(self) -> int:
        """How many positions are common."""
        return self._length

    def get_max_length(self) -> int:
        """There is no end."""
        return -1


class _Sharing:
    """One micro-batch on its way through a network."""

    def __init__(self, network: Network, batch: Batch) -> None:
        self._network, self._batch = network, batch
        self._layers = [KeysAndValues() for _ in range(network.num_layers)]
        self._states: Tensor | None = None

    def states(self, group: Group) -> Tensor:
        """The last states `[B, T, K]` of all rows."""
        self._run(group)
        assert self._states is not None
        return self._states

    def _run(self, group: Group) -> None:
        rows = slice(group.start, group.stop)
        if group.shared > group.known:
            for layer in self._layers:
                layer.length = group.known
            first = slice(group.start, group.start + 1)
            self._forward(first, rows, group.known, group.shared, Cache(layers=list(self._layers)))
        for part in group.parts:
            self._run(part)
        if not group.parts:
            behind = Cache(layers=[_Behind(layer, group.shared) for layer in self._layers]) if group.shared else None
            self._forward(rows, rows, group.shared, self._batch.mask.shape[1], behind)

    def _forward(self, rows: slice, owners: slice, start: int, stop: int, cache: Cache | None) -> None:
        """Compute positions `start` to `stop` of rows; what comes out belongs to the `owners`."""
        batch = self._batch
        keywords: dict[str, Any] = {} if batch.places is None else {"position_ids": batch.places[rows, start:stop]}
        found = self._network.body(
            inputs_embeds=batch.embeds[rows, start:stop],
            attention_mask=batch.mask[rows, :stop],
            past_key_values=cache,
            use_cache=cache is not None,
            **keywords,
        )[0]
        if self._states is None:
            self._states = found.new_empty((*batch.mask.shape, found.shape[-1]))
        self._states[owners, start:stop] = found


def hidden(network: Network, batch: Batch, forward: int | None = None) -> Tensor:
    """The last states `[B, T, K]` of a batch without swaps, as `Network.hidden` has them, to rounding."""
    if forward is None:
        forward = FORWARD.get(network.device.type, FORWARD["cuda"])
    group = plan(_common(batch), batch.mask.shape[1], forward)
    if group is None:
        return network.hidden(batch.embeds, batch.mask, batch.places)
    return _Sharing(network, batch).states(group)


def _common(batch: Batch) -> IntArray:
    """How many positions each row and the next one begin with alike, `[B - 1]`: seen, and with equal embeddings."""
    alike = (batch.ids[1:] == batch.ids[:-1]) & (batch.mask[1:] * batch.mask[:-1] > 0)
    if batch.places is not None:
        alike &= batch.places[1:] == batch.places[:-1]
    if alike[:, 0].any():
        # Rows of the same ids may have been moved.
        alike &= (batch.embeds[1:] == batch.embeds[:-1]).all(-1)
    found: IntArray = alike.long().cumprod(1).sum(1).cpu().numpy()
    return found


@torch.inference_mode()
def refused(network: Network, longest: int) -> str | None:
    """Why rows of a network cannot share what they begin with, found out by trying; None where they can."""
    six = network.probe_batch().ids[0]
    length = min(6 * FEWEST, longest)
    steps = torch.arange(length, device=six.device)
    ids = six[(steps * 5 + steps // 6) % 6].repeat(4 * FEWEST, 1)
    for row in range(len(ids)):
        ids[row, length * (row + 1) // (len(ids) + 2) + 1 :] = six[row % 6]
    mask = torch.ones_like(ids)
    mask[1::2, length - 2 :] = 0
    batch = Batch(ids, mask, None, network.embed(ids), mask.sum(1) - 1, {})
    wanted = network.hidden(batch.embeds, mask)
    try:
        found = hidden(network, batch, forward=0)
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:  # a body may trip over a cache that is not its own in any way
        return f"its rows cannot share what they begin with ({type(error).__name__}: {first_line(error)})"
    seen = mask[:, :, None] > 0
    worst = float(((found - wanted) * seen).abs().max() / (wanted * seen).abs().max().clamp(min=1.0))
    if not (math.isfinite(worst) and worst <= TOLERANCE):
        return f"rows that share what they begin with differ: outputs move by {worst:.2g}, at most {TOLERANCE:.2g}"
    return None
