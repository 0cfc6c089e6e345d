"""What the problems panel says: findings of records, and what keeps a whole document from being explained."""

from __future__ import annotations

from collections.abc import Iterator

from lsprotocol import types

from saliscope.lsp.abilities import Abilities
from saliscope.lsp.buffers import Buffer
from saliscope.lsp.codes import CODES, NAMES, link
from saliscope.lsp.painting import pieces
from saliscope.lsp.words import named, score_of, side_of
from saliscope.protocol.findings import FINDINGS
from saliscope.protocol.live import LiveRecord

SOURCE = "saliscope"
_TOLD_TOKENS = 3


def diagnostics(buffer: Buffer, abilities: Abilities) -> list[types.Diagnostic]:
    """All diagnostics of a document, in its version now."""
    if buffer.settings.diagnostics is False:
        return []
    whole = _of_document(buffer, abilities)
    if whole is not None:
        return [whole]
    # Most findings of a large document are of kinds that nobody wants, and their places cost most.
    wanted = {kind for kind in FINDINGS if buffer.settings.shows(NAMES.get(kind, kind))}
    records = [record for record in buffer.records if any(one.kind in wanted for one in record.found)]
    return [one for record in records for one in _of_record(buffer, record, abilities)]


def _of_document(buffer: Buffer, abilities: Abilities) -> types.Diagnostic | None:
    live = buffer.live
    if buffer.limit is not None:
        return _diagnostic(buffer, abilities, "too-large", buffer.limit, 0, 0)
    if live is not None and live.problem is not None:
        code = "too-large" if live.problem.code == "too_large" else "refused"
        return _diagnostic(buffer, abilities, code, f"{live.problem.message}. {live.problem.advice}", 0, 0)
    if live is not None and live.failed is not None:
        return _diagnostic(buffer, abilities, "refused", live.failed.message, 0, 0)
    return None


def _of_record(buffer: Buffer, record: LiveRecord, abilities: Abilities) -> Iterator[types.Diagnostic]:
    if record.stale and record.explanation is not None:
        # What an old explanation has found is not true of the new text.
        return
    for one in record.findings:
        code = NAMES.get(one.kind, one.kind)
        if not buffer.settings.shows(code) or (code, buffer.source_of(record)) in buffer.ignored:
            continue
        start, end = one.start, one.end
        if FINDINGS[one.kind][0] and (start, end) == (record.start, record.end):
            end = min(end, buffer.lines.line(buffer.lines.line_of(start))[1])
        found = _diagnostic(buffer, abilities, code, one.message, start, max(start, end))
        found.data = {"record": record.id}
        if code == "mispredicted" and abilities.related_information:
            found.related_information = list(_reasons(buffer, record))
        if code == "truncated" and abilities.unnecessary_tag:
            found.tags = [types.DiagnosticTag.Unnecessary]
        yield found


def _reasons(buffer: Buffer, record: LiveRecord) -> Iterator[types.DiagnosticRelatedInformation]:
    explanation = record.explanation
    if explanation is None:
        return
    for piece in sorted(pieces(record, buffer.text), key=lambda piece: piece.rank)[:_TOLD_TOKENS]:
        word, number = named(buffer.text, piece), score_of(explanation, piece.score)
        yield types.DiagnosticRelatedInformation(
            location=types.Location(uri=buffer.uri, range=buffer.lines.range(piece.start, piece.end)),
            message=f"{word} {number} {side_of(explanation, piece.score)}",
        )


def _diagnostic(
    buffer: Buffer, abilities: Abilities, code: str, message: str, start: int, end: int
) -> types.Diagnostic:
    return types.Diagnostic(
        range=buffer.lines.range(start, end),
        message=message,
        severity=CODES[code].severity,
        code=code,
        code_description=link(code) if abilities.code_links else None,
        source=SOURCE,
    )
