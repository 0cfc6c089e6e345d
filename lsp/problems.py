"""What the problems panel says: findings of records, and what keeps a whole document from being explained.

A record's diagnostics are made once, in JSON, and again when there is news of it or it stands elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lsprotocol import types
from msgspec import Raw

from saliscope.lsp.abilities import Abilities
from saliscope.lsp.buffers import Buffer, Given, Made
from saliscope.lsp.codes import CODES, NAMES, link
from saliscope.lsp.painting import pieces
from saliscope.lsp.plain import encoded
from saliscope.lsp.words import named, score_of, side_of
from saliscope.protocol.findings import FINDINGS
from saliscope.protocol.live import LiveRecord

SOURCE = "saliscope"
_TOLD_TOKENS = 3


def forget(buffer: Buffer, ids: Iterable[int] | None) -> None:
    """Make the diagnostics of these records anew (None: all)."""
    if ids is None:
        buffer.made.clear()
    else:
        for id in ids:
            buffer.made.pop(id, None)


def differ(buffer: Buffer, abilities: Abilities) -> bool:
    """Whether the client has other diagnostics than those of now, or none at all."""
    return buffer.given is None or buffer.given.diagnostics != diagnostics(buffer, abilities)


def give(buffer: Buffer, abilities: Abilities) -> Given:
    """The diagnostics of now, to be sent; under the name of before if they are what was given then."""
    found, before = diagnostics(buffer, abilities), buffer.given
    if before is None or before.diagnostics != found:
        buffer.given = Given("1" if before is None else str(int(before.name) + 1), found)
    assert buffer.given is not None
    return buffer.given


def diagnostics(buffer: Buffer, abilities: Abilities) -> list[Raw]:
    """All diagnostics of a document, in its version now."""
    if buffer.settings.diagnostics is False:
        return []
    whole = _of_document(buffer, abilities)
    if whole is not None:
        return [Raw(encoded(whole))]
    if buffer.is_alien:
        return []
    found: list[Raw] = []
    made, edited = buffer.made, buffer.lines.take_edited()
    for record in buffer.records:
        if record.found:
            known = made.get(record.id)
            if known is None or edited is None or known.place[0] in edited:
                known = _made(buffer, record, abilities)
            found += known.diagnostics
    return found


def _made(buffer: Buffer, record: LiveRecord, abilities: Abilities) -> Made:
    """The diagnostics of a record; those of before if it stands where it stood."""
    place, known = buffer.lines.place(record.start), buffer.made.get(record.id)
    if known is None or known.place != place:
        known = buffer.made[record.id] = Made(
            place, [Raw(encoded(one)) for one in _of_record(buffer, record, abilities)]
        )
    return known


def _of_document(buffer: Buffer, abilities: Abilities) -> dict[str, Any] | None:
    live = buffer.live
    if buffer.limit is not None:
        return _diagnostic(buffer, abilities, "too-large", buffer.limit, 0, 0)
    if live is not None and live.problem is not None:
        code = "too-large" if live.problem.code == "too_large" else "refused"
        return _diagnostic(buffer, abilities, code, f"{live.problem.message}. {live.problem.advice}", 0, 0)
    if live is not None and live.failed is not None:
        return _diagnostic(buffer, abilities, "refused", live.failed.message, 0, 0)
    return None


def _of_record(buffer: Buffer, record: LiveRecord, abilities: Abilities) -> Iterator[dict[str, Any]]:
    if record.state == "waiting" and record.prediction is not None:
        # What was found in an old text is not true of the new one.
        return
    for one in record.findings:
        code = NAMES.get(one.kind, one.kind)
        if not buffer.settings.shows(code) or (code, buffer.source_of(record)) in buffer.ignored:
            continue
        start, end = one.start, one.end
        if FINDINGS[one.kind][0] and (start, end) == (record.start, record.end):
            end = min(end, buffer.lines.line(buffer.lines.line_of(start))[1])
        found = _diagnostic(buffer, abilities, code, one.message, start, max(start, end))
        found["data"] = {"record": record.id}
        if code == "mispredicted" and abilities.related_information:
            found["relatedInformation"] = list(_reasons(buffer, record))
        if code == "truncated" and abilities.unnecessary_tag:
            found["tags"] = [types.DiagnosticTag.Unnecessary.value]
        yield found


def _reasons(buffer: Buffer, record: LiveRecord) -> Iterator[dict[str, Any]]:
    explanation = record.explanation
    if explanation is None or record.stale:
        return
    for piece in sorted(pieces(record, buffer.text), key=lambda piece: piece.rank)[:_TOLD_TOKENS]:
        word, number = named(buffer.text, piece), score_of(explanation, piece.score)
        yield {
            "location": {"uri": buffer.uri, "range": buffer.lines.plain_range(piece.start, piece.end)},
            "message": f"{word} {number} {side_of(explanation, piece.score)}",
        }


def _diagnostic(buffer: Buffer, abilities: Abilities, code: str, message: str, start: int, end: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "range": buffer.lines.plain_range(start, end),
        "message": message,
        "severity": CODES[code].severity.value,
        "code": code,
        "source": SOURCE,
    }
    if abilities.code_links:
        found["codeDescription"] = {"href": link(code)}
    return found
