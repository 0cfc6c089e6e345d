"""Records and documents as plain JSON, as commands answer with them."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import UNSET

from saliscope.lsp.buffers import Buffer
from saliscope.lsp.painting import trimmed
from saliscope.protocol.documents import Span
from saliscope.protocol.live import LiveRecord
from saliscope.protocol.messages import BUNDLED

NO_MODEL: Final = (
    f"no model is chosen. Set saliscope.model: a name ({', '.join(BUNDLED)} are installed), a folder, or a hub id."
)
NO_TEXT: Final = "nothing in this document is known as a text. Set saliscope.field: the field that has one."


def described(buffer: Buffer, record: LiveRecord) -> dict[str, Any]:
    """Where a record is, and what is predicted and found of it."""
    return {
        "uri": buffer.uri,
        "range": buffer.lines.plain_range(record.start, record.end),
        "state": record.state,
        "stale": record.stale,
        "label": record.label,
        "prediction": None if record.prediction is None else msgspec.to_builtins(record.prediction),
        "findings": [{"code": one.kind, "message": one.message} for one in record.findings],
    }


def explained(buffer: Buffer, record: LiveRecord) -> dict[str, Any]:
    """The same with the explanation, the range of each of its features (None: no longer in the text), and the scores
    that other methods gave them, by method.
    """
    features = [] if record.explanation is None else record.features
    return {
        **described(buffer, record),
        "explanation": msgspec.to_builtins(record.explanation),
        "places": [span and _place(buffer, span) for span in features],
        "compared": {name: other.scores for name, other in buffer.others(record).items()},
    }


def summed(buffer: Buffer) -> dict[str, Any]:
    """How many records there are, are explained and have another label than the prediction; what keeps all of them
    from being explained, if something does.
    """
    live, records = buffer.live, buffer.records
    return {
        "uri": buffer.uri,
        "model": None if buffer.settings.model is UNSET else buffer.settings.model,
        "problem": _problem(buffer),
        "trigger": buffer.settings.when,
        "records": 0 if live is None else live.num_records,
        "explainable": 0 if live is None else live.num_explainable,
        "explained": sum(record.state == "final" for record in records),
        "mispredicted": sum(any(one.kind == "mismatch" for one in record.found) for record in records),
    }


def _problem(buffer: Buffer) -> dict[str, str] | None:
    live = buffer.live
    if buffer.limit is not None:
        return {"code": "too-large", "message": buffer.limit}
    if buffer.settings.model is UNSET:
        return {"code": "no-model", "message": NO_MODEL}
    if live is not None and live.problem is not None:
        return {"code": live.problem.code, "message": f"{live.problem.message}. {live.problem.advice}"}
    if live is not None and live.failed is not None:
        return {"code": live.failed.code, "message": live.failed.message}
    if buffer.is_alien:
        return {"code": "no-text", "message": NO_TEXT}
    return None


def debugged(buffer: Buffer) -> dict[str, Any]:
    """A document without a word of its text."""
    live = buffer.live
    return {
        "uri": buffer.uri,
        "version": buffer.version,
        "characters": len(buffer.text),
        "settings": msgspec.to_builtins(buffer.settings),
        "format": None if live is None else live.format,
        "records": None if live is None else live.num_records,
        "known": 0 if live is None else len(live.records),
        "refused": None if live is None or live.problem is None else live.problem.code,
        "failed": None if live is None or live.failed is None else live.failed.code,
    }


def _place(buffer: Buffer, span: Span) -> dict[str, Any]:
    """The range of a feature without outer spaces, of one that is all spaces with them."""
    start, end = trimmed(buffer.text, *span)
    return buffer.lines.plain_range(*((start, end) if start < end else span))
