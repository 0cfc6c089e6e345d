"""Rows of a file in any order: found in the background, and read when somebody looks at them."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources.places import MOST_BYTES, Places, Span, line_spans, table_spans
from saliscope.sources.records import Unreadable
from saliscope.sources.shelves import Shelves
from saliscope.sources.stamps import Stamp, stamp_of

#: Files of these endings are read row by row.
SEEKABLE: Final = (".txt", ".jsonl", ".csv", ".tsv", ".parquet")
DIALECTS: Final = {".csv": "excel", ".tsv": "excel-tab"}
#: Rows that are found between two looks at whether anybody still wants them.
_TURN: Final = 1024


class Seekable(Protocol):
    """Rows by number; `find` finds them and runs on a thread of its own, everything else may be called meanwhile.

    `problem` says why the rows end before the file does, if they do.
    """

    path: Path
    stamp: Stamp
    problem: str
    is_complete: bool

    def __len__(self) -> int: ...
    def find(self, stop: threading.Event) -> None:
        """Find all rows; returns early when `stop` is set."""

    def share_found(self) -> float:
        """How much of the file was looked through, 0 to 1."""

    def row(self, number: int) -> Any:
        """A row as readers give it (a text, a map, `Unreadable`); `bad_request` if the file is another one now."""

    def rows(self) -> Iterator[Any]:
        """The rows that are known now, one after another, by a handle of its own."""

    def close(self) -> None:
        """Let go of the file."""


def open_seekable(path: Path) -> Seekable:
    """A file of rows by its ending; `bad_request` for one that cannot be read, or is no text where it should be."""
    suffix = path.suffix.lower()
    if suffix not in SEEKABLE:
        raise SaliscopeError("bad_request", f"{path} ends in none of {', '.join(SEEKABLE)}")
    stamp = stamp_of(path)
    if suffix == ".parquet":
        return Shelves(path, stamp)
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed in `close`
    except OSError as error:
        raise SaliscopeError("bad_request", f"cannot read {path}: {error.strerror}") from error
    if b"\0" in file.read(8192):
        file.close()
        raise SaliscopeError("bad_request", f"{path} is no text: it has zero bytes")
    file.seek(0)
    return LineFile(path, stamp, file)


class LineFile:
    """Rows of a text file; its fields are those of its first line, if it is a table."""

    def __init__(self, path: Path, stamp: Stamp, file: BinaryIO) -> None:
        self.path, self.stamp = path, stamp
        self.places = Places()
        self.head: list[str] = []
        self.problem = ""
        self.is_complete = False
        self.suffix = path.suffix.lower()
        self._file = file
        self._looked_at = 0
        self._reading = threading.Lock()

    def __len__(self) -> int:
        return len(self.places)

    def find(self, stop: threading.Event) -> None:
        """See `Seekable`."""
        try:
            with open(self.path, "rb", buffering=1 << 20) as file:
                spans = self._spans(file)
                for number, span in enumerate(spans):
                    self.places.add(span)
                    self._looked_at = span.end
                    if number % _TURN == 0 and stop.is_set():
                        return
        except csv.Error as error:
            self.problem = f"below row {len(self)} it cannot be read as a table ({error})"
        except OSError as error:
            self.problem = f"below row {len(self)} it cannot be read ({error.strerror})"
        self._looked_at = self.stamp.size
        self.is_complete = True

    def _spans(self, file: BinaryIO) -> Iterator[Span]:
        dialect = DIALECTS.get(self.suffix)
        if dialect is None:
            return line_spans(file)
        spans = table_spans(file, dialect)
        head = next(spans, None)
        if head is not None:
            self.head = self._cells(self._bytes(head).decode("utf-8", "replace"))
        return spans

    def share_found(self) -> float:
        """See `Seekable`."""
        return 1.0 if self.is_complete else self._looked_at / max(self.stamp.size, 1)

    def row(self, number: int) -> Any:
        """See `Seekable`."""
        return self.parsed(self.raw(number), number)

    def rows(self) -> Iterator[Any]:
        """See `Seekable`."""
        try:
            with open(self.path, "rb", buffering=1 << 20) as file:
                for number in range(len(self)):
                    if number % _TURN == 0:
                        self._check()
                    span = self.places[number]
                    file.seek(span.start)
                    yield self.parsed(file.read(min(span.end - span.start, MOST_BYTES)), number)
        except OSError as error:
            raise SaliscopeError("bad_request", f"cannot read {self.path}: {error.strerror}") from error

    def raw(self, number: int) -> bytes:
        """The bytes of a row."""
        return self._bytes(self.places[number])

    def parsed(self, raw: bytes, number: int) -> Any:
        """What the bytes of a row say."""
        if len(raw) >= MOST_BYTES:
            return Unreadable(f"row {number} has more than {MOST_BYTES >> 20} MiB")
        try:
            line = raw.decode("utf-8")
            if self.suffix == ".txt":
                return line
            return json.loads(line) if self.suffix == ".jsonl" else self._named(self._cells(line))
        except UnicodeDecodeError as error:
            return Unreadable(f"row {number} is not UTF-8 (byte {error.start})")
        except (ValueError, RecursionError, csv.Error) as error:
            return Unreadable(f"row {number} is no row ({error})")

    def rewritten(self, row: int, length: int) -> None:
        """The file is a new one, in which this row has so many bytes and all others are the same."""
        with self._reading:
            self.places.replace(row, length)
            self._file.close()
            self._file = open(self.path, "rb")  # noqa: SIM115 - closed in `close`
            self.stamp = stamp_of(self._file.fileno())

    def close(self) -> None:
        """See `Seekable`."""
        self._file.close()

    def _bytes(self, span: Span) -> bytes:
        wanted = min(span.end - span.start, MOST_BYTES)
        with self._reading:
            try:
                self._check()
                self._file.seek(span.start)
                found = self._file.read(wanted)
            except (OSError, ValueError) as error:
                raise SaliscopeError("bad_request", f"{self.path} cannot be read any more ({error})") from error
        if len(found) < wanted:
            raise SaliscopeError("bad_request", f"{self.path} has become shorter")
        return found

    def _check(self) -> None:
        if stamp_of(self._file.fileno()) != self.stamp or stamp_of(self.path) != self.stamp:
            raise SaliscopeError("bad_request", f"{self.path} has changed since it was opened")

    def _cells(self, text: str) -> list[str]:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        given = [*(f"{line}\n" for line in lines[:-1]), *filter(None, lines[-1:])]
        return next(csv.reader(given, DIALECTS[self.suffix]), [])

    def _named(self, cells: list[str]) -> dict[Any, Any]:
        """Cells as `csv.DictReader` names them: those beyond the head under None, those that lack as None."""
        row: dict[Any, Any] = dict(zip(self.head, cells, strict=False))
        if len(cells) > len(self.head):
            row[None] = cells[len(self.head) :]
        return {**row, **dict.fromkeys(self.head[len(cells) :])}
