"""A row that is edited: the texts of it, and the row that they make."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources import record_of
from saliscope.sources.records import name_of_pair, name_of_text
from saliscope.sources.seeking import LineFile
from saliscope.tui.data.data_set import DataSet

#: New texts by their fields; None: the row is the text itself.
Texts = Mapping[str | None, str]


class Turn(NamedTuple):
    """A message of a chat; `source` is its number in the row as it was, None for a new one."""

    role: str
    content: str
    source: int | None = None


class Draft(NamedTuple):
    """A row as it was opened: what the file said (`was`), with which bytes (none of Parquet).

    Its `texts` by their fields, one or the two of a pair; of a chat its `turns` instead.
    """

    row: int
    was: Any
    raw: bytes
    texts: dict[str | None, str]
    turns: tuple[Turn, ...] = ()

    @property
    def is_one_text(self) -> bool:
        """Whether there is one text, and no roles."""
        return len(self.texts) == 1


def begin(data: DataSet, row: int) -> Draft:
    """Open a row to be edited; `bad_request` says why one cannot be."""
    file, record = data.file, data.record(row)
    if record.problem:
        raise SaliscopeError("bad_request", record.problem)
    raw = file.raw(row) if isinstance(file, LineFile) else b""
    was = file.parsed(raw, row) if isinstance(file, LineFile) else file.row(row)
    if isinstance(was, str):
        return Draft(row, was, raw, {None: was})
    if record.messages is not None:
        return Draft(row, was, raw, {}, tuple(_turn(one, number) for number, one in enumerate(record.messages)))
    texts: dict[str | None, str] = {name_of_text(was, data.fields): record.text}
    if record.pair is not None:
        texts[name_of_pair(was, data.fields)] = record.pair
    return Draft(row, was, raw, texts)


def _turn(message: Mapping[str, Any], number: int) -> Turn:
    return Turn(_shown(message.get("role", "")), _shown(message.get("content", "")), number)


def _shown(value: Any) -> str:
    """What is no text is shown as JSON, and stays as it is."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def row_with(draft: Draft, change: Texts | Sequence[Turn]) -> Any:
    """The row with other texts, or other messages; `bad_request` for what it cannot hold."""
    if isinstance(draft.was, str):
        assert isinstance(change, Mapping)
        return change[None]
    if isinstance(change, Mapping):
        return {**draft.was, **change}
    if not change:
        raise SaliscopeError("bad_request", "a chat has one message at least")
    return {**draft.was, "messages": [_message(draft, turn) for turn in change]}


def _message(draft: Draft, turn: Turn) -> dict[str, Any]:
    if turn.source is None:
        return {"role": turn.role, "content": turn.content}
    old, shown = draft.was["messages"][turn.source], draft.turns[turn.source]
    message = dict(old)
    for name, new, before in (("role", turn.role, shown.role), ("content", turn.content, shown.content)):
        if new != before:
            if not isinstance(old.get(name), str):
                raise SaliscopeError(
                    "bad_request", f"message {turn.source + 1} has no text as its {name}; that is not edited here"
                )
            message[name] = new
    return message


def readable(data: DataSet, row: Any, number: int) -> None:
    """`bad_request` where a row would have nothing to ask about, or something else than it was written for."""
    record_of(row, data.fields, f"row {number}")
