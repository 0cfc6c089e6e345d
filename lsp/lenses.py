"""The line above a record: what the model predicts, what the label says, by which method that is explained."""

from __future__ import annotations

from lsprotocol import types

from saliscope.lsp.buffers import Buffer
from saliscope.lsp.words import prediction_of
from saliscope.protocol.live import LiveRecord

#: More lenses than this slow an editor down; the last one says how many records are left out.
MOST = 200
SHOW = "saliscope.explain"
RUN = "saliscope.runFile"


def lenses(buffer: Buffer) -> list[types.CodeLens]:
    """One lens for each explained record of which a line begins the record, the first ones."""
    found: list[types.CodeLens] = []
    line = -1
    for record in buffer.records:
        at = buffer.lines.line_of(record.start)
        if record.explanation is None or at == line:
            continue
        if len(found) == MOST:
            found.append(_lens(buffer, record, "more records: explain the whole file", RUN, [buffer.uri]))
            break
        line = at
        place = buffer.lines.position(record.start)
        found.append(_lens(buffer, record, title(record), SHOW, [buffer.uri, place]))
    return found


def title(record: LiveRecord) -> str:
    """Prediction, label and method of an explained record."""
    explanation = record.explanation
    if explanation is None:
        return "…" if record.state == "waiting" else "not explained"
    parts = [prediction_of(explanation.prediction)]
    if record.label is not None:
        parts.append(f"label {record.label}")
    parts.append(explanation.method)
    if record.stale:
        parts.append("stale")
    elif record.state == "partial":
        parts.append("so far")
    return " · ".join(parts)


def _lens(buffer: Buffer, record: LiveRecord, text: str, command: str, arguments: list[object]) -> types.CodeLens:
    start = buffer.lines.position(record.start)
    return types.CodeLens(
        range=types.Range(start=start, end=start),
        command=types.Command(title=text, command=command, arguments=arguments),
    )
