from __future__ import annotations

import pytest

from saliscope.protocol.ranges import properties, range_of


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 64}, "integer, 1 to 64"),
        ({"type": "number", "exclusiveMinimum": 0}, "number, at least 0 (excluded)"),
        ({"enum": ["a", None]}, "a | none"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer or none"),
        ({"type": "array", "items": {"type": "number"}}, "list of number"),
        ({}, "any"),
    ],
)
def test_a_schema_in_words(schema: dict[str, object], words: str) -> None:
    assert range_of(schema) == words


def test_parameters_are_found_behind_a_reference() -> None:
    inner = {"properties": {"window": {"type": "integer"}}}
    assert properties({"$ref": "#/$defs/Params", "$defs": {"Params": inner}}) == inner["properties"]
    assert properties(inner) == inner["properties"]
    assert properties({"type": "object"}) == {}
