"""Formats that are parsed as a whole: JSON and YAML documents of records or of a chat's messages."""

from __future__ import annotations

from json import JSONDecodeError

from saliscope.daemon.front.documents.json_nodes import parse_json
from saliscope.daemon.front.documents.lines import BOM, broken, visible
from saliscope.daemon.front.documents.record import Placed
from saliscope.daemon.front.documents.shaping import Names, shape_document
from saliscope.daemon.front.documents.yaml_nodes import YamlError, parse_yaml


def parse_json_document(text: str, first: bool, names: Names) -> list[Placed]:
    """The records of a JSON document; what is no JSON is one broken record."""
    start, end = visible(text, first)
    if start == end:
        return []
    try:
        return shape_document(text, parse_json(text, start), names)
    except JSONDecodeError as error:
        return [broken(text, (start, end), f"this is no JSON: {error.msg}", error.pos)]


def parse_yaml_document(text: str, first: bool, names: Names) -> list[Placed]:
    """The records of each document of a YAML stream; from where it breaks, the rest is one broken record."""
    # PyYAML counts from behind the byte order mark.
    begin = 1 if text.startswith(BOM) else 0
    source = text[begin:]
    records: list[Placed] = []
    try:
        for root in parse_yaml(source):
            records += shape_document(source, root, names) if root.value is not None else []
    except YamlError as error:
        end = len(source.rstrip())
        behind = min(records[-1].start + records[-1].record.length if records else 0, end)
        records.append(broken(source, (behind, end), f"this is no YAML: {error}", error.at))
    return [Placed(begin + start, record) for start, record in records]
