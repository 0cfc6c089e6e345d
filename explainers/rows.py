"""Rows made real: described variants of a text become ids, masks and embeddings, one micro-batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from saliscope.explainers.batches import Batch
from saliscope.explainers.encoding import BoolArray, Encoding, IntArray
from saliscope.explainers.errors import NotCapable
from saliscope.explainers.network import Network
from saliscope.explainers.queries import (
    INPUT,
    Evaluate,
    Layer,
    Masked,
    Moved,
    Noise,
    Outputs,
    Piece,
    Replaced,
    Rows,
    Value,
)
from saliscope.explainers.taps import Swap


@dataclass(frozen=True, slots=True)
class _Plan:
    """The rows of one piece before padding: `ids [rows, T]`, what is seen of them, the last position seen before the
    tail, and where the tail begins.
    """

    ids: IntArray
    seen: BoolArray
    ends: IntArray
    tails: IntArray


def materialise(pieces: Sequence[Piece], network: Network, mask_id: int) -> Batch:
    """Build the rows of all pieces, in order."""
    plans = [_plan(piece, mask_id) for piece in pieces]
    width = max(plan.ids.shape[1] for plan in plans)
    total = sum(len(plan.ids) for plan in plans)
    # Padding holds a real id: it is masked out.
    ids = np.full((total, width), mask_id, dtype=np.int64)
    seen = np.zeros((total, width), dtype=np.int64)
    at = 0
    for plan in plans:
        rows, length = plan.ids.shape
        ids[at : at + rows, :length] = plan.ids
        seen[at : at + rows, :length] = plan.seen
        at += rows
    ends, tails = (np.concatenate([getattr(plan, name) for plan in plans]) for name in ("ends", "tails"))
    places = None
    hiding = {piece.query.rows.hiding for piece in pieces if isinstance(piece.query.rows, Masked)}
    if hiding & {"drop", "attention"}:
        ids, seen, places, ends, tails = _place(ids, seen, (ends, tails), "drop" in hiding, network)
    device = network.device
    id_rows, mask = torch.from_numpy(ids).to(device), torch.from_numpy(seen).to(device)
    embeds = network.embed(id_rows)
    _nudge_rows(pieces, embeds, id_rows, network, drops="drop" in hiding)
    at = 0
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
            own, away_from = _states(moved, piece, network, mask_id)
            displacements[moved.layer] = own - away_from
            swaps[moved.layer] = _swap(displace(moved, piece, own, away_from), at, swaps.get(moved.layer))
        at += rows
    place_rows = None if places is None else torch.from_numpy(places).to(device)
    reads = _reads(ends, tails, pieces[0].query.encoding.tail)
    read_rows = None if reads is None else torch.from_numpy(reads).to(device)
    return Batch(id_rows, mask, place_rows, embeds, torch.from_numpy(ends).to(device), swaps, displacements, read_rows)


def embedded(encoding: Encoding, network: Network) -> Tensor:
    """The word embeddings of a text, `[T, K]`, with its nudge."""
    base = network.embed(torch.from_numpy(encoding.ids).to(network.device))
    return base if encoding.nudge is None else base + _nudge(encoding, base)


def reference(rows: Rows | None, base: Tensor, network: Network, mask_id: int, kind: str | None = None) -> Tensor:
    """What embeddings `base [T, K]` are compared with, `[K]`."""
    kind = kind or (rows.reference if isinstance(rows, Moved) else "mask")
    if kind == "mask":
        return network.embed(torch.tensor([mask_id], device=base.device))[0].to(base.dtype)
    if kind == "mean":
        return network.mean_embedding().to(base.dtype)
    if kind == "pad":
        return network.embed(torch.tensor([network.pad_id], device=base.device))[0].to(base.dtype)
    return torch.zeros_like(base[0])


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


def _nudge(encoding: Encoding, base: Tensor) -> Tensor:
    """How far each word embedding of `base [T, K]` moves; special tokens stay."""
    assert encoding.nudge is not None
    generator = torch.Generator().manual_seed(encoding.nudge.seed)
    direction = torch.randn(base.shape, generator=generator).to(base.device, base.dtype)
    length = encoding.nudge.radius * base.norm(dim=-1, keepdim=True)
    free = torch.from_numpy(~encoding.special).to(base.device)[:, None]
    moves: Tensor = length * free * direction / direction.norm(dim=-1, keepdim=True)
    return moves


def _nudge_rows(pieces: Sequence[Piece], embeds: Tensor, ids: Tensor, network: Network, drops: bool) -> None:
    """Move the rows of nudged texts, at the positions that hold the text's own id."""
    at = 0
    for piece in pieces:
        encoding, rows = piece.query.encoding, piece.stop - piece.start
        if encoding.nudge is not None:
            if drops:
                raise NotCapable("a text that is moved a little must keep its tokens; use mask=replace")
            own = torch.from_numpy(encoding.ids).to(ids.device)
            there = slice(at, at + rows), slice(0, len(own))
            moves = _nudge(encoding, network.embed(own))
            embeds[there] += moves * (ids[there] == own)[:, :, None]
        at += rows


def _plan(piece: Piece, mask_id: int) -> _Plan:
    encoding, rows, count = piece.query.encoding, piece.query.rows, piece.stop - piece.start
    length = len(encoding) - encoding.tail
    ids = np.repeat(encoding.ids[None, :], count, axis=0)
    seen = np.ones(ids.shape, dtype=np.bool_)
    if isinstance(rows, Replaced):
        ids = rows.ids[piece.start : piece.stop]
    if isinstance(rows, Masked):
        _check_read(piece)
        hidden = rows.hidden(len(encoding), piece.start, piece.stop)
        ids = np.where(hidden, mask_id, ids)
        if rows.hiding != "replace":
            seen = ~hidden
            # A text of which nothing is left is read as one mask token, where the text began.
            seen[~seen[:, :length].any(axis=1), 0] = True
    ends = length - 1 - seen[:, :length][:, ::-1].argmax(axis=1)
    return _Plan(ids, seen, ends, np.full(count, length, dtype=np.int64))


def _reads(ends: IntArray, tails: IntArray, tail: int) -> IntArray | None:
    """The positions that predict the tokens of a tail, `[rows, tail]`: the last one before it, and its own but one."""
    if not tail:
        return None
    return np.concatenate([ends[:, None], tails[:, None] + np.arange(tail - 1)[None, :]], axis=1)


def _check_read(piece: Piece) -> None:
    query = piece.query
    dropped = isinstance(query.rows, Masked) and query.rows.hiding == "drop"
    if dropped and not (isinstance(query, Evaluate) and isinstance(query.read, Outputs | Value)):
        raise TypeError("a row with tokens left out can be read at its end only")


def _place(
    ids: IntArray, seen: IntArray, marks: tuple[IntArray, IntArray], drop: bool, network: Network
) -> tuple[IntArray, IntArray, IntArray | None, IntArray, IntArray]:
    """Position ids that leave every token at its place; with `drop` what is not seen is not computed either.

    `marks` are the ends and tails of the rows, answered last as they are then.
    """
    first, width = network.first_place, ids.shape[1]
    if drop and first is None:
        raise NotCapable("position ids do not place tokens in this model, so none can be left out; use mask=replace")
    if drop and network.window is not None and width > network.window:
        raise NotCapable(
            f"layers of this model look {network.window} tokens far by count, and the text has {width}:"
            " tokens cannot be left out; use mask=attention or mask=replace"
        )
    if first is None:
        return ids, seen, None, *marks
    if not drop:
        return ids, seen, np.broadcast_to(np.arange(ids.shape[1]) + first, ids.shape).copy(), *marks
    counts = seen.sum(axis=1)
    tails = (seen * (np.arange(width) < marks[1][:, None])).sum(axis=1)
    order = np.argsort(seen == 0, axis=1, kind="stable")[:, : int(counts.max())]
    packed = np.take_along_axis(seen, order, axis=1)
    places = np.where(packed > 0, order, 0) + first
    return np.take_along_axis(ids, order, axis=1), packed, places, tails - 1, tails


def _states(moved: Moved, piece: Piece, network: Network, mask_id: int) -> tuple[Tensor, Tensor]:
    """What the text and its reference have at the layer of `moved`, `[T, K]` each; special tokens stay."""
    encoding = piece.query.encoding
    base = embedded(encoding, network)
    away_from = base.clone()
    positions = [position for group in moved.groups for position in group if not encoding.special[position]]
    away_from[positions] = reference(moved, base, network, mask_id)
    both = torch.stack([base, away_from])
    states = network.layer_states(both, torch.ones(both.shape[:2], dtype=torch.int64, device=both.device), moved.layer)
    return states[0], torch.zeros_like(states[1]) if moved.reference == "zero" else states[1]


def _swap(rows: Tensor, at: int, before: Swap | None) -> Swap:
    """A change of a layer's states: rows `at` and following become `rows [rows, T, K]`."""

    def swap(hidden: Tensor) -> Tensor:
        hidden = hidden if before is None else before(hidden)
        hidden = hidden.clone()
        hidden[at : at + len(rows), : rows.shape[1]] = rows
        return hidden

    return swap
