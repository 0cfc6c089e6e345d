"""Rows of text files: one text a line, JSON lines, tables with a head, and lists in JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.fields import LIST_FIELDS
from saliscope.sources.records import Unreadable

#: A list in JSON is read whole; a longer one is refused.
MOST_JSON: Final = 256 << 20


def text_rows(path: Path, start: int) -> Iterator[Any]:
    """The lines that are not blank, as texts."""
    return (line for _, line in islice(_lines(path), start, None))


def json_rows(path: Path, start: int) -> Iterator[Any]:
    """What each line that is not blank holds; a line that is no JSON is `Unreadable`."""
    for number, line in islice(_lines(path), start, None):
        try:
            yield json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Unreadable(f"{path}, line {number} is not JSON ({error})")


def count_lines(path: Path) -> int:
    """How many lines are not blank."""
    return sum(1 for _ in _lines(path))


def table_rows(path: Path, dialect: str, start: int) -> Iterator[Any]:
    """The rows of a table as maps, by the names in its first line."""
    with _opened(path) as file:
        try:
            yield from islice(csv.DictReader(file, dialect=dialect), start, None)
        except csv.Error as error:
            raise SaliscopeError("bad_request", f"data: {path} cannot be read as a table ({error})") from error


def array_rows(path: Path, start: int) -> Iterator[Any]:
    """The entries of a list, or of the one that a map holds under a known name."""
    with _opened(path) as file:
        if path.stat().st_size > MOST_JSON:
            raise SaliscopeError(
                "too_large", f"data: {path} is one list of more than {MOST_JSON >> 20} MiB; make it .jsonl"
            )
        try:
            found = json.load(file)
        except UnicodeDecodeError:
            raise
        except (ValueError, RecursionError) as error:
            raise SaliscopeError("bad_request", f"data: {path} is not JSON ({error})") from error
    if isinstance(found, dict):
        known = {name.casefold(): value for name, value in found.items() if isinstance(value, list)}
        found = next((known[name] for name in LIST_FIELDS if name in known), None)
    if not isinstance(found, list):
        raise SaliscopeError("bad_request", f"data: {path} is no list of texts or maps, and has none in a known field")
    yield from found[start:]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1."""
    with _opened(path) as file:
        # Not `splitlines`, which would cut a text at every form feed and Unicode separator.
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line.removesuffix("\n")


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    try:
        with open(path, encoding="utf-8-sig") as file:
            yield file
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SaliscopeError("bad_request", f"data: cannot read {path} ({said})") from error
