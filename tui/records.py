"""The records of a document as rows: what the model says of each, its label, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from saliscope.protocol.live import LiveRecord

Order = Literal["place", "confidence", "trouble"]

#: In this order `s` goes through them.
ORDERS: Final[tuple[Order, ...]] = ("place", "confidence", "trouble")


class RecordRow(NamedTuple):
    """One record: its number from 1, where it begins, the predicted label and its probability (None: not known yet)."""

    number: int
    start: int
    predicted: str
    confidence: float | None
    label: str
    findings: tuple[str, ...]
    is_wrong: bool


def rows_of(records: Iterable[LiveRecord]) -> list[RecordRow]:
    """A row for each record, in order of place."""
    return [_row(number, record) for number, record in enumerate(records, 1)]


def _row(number: int, record: LiveRecord) -> RecordRow:
    prediction = record.prediction
    kinds = tuple(dict.fromkeys(finding.kind for finding in record.findings))
    return RecordRow(
        number,
        record.start,
        "" if prediction is None else prediction.label,
        None if prediction is None else prediction.probabilities.get(prediction.label),
        "" if record.label is None else str(record.label),
        kinds,
        "mismatch" in kinds,
    )


def ordered(rows: Sequence[RecordRow], order: Order, query: str = "") -> list[RecordRow]:
    """The rows that match a query (in prediction, label or finding), the least sure or the most troubled first."""
    wanted = query.lower()
    found = [row for row in rows if wanted in " ".join((row.predicted, row.label, *row.findings)).lower()]
    if order == "confidence":
        found.sort(key=lambda row: (row.confidence is None, row.confidence or 0.0))
    elif order == "trouble":
        found.sort(key=lambda row: (not row.is_wrong, -len(row.findings), row.number))
    return found


def summary(rows: Sequence[RecordRow]) -> str:
    """How many records there are, are explained, and disagree with their label."""
    known = sum(row.confidence is not None for row in rows)
    labelled = [row for row in rows if row.label and row.confidence is not None]
    wrong = sum(row.is_wrong for row in labelled)
    parts = [f"{known} of {len(rows)} records explained"]
    if labelled:
        parts.append(f"{wrong} of {len(labelled)} disagree with their label")
    return " · ".join(parts)
