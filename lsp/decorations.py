"""`saliscope/decorations`: exact colours for clients that asked for them, record by record, only what is new."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Raw

from saliscope.lsp.buffers import Buffer
from saliscope.lsp.painting import pieces, strokes
from saliscope.lsp.plain import encoded
from saliscope.protocol.live import LiveRecord

METHOD = "saliscope/decorations"


class Drawn:
    """What the client of one document was sent of the records since it was edited last."""

    def __init__(self) -> None:
        self._version = -1
        #: id -> the hash of what was sent, for 2,000 records are megabytes; None: that it is gone.
        self._sent: dict[int, int | None] = {}

    def forget(self) -> None:
        """The client is to be sent it again."""
        self._sent.clear()

    def news(self, buffer: Buffer, ids: Iterable[int] | None) -> dict[str, Any] | None:
        """What these records look like now (None: all of them, in place of everything that was sent before).

        A token is `[line, column, end column, bucket -3..3, score, rank]`, in the units of the session. None if the
        client was sent the same.
        """
        if buffer.version != self._version:
            self._version, self._sent = buffer.version, {}
        if ids is None:
            self._sent.clear()
            found = [Raw(encoded(_record(buffer, one))) for one in buffer.records if buffer.settings.decorations]
            return _told(buffer, found, [], reset=True)
        found, removed = [], []
        for id in sorted(ids):
            record = buffer.record(id)
            drawn = None if record is None else encoded(_record(buffer, record))
            seal = None if drawn is None else hash(drawn)
            if id in self._sent and self._sent[id] == seal:
                continue
            self._sent[id] = seal
            if drawn is None:
                removed.append(id)
            else:
                found.append(Raw(drawn))
        return _told(buffer, found, removed, reset=False) if found or removed else None


def _told(buffer: Buffer, found: list[Raw], removed: list[int], *, reset: bool) -> dict[str, Any]:
    return {"uri": buffer.uri, "version": buffer.version, "reset": reset, "records": found, "removed": removed}


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
