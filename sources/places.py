"""Where the rows of a text file lie, found once from the beginning to the end, in the order of the stream."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

#: Bytes of a line that are read together; a longer one is a row that cannot be shown.
MOST_BYTES: Final = 8 << 20
_MARK: Final = b"\xef\xbb\xbf"


class Span(NamedTuple):
    """Bytes `start` to `end` of a file: a row without the line break behind it."""

    start: int
    end: int


class Places:
    """The spans of the rows that were found so far, twelve bytes each; one thread adds, others may look."""

    def __init__(self) -> None:
        self._starts, self._lengths = array("q"), array("I")

    def __len__(self) -> int:
        return len(self._lengths)

    def __getitem__(self, row: int) -> Span:
        start = self._starts[row]
        return Span(start, start + self._lengths[row])

    def add(self, span: Span) -> None:
        """One more row; the start is there before the length, which counts."""
        self._starts.append(span.start)
        self._lengths.append(min(span.end - span.start, 0xFFFFFFFF))

    def replace(self, row: int, length: int) -> None:
        """A row has another length now, and all rows behind it lie elsewhere."""
        by = length - self._lengths[row]
        self._lengths[row] = length
        for later in range(row + 1, len(self._starts)):
            self._starts[later] += by


def line_spans(file: BinaryIO) -> Iterator[Span]:
    """The lines that are not blank."""
    for start, line, length in _lines(file):
        bare = line.strip()
        # Whether other blanks than those of ASCII are all there is shows only in text.
        if bare and (0x20 < bare[0] < 0x7F or line.decode("utf-8", "replace").strip()):
            yield Span(start, start + length - _break(line))


def table_spans(file: BinaryIO, dialect: str) -> Iterator[Span]:
    """The head of a table and its rows, as the module `csv` cuts them; raises `csv.Error` where it cannot."""
    begin, at, last, is_over = -1, 0, 0, False

    def lines() -> Iterator[str]:
        nonlocal begin, at, last, is_over
        for start, line, length in _lines(file):
            begin = start if begin < 0 else begin
            at, last = start + length, _break(line)
            text = line.decode("utf-8", "surrogateescape")
            yield (text[:-last] + "\n" if last else text)
        is_over = True

    is_head = True
    for row in csv.reader(lines(), dialect):
        # The first line is the head, whatever it is; below it blank lines are none.
        if row or is_head:
            # To a quote that nothing closes the last line break belongs, too.
            yield Span(begin, at if is_over else at - last)
        begin, is_head = -1, False


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes, int]]:
    """The lines with their break: (start, the first `MOST_BYTES` of it, length); the mark at the beginning is left out.

    A line ends as in text files: with a line feed, a carriage return, or both.
    """
    at = len(_MARK) if file.read(len(_MARK)) == _MARK else 0
    file.seek(at)
    while line := file.readline(MOST_BYTES):
        length = len(line)
        while line[-1:] != b"\n" and (more := file.readline(MOST_BYTES)):
            length += len(more)
            if more[-1:] == b"\n":
                break
        if length > len(line) or b"\r" not in line:
            yield at, line, length
            at += length
            continue
        for part in line.splitlines(keepends=True):
            yield at, part, len(part)
            at += len(part)


def _break(line: bytes) -> int:
    """How many bytes of a line are its break."""
    if line.endswith(b"\r\n"):
        return 2
    return 1 if line.endswith((b"\n", b"\r")) else 0
