"""JSON Schemas of parameters as rows of a form: what each takes, and what was typed read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.ranges import properties, range_of


class Field(NamedTuple):
    """One parameter: its name, what it means and takes, its value without a choice, and the values if they are few."""

    name: str
    note: str
    takes: str
    default: Any
    options: tuple[Any, ...] = ()
    is_switch: bool = False


def fields_of(schema: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[Field]:
    """The parameters of a method, in the order of its schema."""
    return [_field(name, part, defaults.get(name, part.get("default"))) for name, part in properties(schema).items()]


def _field(name: str, part: Mapping[str, Any], default: Any) -> Field:
    return Field(
        name, part.get("description", ""), range_of(part), default, tuple(part.get("enum", ())),
        part.get("type") == "boolean",
    )  # fmt: skip


def read_value(field: Field, typed: str) -> Any:
    """What was typed as a value: JSON where it is, `none`, else a string; the daemon checks the rest."""
    text = typed.strip()
    if text.lower() == "none":
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if isinstance(value, str) and "string" not in field.takes and not field.options:
        raise SaliscopeError("bad_request", f"{field.name}: expected {field.takes}, not {text!r}")
    return value


def shown(value: Any) -> str:
    """A value as it is typed."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
