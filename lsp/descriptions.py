"""Records and documents as plain JSON, as commands answer with them."""

from __future__ import annotations

from typing import Any

import msgspec

from saliscope.lsp.buffers import Buffer
from saliscope.lsp.painting import trimmed
from saliscope.protocol.documents import Span
from saliscope.protocol.live import LiveRecord


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
