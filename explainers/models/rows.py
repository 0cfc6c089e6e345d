"""Rows made real: described variants of a text become ids, masks and embeddings, one micro-batch at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from saliscope.explainers.models.batches import Batch
from saliscope.explainers.models.nudging import nudge_rows
from saliscope.explainers.models.references import reference
from saliscope.explainers.models.states import LayerStates
from saliscope.explainers.models.surface import Surface
from saliscope.explainers.models.tables import lay_out
from saliscope.explainers.models.taps import Swap
from saliscope.explainers.queries import Piece
from saliscope.explainers.texts.encoding import IntArray
from saliscope.explainers.variants import INPUT, Layer, Moved, Noise


def materialise(pieces: Sequence[Piece], network: Surface, mask_id: int, states: LayerStates | None = None) -> Batch:
    """Build the rows of all pieces, in order; `states` remembers those of layers from one call to the next."""
    states = states or LayerStates(network, mask_id)
    table = lay_out(pieces, network, mask_id)

    def on_device(array: IntArray | None) -> Tensor | None:
        return None if array is None else torch.from_numpy(array).to(network.device)

    ids, mask, ends = (torch.from_numpy(rows).to(network.device) for rows in (table.ids, table.seen, table.ends))
    embeds, at = network.embed(ids), 0
    nudge_rows(pieces, embeds, ids, network)
    swaps: dict[Layer, Swap] = {}
    displacements: dict[Layer, Tensor] = {}
    for piece in pieces:
        rows = piece.stop - piece.start
        moved = piece.query.rows
        if isinstance(moved, Moved) and moved.layer == INPUT:
            length = len(piece.query.encoding)
            base = embeds[at, :length]
            embeds[at : at + rows, :length] = displace(moved, piece, base, reference(moved, base, network, mask_id))
        elif isinstance(moved, Moved):
            own, away_from = states.of(moved, piece.query.encoding)
            displacements[moved.layer] = own - away_from
            swaps[moved.layer] = _swap(displace(moved, piece, own, away_from), at, swaps.get(moved.layer))
        at += rows
    return Batch(
        ids,
        mask,
        on_device(table.places),
        embeds,
        ends,
        swaps,
        displacements,
        types=on_device(table.types if table.types.any() else None),
        reads=on_device(table.reads(pieces[0].query.encoding.tail)),
    )


def displace(moved: Moved, piece: Piece, base: Tensor, away_from: Tensor) -> Tensor:
    """Rows `start:stop` of `E + z D + noise`, `[rows, T, K]`."""
    steps = torch.zeros((piece.stop - piece.start, len(base)), dtype=base.dtype, device=base.device)
    z = torch.from_numpy(moved.z[piece.start : piece.stop]).to(base.device, base.dtype)
    difference = base - away_from
    sizes = torch.stack([difference[list(group)].norm() for group in moved.groups])
    if moved.normalise == "unit":
        moving = sizes > 0
        common = sizes[moving].median() if moving.any() else sizes.new_zeros(())
        z = z * torch.where(moving, common / sizes.clamp(min=1e-30), torch.zeros_like(sizes))
    for feature, group in enumerate(moved.groups):
        steps[:, list(group)] = z[:, feature, None]
    rows = base + steps[:, :, None] * difference
    if moved.noise is not None:
        rows = rows + draw(moved.noise, moved.groups, base, piece.start, piece.stop)
    return rows


def draw(noise: Noise, groups: tuple[tuple[int, ...], ...], base: Tensor, start: int, stop: int) -> Tensor:
    """The noise of rows `start:stop`, `[rows, T, K]`: each row from its own seed, so that no cut changes it."""
    positions = [position for group in groups for position in group]
    scale = deviation(noise, groups, base)
    out = torch.zeros((stop - start, *base.shape), dtype=base.dtype, device=base.device)
    for row in range(start, stop):
        pair = row // 2 if noise.antithetic else row
        generator = torch.Generator().manual_seed((noise.seed * 1_000_003 + pair) % (1 << 63))
        values = torch.randn((len(positions), base.shape[1]), generator=generator)
        sign = -1.0 if noise.antithetic and row % 2 else 1.0
        out[row - start, positions] = (sign * scale) * values.to(base.device, base.dtype)
    return out


def deviation(noise: Noise, groups: tuple[tuple[int, ...], ...], base: Tensor) -> float:
    """The standard deviation of the noise on embeddings `base [T, K]`."""
    moved = base[[position for group in groups for position in group]]
    if noise.unit == "range":
        return noise.sigma * float(moved.max() - moved.min())
    return noise.sigma * float(moved.norm(dim=-1).mean() / moved.shape[1] ** 0.5)


def _swap(rows: Tensor, at: int, before: Swap | None) -> Swap:
    """A change of a layer's states: rows `at` and following become `rows [rows, T, K]`."""

    def swap(hidden: Tensor) -> Tensor:
        hidden = hidden if before is None else before(hidden)
        hidden = hidden.clone()
        hidden[at : at + len(rows), : rows.shape[1]] = rows
        return hidden

    return swap
