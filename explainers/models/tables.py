"""Rows as tables of ids: what each row holds, what of it is seen, and where its outputs are read; numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from saliscope.explainers.errors import NotCapable
from saliscope.explainers.models.surface import Surface
from saliscope.explainers.queries import Evaluate, Outputs, Piece, Value
from saliscope.explainers.texts.encoding import IntArray
from saliscope.explainers.variants import Masked, Replaced


@dataclass(frozen=True, slots=True)
class Table:
    """Rows `[B, T]`: `ids`, token `types` and what is `seen` (1 or 0); `places` are position ids where they do not
    simply count up. `ends [B]` are the last positions seen before the tail, `tails [B]` where the tail begins.
    """

    ids: IntArray
    types: IntArray
    seen: IntArray
    ends: IntArray
    tails: IntArray
    places: IntArray | None = None

    def reads(self, tail: int) -> IntArray | None:
        """The positions that predict the tokens of a tail, `[B, tail]`: the last one before it, and its own but one."""
        if not tail:
            return None
        return np.concatenate([self.ends[:, None], self.tails[:, None] + np.arange(tail - 1)[None, :]], axis=1)


def lay_out(pieces: Sequence[Piece], network: Surface, mask_id: int) -> Table:
    """The rows of all pieces, in order, padded on the right and put in their places."""
    table = _stack([_rows_of(piece, mask_id) for piece in pieces], mask_id)
    hiding = {piece.query.rows.hiding for piece in pieces if isinstance(piece.query.rows, Masked)}
    return _place(table, "drop" in hiding, network) if hiding & {"drop", "attention"} else table


def _rows_of(piece: Piece, mask_id: int) -> Table:
    encoding, rows, count = piece.query.encoding, piece.query.rows, piece.stop - piece.start
    length = len(encoding) - encoding.tail
    ids = np.repeat(encoding.ids[None, :], count, axis=0)
    seen = np.ones(ids.shape, dtype=np.int64)
    if isinstance(rows, Replaced):
        ids = rows.ids[piece.start : piece.stop]
    if isinstance(rows, Masked):
        _check_read(piece)
        hidden = rows.hidden(len(encoding), piece.start, piece.stop)
        ids = np.where(hidden, mask_id, ids)
        if rows.hiding != "replace":
            seen[hidden] = 0
            # A text of which nothing is left is read as one mask token, where the text began.
            seen[~seen[:, :length].any(axis=1), 0] = 1
    ends = length - 1 - seen[:, :length][:, ::-1].argmax(axis=1)
    types = np.zeros_like(ids)
    if encoding.type_ids is not None:
        types[:] = encoding.type_ids
    return Table(ids, types, seen, ends, np.full(count, length, dtype=np.int64))


def _stack(tables: list[Table], mask_id: int) -> Table:
    """Tables under each other, padded on the right with a real id that nobody sees."""
    width = max(table.ids.shape[1] for table in tables)

    def padded(name: str, filler: int) -> IntArray:
        parts = [getattr(table, name) for table in tables]
        return np.concatenate([np.pad(p, ((0, 0), (0, width - p.shape[1])), constant_values=filler) for p in parts])

    ends, tails = (np.concatenate([getattr(table, name) for table in tables]) for name in ("ends", "tails"))
    return Table(padded("ids", mask_id), padded("types", 0), padded("seen", 0), ends, tails)


def _check_read(piece: Piece) -> None:
    query = piece.query
    dropped = isinstance(query.rows, Masked) and query.rows.hiding == "drop"
    if dropped and not (isinstance(query, Evaluate) and isinstance(query.read, Outputs | Value)):
        raise TypeError("a row with tokens left out can be read at its end only")


def _place(table: Table, drop: bool, network: Surface) -> Table:
    """Position ids that leave every token at its place; with `drop` what is not seen is not computed either."""
    first, width = network.first_place, table.ids.shape[1]
    if drop and first is None:
        raise NotCapable("position ids do not place tokens in this model, so none can be left out; use mask=replace")
    if drop and network.window is not None and width > network.window:
        raise NotCapable(
            f"layers of this model look {network.window} tokens far by count, and the text has {width}:"
            " tokens cannot be left out; use mask=attention or mask=replace"
        )
    if first is None:
        return table
    if not drop:
        return replace(table, places=np.broadcast_to(np.arange(width) + first, table.ids.shape).copy())
    tails = (table.seen * (np.arange(width) < table.tails[:, None])).sum(axis=1)
    order = np.argsort(table.seen == 0, axis=1, kind="stable")[:, : int(table.seen.sum(axis=1).max())]
    ids, types, seen = (np.take_along_axis(rows, order, axis=1) for rows in (table.ids, table.types, table.seen))
    return Table(ids, types, seen, tails - 1, tails, np.where(seen > 0, order, 0) + first)
