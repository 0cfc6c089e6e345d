"""Data sets from files and from the hub: texts, pairs and chats with their labels."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.fields import LABEL_FIELDS, PAIR_FIELDS, TEXT_FIELDS

SUFFIXES: Final = (".jsonl", ".json", ".csv", ".tsv", ".txt")


class Fields(NamedTuple):
    """Names of the fields of texts, labels and second texts; None: the first known one that is there."""

    text: str | None = None
    label: str | None = None
    pair: str | None = None


def read_data(source: str, fields: Fields, split: str | None, limit: int | None) -> list[dict[str, Any]]:
    """The texts of a file (JSON lines, JSON, CSV, TSV, or one text a line), or of a data set of the hub.

    Each is a map of `text` (and `pair`, a second one) or, without a text, the `messages` of a chat, and, where there is
    one, `label`. What cannot be read is `bad_request`.
    """
    path = Path(os.path.expanduser(source))
    is_file = path.is_file() or path.suffix.lower() in SUFFIXES
    rows = _file_rows(path) if is_file else _hub_rows(source, split)
    found = [_record(row, fields, f"{source}, row {number}") for number, row in enumerate(islice(rows, limit), 1)]
    if not found:
        raise SaliscopeError("bad_request", f"data: {source} holds no text")
    return found


def _record(row: Any, fields: Fields, where: str) -> dict[str, Any]:
    if isinstance(row, str):
        return {"text": row}
    if not isinstance(row, Mapping):
        raise SaliscopeError("bad_request", f"data: {where} is neither a text nor a map of fields")
    found = _source(row, fields, where)
    _, label = _field(row, fields.label, LABEL_FIELDS, where, "--label-field", needed=False)
    return found if label in (None, "") else {**found, "label": label}


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


def _file_rows(path: Path) -> Iterator[Any]:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise SaliscopeError("bad_request", f"data: {path} ends in none of {', '.join(SUFFIXES)}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SaliscopeError("bad_request", f"data: cannot read {path} ({said})") from error
    if suffix in (".csv", ".tsv"):
        yield from _table_rows(path, text, "excel-tab" if suffix == ".tsv" else "excel")
    elif suffix == ".txt":
        # Not `splitlines`, which would cut a text at every form feed and Unicode separator.
        yield from (line for line in text.split("\n") if line.strip())
    elif suffix == ".jsonl":
        yield from _json_lines(path, text)
    else:
        rows = _parse(text, str(path))
        if not isinstance(rows, list):
            raise SaliscopeError("bad_request", f"data: {path} is no list of texts or maps")
        yield from rows


def _table_rows(path: Path, text: str, dialect: str) -> Iterator[Any]:
    try:
        yield from csv.DictReader(io.StringIO(text, newline=""), dialect=dialect)
    except csv.Error as error:
        raise SaliscopeError("bad_request", f"data: {path} cannot be read as a table ({error})") from error


def _json_lines(path: Path, text: str) -> Iterator[Any]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _parse(line, f"{path}, line {number}")


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise SaliscopeError("bad_request", f"data: {where} is not JSON ({error})") from error


def _hub_rows(source: str, split: str | None) -> Iterable[Any]:
    """A data set by its hub id, or a folder of one, through the library `datasets`."""
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise SaliscopeError(
            "bad_request",
            f"data: {source} is no file; for data sets of the hub run `pip install 'saliscope[eval]'`",
        ) from error
    try:
        found: Iterable[Any] = load_dataset(source, split=split or "test")
    except Exception as error:
        # The library raises what it likes: a missing split, no network, a script that it does not run.
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SaliscopeError(
            "bad_request", f"data: cannot load {source}: {said}; name a file, or another --split"
        ) from error
    return found
