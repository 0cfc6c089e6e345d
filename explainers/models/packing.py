"""Which queries may share a pass, and how a large one is cut."""

from __future__ import annotations

from typing import TypeVar

from saliscope.explainers.queries import (
    Attend,
    Differentiate,
    Evaluate,
    ModelQuery,
    Moment,
    Piece,
    Value,
    rows_together,
)
from saliscope.explainers.variants import INPUT, Masked, Moved

Q = TypeVar("Q", Evaluate, Differentiate, Attend)
BatchKey = tuple[object, ...]


def batch_key(query: ModelQuery) -> BatchKey:
    """Queries with the same key may share a pass: the kind of pass, the head they read, how rows are hidden."""
    if isinstance(query, Attend):
        return "attend", query.scalar.kind, query.form, query.scalar.groups
    tail = query.read.scalar.tail if isinstance(query, Evaluate) and isinstance(query.read, Value | Moment) else ()
    drops = query.rows.hiding if isinstance(query.rows, Masked) else "replace"
    swaps = isinstance(query.rows, Moved) and query.rows.layer != INPUT
    # Pairs of rows must stay side by side, which modules that group rows by length do for one text only.
    pairs = isinstance(query, Differentiate) and query.rule == "deep-lift"
    apart = id(query) if swaps or pairs else None
    if isinstance(query, Evaluate):
        return "evaluate", query.read.kind, drops, apart, len(tail)
    return "differentiate", query.scalar.kind, drops, apart, query.rule, query.scalar.tail, query.scalar.groups


def cut(query: ModelQuery, budget: int) -> list[Piece]:
    """A query in pieces of like size, of at most `budget` tokens but at least one row each, or one pair."""
    apart = rows_together(query)
    units, most = query.num_rows // apart, max(1, budget // max(1, apart * len(query.encoding)))
    # Even pieces: the rows of a small last one would cost more each.
    rows = apart * max(1, -(-units // max(1, -(-units // most))))
    return [Piece(query, at, min(at + rows, query.num_rows)) for at in range(0, query.num_rows, rows)]


def of_kind(piece: Piece, kind: type[Q]) -> Q:
    """The query of a piece, which is of this kind: pieces of different kinds cannot share a pass."""
    if not isinstance(piece.query, kind):
        raise TypeError("pieces of different kinds cannot share a pass")
    return piece.query
