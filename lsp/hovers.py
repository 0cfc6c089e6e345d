"""What hovering over a word says: its score, what it speaks for, who says so, and what that took."""

from __future__ import annotations

from lsprotocol import types

from saliscope.lsp.buffers import Buffer
from saliscope.lsp.painting import Piece, piece_at, rank
from saliscope.lsp.words import cost_of, literal, named, prediction_of, quoted, score_of, share_of, side_of
from saliscope.protocol.explanation import Explanation, Prediction
from saliscope.protocol.live import LiveRecord

_MOST_CLASSES = 4
_COMPUTING = "computing …"


def hover(buffer: Buffer, offset: int, *, markdown: bool) -> types.Hover | None:
    """What is known of the word at a code point, or of its record where the word has no score."""
    record = buffer.record_at(offset)
    if record is None:
        return _awaited(buffer)
    piece = piece_at(record, buffer.text, offset)
    lines = _lines(buffer, record, piece, markdown)
    if not lines or buffer.is_alien:
        return None
    kind = types.MarkupKind.Markdown if markdown else types.MarkupKind.PlainText
    start, end = (record.start, record.end) if piece is None else (piece.start, piece.end)
    text = "\n\n".join(lines) if markdown else "\n".join(lines)
    return types.Hover(contents=types.MarkupContent(kind=kind, value=text), range=buffer.lines.range(start, end))


def _awaited(buffer: Buffer) -> types.Hover | None:
    """Of a document that was just opened not every record is known yet."""
    live = buffer.live
    if live is None or live.is_settled or live.problem is not None or live.failed is not None:
        return None
    if live.records and len(live.records) >= live.num_records:
        return None
    return types.Hover(contents=types.MarkupContent(kind=types.MarkupKind.PlainText, value=_COMPUTING))


def _lines(buffer: Buffer, record: LiveRecord, piece: Piece | None, markdown: bool) -> list[str]:
    explanation = record.explanation
    if explanation is None:
        told = [_said(one.message, markdown) for one in record.findings]
        if record.state == "predicted" and record.prediction is not None:
            return [_said(f"{_likely(record.prediction)}{_label(record)}", markdown), *told, "explaining …"]
        return told or ([_COMPUTING] if record.state == "waiting" else [])
    said = [] if piece is None else _word(buffer, record, piece, explanation, markdown)
    said.append(_said(f"{_likely(record.prediction or explanation.prediction)}{_label(record)}", markdown))
    how = f"{explanation.model} · {explanation.method} · {cost_of(explanation)}{_estimate(record, explanation)}"
    said.append(_said(how, markdown))
    if record.stale:
        said.append(_faint("stale: the text changed; computing again", markdown))
    return said


def _word(buffer: Buffer, record: LiveRecord, piece: Piece, explanation: Explanation, markdown: bool) -> list[str]:
    word, number = named(buffer.text, piece), score_of(explanation, piece.score)
    head = f"**{quoted(word)}** {number}" if markdown else f"{word} {number}"
    share, size = share_of(explanation, piece.score), len(explanation.scores)
    side = _said(side_of(explanation, piece.score), markdown)
    said = [f"{head} · {share:.0%} of all · rank {piece.rank} of {size}", side]
    others = buffer.others(record)
    if others:
        found = (_row(name, other, piece) for name, other in {explanation.method: explanation, **others}.items())
        rows = [row for row in found if row is not None]
        said.append("\n".join(["| method | score | rank |", "|---|---|---|", *rows]) if markdown else "\n".join(rows))
    return said


def _row(name: str, explanation: Explanation, piece: Piece) -> str | None:
    """What a method says of a feature; None where it has others."""
    if piece.number >= len(explanation.scores):
        return None
    place = rank(explanation)[piece.number]
    return f"| {name} | {score_of(explanation, explanation.scores[piece.number])} | {place} |"


def _likely(found: Prediction) -> str:
    likely = sorted(found.probabilities.items(), key=lambda item: -item[1])[:_MOST_CLASSES]
    if found.value is not None or not likely:
        return prediction_of(found)
    return " · ".join(f"{label} {share:.2f}" for label, share in likely)


def _label(record: LiveRecord) -> str:
    return "" if record.label is None else f" · label {record.label}"


def _estimate(record: LiveRecord, explanation: Explanation) -> str:
    return " · an estimate so far" if record.state == "partial" or explanation.estimate == "partial" else ""


def _said(text: str, markdown: bool) -> str:
    return literal(text) if markdown else text


def _faint(text: str, markdown: bool) -> str:
    return f"*{text}*" if markdown else text
