"""`saliscope/decorations`: exact colours for clients that asked for them, record by record, only what is new."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from saliscope.lsp.buffers import Buffer
from saliscope.lsp.painting import pieces, strokes
from saliscope.protocol.documents import Label, Span
from saliscope.protocol.explanation import Explanation, Prediction
from saliscope.protocol.live import LiveRecord
from saliscope.protocol.live.record import RecordState

METHOD = "saliscope/decorations"


class Look(NamedTuple):
    """All that what is drawn of a record depends on, in one version of the text."""

    start: int
    length: int
    features: tuple[Span | None, ...]
    explanation: Explanation | None
    prediction: Prediction | None
    label: Label | None
    stale: bool
    state: RecordState


class Drawn:
    """What the client of one document was sent of the records since it was edited last."""

    def __init__(self) -> None:
        self._version = -1
        #: None: that it is gone.
        self._sent: dict[int, Look | None] = {}

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
            return _told(buffer, list(buffer.records) if buffer.settings.decorations else [], [], reset=True)
        found, removed = [], []
        for id in sorted(ids):
            record = buffer.record(id)
            look = None if record is None else _look(record)
            if id in self._sent and self._sent[id] == look:
                continue
            self._sent[id] = look
            if record is None:
                removed.append(id)
            else:
                found.append(record)
        return _told(buffer, found, removed, reset=False) if found or removed else None


def _look(record: LiveRecord) -> Look:
    return Look(
        record.start, record.places.length, record.places.features, record.explanation, record.prediction,
        record.label, record.stale, record.state,
    )  # fmt: skip


def _told(buffer: Buffer, found: list[LiveRecord], removed: list[int], *, reset: bool) -> dict[str, Any]:
    records = [_record(buffer, one) for one in found]
    return {"uri": buffer.uri, "version": buffer.version, "reset": reset, "records": records, "removed": removed}


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
            for one in strokes(pieces(record, buffer.text, coloured=True), buffer.lines)
        ],
    }
