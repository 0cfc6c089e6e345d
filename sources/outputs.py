"""The output of a data-set job as rows, while it is made (chunks in `OUT.parts/`) and when it is there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from saliscope.protocol.errors import SaliscopeError
from saliscope.sources.seeking import Seekable, open_seekable


class Found(Struct):
    """What a row of the output says of its row of the data; a row with a `code` has no prediction."""

    row: int
    label: str | None = None
    prediction: str | None = None
    prediction_index: int | None = None
    probability: float | None = None
    truncated_at: int | None = None
    code: str | None = None
    message: str | None = None


class Scored(Found):
    """The same with the scores: `features[i]` is `text[starts[i]:ends[i]]`."""

    text: str | None = None
    target: str | None = None
    method: str | None = None
    features: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    scores: list[float] = []


_FOUND: Final = msgspec.json.Decoder(Found)
_SCORED: Final = msgspec.json.Decoder(Scored)


class Output:
    """The rows of the output of one job; `news` and `row` may be called on threads of their own."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self._parts = out.with_name(out.name + ".parts")
        self._told: dict[Path, range] = {}
        self._whole: Seekable | None = None
        self._reading = threading.Lock()

    def news(self, *, is_done: bool) -> Iterator[Found]:
        """The rows that were not told yet, a chunk after another; where the job is done, all that no chunk has told.

        Before that a file of this name is another one.
        """
        told = {number for rows in self._told.values() for number in rows}
        for path in sorted(self._parts.glob("*.jsonl")):
            if path in self._told:
                continue
            rows = [_FOUND.decode(line) for line in _lines(path)]
            if rows:
                self._told[path] = range(rows[0].row, rows[-1].row + 1)
                yield from rows
        if is_done and self._whole is None:
            whole = open_seekable(self.out)
            whole.find(threading.Event())
            self._whole = whole
            for row in whole.rows():
                found = msgspec.convert(row, Found)
                if found.row not in told:
                    yield found

    def row(self, number: int) -> Scored | None:
        """A row with its scores; None where it is not known (yet)."""
        if self._whole is not None:
            with self._reading:
                try:
                    # Maps of Parquet come as lists of pairs; they are not among the fields.
                    return msgspec.convert(self._whole.row(number), Scored)
                except (SaliscopeError, IndexError, msgspec.ValidationError):
                    return None
        for path, rows in list(self._told.items()):
            if number in rows:
                return next((row for line in _lines(path) if (row := _SCORED.decode(line)).row == number), None)
        return None

    def close(self) -> None:
        """Let go of the file."""
        if self._whole is not None:
            self._whole.close()


def _lines(path: Path) -> list[bytes]:
    """The lines of a chunk; none of one that has just been merged."""
    try:
        return [line for line in path.read_bytes().split(b"\n") if line]
    except FileNotFoundError:
        return []
