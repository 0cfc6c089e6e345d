"""The table of formats, by suffix of a file and by language id of an editor."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from saliscope.daemon.front.documents.format import Format
from saliscope.daemon.front.documents.lines import (
    cut_line,
    cut_paragraph,
    cut_whole,
    parse_json_line,
    parse_plain,
)
from saliscope.protocol.errors import SaliscopeError

FORMATS: Final[tuple[Format, ...]] = (
    Format(
        "lines", "each line that has something visible", (".txt", ".log"), ("plaintext", "text"), cut_line, parse_plain
    ),
    Format("text", "the whole text", (), (), cut_whole, parse_plain),
    Format("paragraphs", "each paragraph: lines between blank ones", (".rst", ".tex"), (), cut_paragraph, parse_plain),
    Format("jsonl", "each line", (".jsonl", ".ndjson"), ("jsonl", "jsonlines", "ndjson"), cut_line, parse_json_line),
)


def find_format(name: str | None, path: str = "", language: str = "") -> Format:
    """The format of this name; without one that of the language id, then of the path's suffix, then plain lines."""
    if name is not None:
        found = next((one for one in FORMATS if one.name == name), None)
        if found is None:
            known = ", ".join(one.name for one in FORMATS)
            raise SaliscopeError("bad_request", f"format {name!r} is none of {known}")
        return found
    suffix = PurePath(path).suffix.lower()
    by_suffix = next((one for one in FORMATS if suffix in one.suffixes), None)
    by_language = next((one for one in FORMATS if language in one.languages), None)
    return by_suffix or by_language or FORMATS[0]
