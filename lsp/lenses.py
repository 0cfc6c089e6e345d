"""The line above a record: what the model predicts, what the label says, by which method that is explained."""

from __future__ import annotations

from typing import Any

from saliscope.lsp.buffers import Buffer
from saliscope.lsp.words import aim_of, prediction_of
from saliscope.protocol.live import LiveRecord

#: More lenses than this slow an editor down; the last one says how many records are left out.
MOST = 200
SHOW = "saliscope.explain"
RUN = "saliscope.runFile"


def lenses(buffer: Buffer) -> list[dict[str, Any]]:
    """One lens, as JSON, for each predicted record of which a line begins the record, the first ones."""
    found: list[dict[str, Any]] = []
    last = -1
    for record in buffer.records:
        if record.prediction is None:
            continue
        line, column = buffer.lines.place(record.start)
        if line == last:
            continue
        place = {"line": line, "character": column}
        if len(found) == MOST:
            found.append(_lens(place, "more records: explain the whole file", RUN, [buffer.uri]))
            break
        last = line
        found.append(_lens(place, title(record), SHOW, [buffer.uri, place]))
    return found


def title(record: LiveRecord) -> str:
    """Prediction, label and method of a record."""
    if record.prediction is None:
        return "…" if record.state == "waiting" else "not explained"
    parts = [prediction_of(record.prediction)]
    if record.label is not None:
        parts.append(f"label {record.label}")
    if record.explanation is None or record.state == "predicted":
        return " · ".join([*parts, "…"])
    parts.append(record.explanation.method)
    if aim := aim_of(record.explanation):
        parts.append(f"for {aim}")
    if record.stale:
        parts.append("stale")
    elif record.state == "partial":
        parts.append("so far")
    return " · ".join(parts)


def _lens(place: dict[str, int], text: str, command: str, arguments: list[object]) -> dict[str, Any]:
    call = {"title": text, "command": command, "arguments": arguments}
    return {"range": {"start": place, "end": place}, "command": call}
