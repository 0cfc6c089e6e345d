"""`saliscope/decorations`: exact colours for clients that asked for them, record by record, only what is new."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from saliscope.lsp.buffers import Buffer
from saliscope.lsp.painting import pieces, strokes
from saliscope.protocol.live import LiveRecord

METHOD = "saliscope/decorations"


def decorations(buffer: Buffer, ids: Iterable[int] | None) -> dict[str, Any]:
    """What these records look like now (None: all of them, in place of everything that was sent before).

    A token is `[line, column, end column, bucket -3..3, score, rank]`, in the units of the session.
    """
    known = [] if ids is None else [(id, buffer.record(id)) for id in sorted(ids)]
    found = [record for _, record in known if record is not None]
    if ids is None and buffer.settings.decorations:
        found = buffer.records
    return {
        "uri": buffer.uri,
        "version": buffer.version,
        "reset": ids is None,
        "records": [_record(buffer, one) for one in found],
        "removed": [id for id, record in known if record is None],
    }


def _record(buffer: Buffer, record: LiveRecord) -> dict[str, Any]:
    explanation = record.explanation
    return {
        "id": record.id,
        "range": buffer.lines.plain_range(record.start, record.end),
        "state": record.state,
        "stale": record.stale,
        "method": None if explanation is None else explanation.method,
        "prediction": None if record.prediction is None else record.prediction.label,
        "label": record.label,
        "tokens": [
            [one.line, one.column, one.column + one.length, one.piece.bucket, one.piece.score, one.piece.rank]
            for one in strokes(pieces(record, buffer.text), buffer.lines)
        ],
    }
