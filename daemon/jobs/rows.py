"""One row of the data on its way: what is asked about it, and what is written."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.jobs import SubmitJob
from saliscope.sources import Fields, record_of

#: Fields of a job that are those of `explain`.
_SAME = ("model", "method", "target", "scale", "granularity", "seed", "params", "windows", "deterministic")


class Row(NamedTuple):
    """A row: its number, its id, what it asks about (`record`: text, pair or messages, label) or why it cannot, and
    its values of the slices' fields.
    """

    number: int
    id: str
    record: dict[str, Any]
    slices: dict[str, str]
    failure: SaliscopeError | None = None


def row_of(number: int, raw: Any, asked: SubmitJob) -> Row:
    """A row as the source has it; one that cannot be asked about has a `failure`."""
    fields = raw if isinstance(raw, dict) else {}
    id = number if asked.id_field is None else fields.get(asked.id_field)
    slices = {name: str(fields.get(name, "")) for name in asked.slices}
    try:
        record = record_of(raw, Fields(asked.text_field, asked.label_field, asked.pair_field), f"row {number}")
        if asked.target == "gold" and "label" not in record:
            raise SaliscopeError("bad_request", f"data: row {number} has no label to explain")
        return Row(number, str(id), record, slices)
    except SaliscopeError as error:
        return Row(number, str(id), {}, slices, error)


def kind_of(row: Row, asked: SubmitJob) -> object:
    """Rows of the same kind may be asked about in one request."""
    if "messages" in row.record:
        return row.number
    return "pair" in row.record, row.record["label"] if asked.target == "gold" else None


def question(rows: list[Row], asked: SubmitJob) -> dict[str, Any]:
    """The parameters of `explain` for rows of one kind."""
    plain = msgspec.to_builtins(asked)
    fields = {name: plain[name] for name in _SAME} | {"priority": "bulk"}
    first = rows[0].record
    if asked.target == "gold":
        label = first["label"]
        # Tables hold nothing but texts.
        index = int(label) if isinstance(label, str) and label.isdecimal() else label
        fields["target"] = {"kind": "class", "label": index}
    if "messages" in first:
        return {**fields, "messages": first["messages"]}
    fields["text"] = [row.record["text"] for row in rows]
    return {**fields, "pair": [row.record["pair"] for row in rows]} if "pair" in first else fields


def result(row: Row, found: dict[str, Any]) -> dict[str, Any]:
    """The output of a row that was explained (`found`: an `Explanation`)."""
    said = found["prediction"]
    likelihood = said["probabilities"].get(said["label"])
    return {
        **_head(row),
        "text": found["text"],
        "prediction": said["label"],
        "prediction_index": said["index"],
        "probability": likelihood,
        "target": found["target"]["label"],
        "value": found["value"],
        "base_value": found["base_value"],
        "features": [feature["text"] for feature in found["features"]],
        "starts": [feature["start"] for feature in found["features"]],
        "ends": [feature["end"] for feature in found["features"]],
        "scores": found["scores"],
        "truncated_at": found["truncated_at"],
        "method": found["method"],
        "fingerprint": found["fingerprint"],
        "forward_rows": found["cost"]["forward_rows"],
        "backward_rows": found["cost"]["backward_rows"],
        "code": None,
        "message": None,
    }


def failed(row: Row, error: SaliscopeError) -> dict[str, Any]:
    """The output of a row that could not be explained; the columns are the same."""
    empty: dict[str, Any] = {"features": [], "starts": [], "ends": [], "scores": []}
    text = row.record.get("text")
    return {
        **_head(row), "text": text if isinstance(text, str) else None, "prediction": None, "prediction_index": None,
        "probability": None, "target": None, "value": None, "base_value": None, **empty, "truncated_at": None,
        "method": None, "fingerprint": None, "forward_rows": 0, "backward_rows": 0, "code": error.code,
        "message": error.message,
    }  # fmt: skip


def _head(row: Row) -> dict[str, Any]:
    label = row.record.get("label")
    return {"row": row.number, "id": row.id, "label": None if label is None else str(label), "slices": row.slices}
