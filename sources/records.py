"""What a row of a data set asks about: a text, a pair or a chat, with its label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.fields import LABEL_FIELDS, PAIR_FIELDS, TEXT_FIELDS


class Fields(NamedTuple):
    """Names of the fields of texts, labels and second texts; None: the first known one that is there."""

    text: str | None = None
    label: str | None = None
    pair: str | None = None


class Unreadable(NamedTuple):
    """A row that is there and cannot be read, and why."""

    reason: str


def record_of(row: Any, fields: Fields, where: str) -> dict[str, Any]:
    """A row as a map of `text` (and `pair`) or, without a text, `messages`, and where there is one, `label`.

    What it has not, or has in another type, is `bad_request`.
    """
    if isinstance(row, Unreadable):
        raise SaliscopeError("bad_request", f"data: {row.reason}")
    if isinstance(row, str):
        return {"text": row}
    if not isinstance(row, Mapping):
        raise SaliscopeError("bad_request", f"data: {where} is neither a text nor a map of fields")
    found = _source(row, fields, where)
    _, label = _field(row, fields.label, LABEL_FIELDS, where, "--label-field", needed=False)
    return found if label in (None, "") else {**found, "label": label}


def name_of_text(row: Mapping[str, Any], fields: Fields) -> str:
    """The name of the field that holds the text; `bad_request` where there is none."""
    return _field(row, fields.text, TEXT_FIELDS, "the row", "--text-field", needed=True)[0]


def name_of_pair(row: Mapping[str, Any], fields: Fields) -> str:
    """The name of the field that holds the second text; empty where there is none."""
    known = PAIR_FIELDS.get(name_of_text(row, fields), ("pair",))
    return _field(row, fields.pair, known, "the row", "--pair-field", needed=False)[0]


def _source(row: Mapping[str, Any], fields: Fields, where: str) -> dict[str, Any]:
    """What a row asks about: a chat, where no field is named, or a text with its pair."""
    if fields.text is None and isinstance(row.get("messages"), list):
        beside = [name for name in TEXT_FIELDS if row.get(name) is not None]
        if beside:
            raise SaliscopeError(
                "bad_request", f"data: {where} has messages and {beside[0]}; use --text-field to have the text"
            )
        return {"messages": row["messages"]}
    name, text = _field(row, fields.text, TEXT_FIELDS, where, "--text-field", needed=True)
    if not isinstance(text, str):
        raise SaliscopeError("bad_request", f"data: the text of {where} is no string")
    _, pair = _field(row, fields.pair, PAIR_FIELDS.get(name, ("pair",)), where, "--pair-field", needed=False)
    if pair in (None, ""):
        return {"text": text}
    if not isinstance(pair, str):
        raise SaliscopeError("bad_request", f"data: the second text of {where} is no string")
    return {"text": text, "pair": pair}


def _field(
    row: Mapping[str, Any], name: str | None, known: tuple[str, ...], where: str, option: str, *, needed: bool
) -> tuple[str, Any]:
    """The field that is there and what it holds."""
    names = known if name is None else (name,)
    for one in names:
        if one in row:
            return one, row[one]
    if needed or name is not None:
        has = ", ".join(map(str, row)) or "no field"
        raise SaliscopeError(
            "bad_request", f"data: {where} has no field {' or '.join(names)}; it has {has}: use {option}"
        )
    return "", None
