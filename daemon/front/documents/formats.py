"""The table of formats, by suffix of a file and by language id of an editor."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from saliscope.daemon.front.documents.format import Format
from saliscope.daemon.front.documents.lines import cut_line, cut_paragraph, cut_whole, parse_json_line, parse_plain
from saliscope.daemon.front.documents.markdown import parse_markdown
from saliscope.daemon.front.documents.prompt import parse_prompt
from saliscope.daemon.front.documents.tables import cut_row, parse_row, read_header, read_tab_header
from saliscope.daemon.front.documents.wholes import parse_json_document, parse_yaml_document
from saliscope.protocol.errors import SaliscopeError

_ROW: Final = "each row below the header, which names the fields"
_VALUE: Final = "each entry of its list, or the whole; a list of maps with a role and a content is one chat"
_PROMPT: Final = 'the text below the front matter, or one chat where lines say `user:` or tags say `{{role "user"}}`'

FORMATS: Final[tuple[Format, ...]] = (
    Format("lines", "each line with something visible", (".txt", ".log"), ("plaintext", "text"), cut_line, parse_plain),
    Format("text", "the whole document", (), (), cut_whole, parse_plain),
    Format("paragraphs", "each paragraph: the lines between blank ones", (".rst",), (), cut_paragraph, parse_plain),
    Format(
        "markdown",
        "each paragraph, heading and list item, without front matter, code (inline too) and HTML",
        (".md", ".markdown"),
        ("markdown",),
        cut_whole,
        parse_markdown,
    ),
    Format("jsonl", "each line", (".jsonl", ".ndjson"), ("jsonl", "jsonlines", "ndjson"), cut_line, parse_json_line),
    Format("json", _VALUE, (".json",), ("json",), cut_whole, parse_json_document),
    Format("csv", _ROW, (".csv",), ("csv",), cut_row, parse_row, read_header),
    Format("tsv", _ROW, (".tsv", ".tab"), ("tsv",), cut_row, parse_row, read_tab_header),
    Format("yaml", f"of each document: {_VALUE}", (".yaml", ".yml"), ("yaml",), cut_whole, parse_yaml_document),
    Format("prompt", _PROMPT, (".prompt", ".prompty"), ("prompt",), cut_whole, parse_prompt),
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
