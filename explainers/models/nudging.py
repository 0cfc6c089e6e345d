"""Texts that a model sees somewhat moved: one draw of noise on the word embeddings, the same in every row."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from saliscope.explainers.errors import NotCapable
from saliscope.explainers.models.surface import Surface
from saliscope.explainers.queries import Piece
from saliscope.explainers.texts.encoding import Encoding
from saliscope.explainers.variants import Masked


def embedded(encoding: Encoding, network: Surface) -> Tensor:
    """The word embeddings of a text, `[T, K]`, with its nudge."""
    base = network.embed(torch.from_numpy(encoding.ids).to(network.device))
    return base if encoding.nudge is None else base + _nudge(encoding, base)


def nudge_rows(pieces: Sequence[Piece], embeds: Tensor, ids: Tensor, network: Surface) -> None:
    """Move the rows of nudged texts in `embeds [B, T, K]`, at the positions that hold the text's own id."""
    drops = any(isinstance(piece.query.rows, Masked) and piece.query.rows.hiding == "drop" for piece in pieces)
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


def _nudge(encoding: Encoding, base: Tensor) -> Tensor:
    """How far each word embedding of `base [T, K]` moves; special tokens stay."""
    assert encoding.nudge is not None
    generator = torch.Generator().manual_seed(encoding.nudge.seed)
    direction = torch.randn(base.shape, generator=generator).to(base.device, base.dtype)
    length = encoding.nudge.radius * base.norm(dim=-1, keepdim=True)
    free = torch.from_numpy(~encoding.special).to(base.device)[:, None]
    moves: Tensor = length * free * direction / direction.norm(dim=-1, keepdim=True)
    return moves
