"""What a JSON Schema of parameters allows, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters of a schema by name, also where msgspec put them behind a reference."""
    if "$ref" in schema:
        schema = schema.get("$defs", {}).get(str(schema["$ref"]).rpartition("/")[2], {})
    found = schema.get("properties", {})
    return found if isinstance(found, Mapping) else {}


def range_of(schema: Mapping[str, Any]) -> str:
    """What one parameter allows: `integer, 1 to 64`."""
    if "enum" in schema:
        return " | ".join("none" if value is None else str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join(range_of(part) for part in schema["anyOf"])
    kind = str(schema.get("type", "any")).replace("null", "none")
    if kind == "array" and isinstance(schema.get("items"), dict):
        kind = f"list of {range_of(schema['items'])}"
    low, high = _limit(schema, "inimum"), _limit(schema, "aximum")
    if low and high:
        return f"{kind}, {low} to {high}"
    return f"{kind}, at least {low}" if low else f"{kind}, at most {high}" if high else kind


def _limit(schema: Mapping[str, Any], end: str) -> str:
    if f"m{end}" in schema:
        return f"{schema[f'm{end}']:g}"
    if f"exclusiveM{end}" in schema:
        return f"{schema[f'exclusiveM{end}']:g} (excluded)"
    return ""
