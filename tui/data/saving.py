"""A row that was edited is put back into its file, without touching anything else there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import IO, Any, Final

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources.places import line_spans, table_spans
from saliscope.sources.reshelving import write_with_row
from saliscope.sources.seeking import DIALECTS, LineFile, Seekable
from saliscope.sources.shelves import Shelves
from saliscope.tui.data.cell_rewriting import cells_with
from saliscope.tui.data.data_set import DataSet
from saliscope.tui.data.draft import Draft, Texts, Turn, begin, readable, row_with
from saliscope.tui.data.json_rewriting import with_messages, with_strings
from saliscope.tui.data.replacing import put, replace_file

_DELIMITERS: Final = {".csv": ",", ".tsv": "\t"}


def save(data: DataSet, draft: Draft, change: Texts | Sequence[Turn]) -> Draft:
    """Write the row with other texts, or as a chat with other messages; the draft of what it is then.

    `bad_request` if that cannot be, or the file is another one meanwhile.
    """
    file = data.file
    new = row_with(draft, change)
    readable(data, new, draft.row)
    if not file.is_complete:
        raise SaliscopeError("bad_request", "its rows are still being found; save again in a moment")
    if draft.row >= len(file) or not _is_same(file, draft):
        raise SaliscopeError("bad_request", f"row {draft.row} has changed since it was opened")
    if isinstance(file, LineFile):
        made = rewritten(file, draft, change)
        if made != draft.raw:
            put(file.path, file.stamp, file.places[draft.row], made)
            file.rewritten(draft.row, len(made))
    elif isinstance(file, Shelves):
        _reshelve(file, draft, new)
    data.changed(draft.row)
    written = begin(data, draft.row)
    # A second text that is empty now is none of the row's, and may be one again.
    return written._replace(texts=dict(change)) if isinstance(change, Mapping) else written


def _is_same(file: Seekable, draft: Draft) -> bool:
    """Whether the row is still what was opened."""
    if isinstance(file, LineFile):
        return file.raw(draft.row) == draft.raw
    return repr(file.row(draft.row)) == repr(draft.was)


def _reshelve(file: Shelves, draft: Draft, new: Mapping[str, Any]) -> None:
    fields = {name: value for name, value in new.items() if repr(value) != repr(draft.was[name])}
    if not fields:
        return

    def write(old: IO[bytes], made: IO[bytes]) -> None:
        write_with_row(file.path, old, made, draft.row, fields)

    replace_file(file.path, file.stamp, write)
    file.rewritten()


def rewritten(file: LineFile, draft: Draft, change: Texts | Sequence[Turn]) -> bytes:
    """The bytes of a row with another text; `bad_request` for one that such a file cannot hold."""
    made = draft.raw.decode("utf-8")
    if not isinstance(change, Mapping):
        made = with_messages(made, _changed(draft, change))
    elif file.suffix == ".txt":
        made = change[None]
    elif file.suffix == ".jsonl":
        made = with_strings(made, change)
    else:
        for field, text in change.items():
            # Of columns of one name the last one is read.
            column = max(at for at, name in enumerate(file.head) if name == field)
            made = cells_with(made, _DELIMITERS[file.suffix], column, text)
    try:
        raw = made.encode("utf-8")
    except UnicodeEncodeError as error:
        raise SaliscopeError("bad_request", "the text has half of a surrogate pair, which UTF-8 cannot hold") from error
    _check(file, draft, raw, row_with(draft, change))
    return raw


def _changed(draft: Draft, turns: Sequence[Turn]) -> list[tuple[int | None, dict[str, str]]]:
    """Each message as the number of the old one with what of it is another, or None with all that it has."""
    made: list[tuple[int | None, dict[str, str]]] = []
    for turn in turns:
        fields = {"role": turn.role, "content": turn.content}
        if turn.source is not None:
            was = draft.turns[turn.source]
            fields = {name: new for name, new in fields.items() if new != getattr(was, name)}
        made.append((turn.source, fields))
    return made


def _check(file: LineFile, draft: Draft, raw: bytes, expected: Any) -> None:
    """A row that would be read otherwise than it was written is not written."""
    is_table, first = file.suffix in DIALECTS, file.places[draft.row].start == 0
    spans = list(table_spans(BytesIO(b"head\n" + raw), DIALECTS[file.suffix])) if is_table else list(
        line_spans(BytesIO((b"" if first else b"\n") + raw)))  # fmt: skip
    # As JSON, in which a number that is none equals itself.
    is_same = json.dumps(file.parsed(raw, draft.row)) == json.dumps(expected)
    if not is_same or len(spans) != 1 + is_table or spans[-1].end - spans[-1].start != len(raw):
        what = "one line that is not blank" if file.suffix == ".txt" else "this text"
        raise SaliscopeError(
            "bad_request", f"a row of a {file.suffix} file holds {what}, and nothing else can be saved"
        )
