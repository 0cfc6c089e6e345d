from __future__ import annotations

import pytest
from msgspec import Struct

from saliscope.protocol.errors import ERRORS, SaliscopeError
from saliscope.protocol.parameters import Explain, Initialize, Target
from saliscope.protocol.validate import MAX_WARNINGS, parse

CHAT = {"role": "user", "content": "a"}


def test_parameters_are_typed_and_defaults_filled_in() -> None:
    value, warnings = parse(Explain, {"text": "a", "target": {"kind": "next-token"}})
    assert value == Explain(text="a", target=Target(kind="next-token"))
    assert warnings == []


@pytest.mark.parametrize(
    ("params", "path", "reason"),
    [
        ({"text": 1}, "$.text", "Expected `str | array | null`, got `int`"),
        ({"text": ["a", 1]}, "$.text[1]", "Expected `str`, got `int`"),
        ({"text": "a", "seed": -1}, "$.seed", "Expected `int` >= 0"),
        (
            {"text": "a", "granularity": "page"},
            "$.granularity",
            "Expected token, word, sentence, line, or regex:PATTERN",
        ),
        ({"text": "a", "target": {"kind": 5}}, "$.target.kind", "Expected `str | null`, got `int`"),
        ({}, "$", "give a text, or messages"),
        ({"text": "a", "messages": [CHAT]}, "$", "messages come alone, without a text and without a pair"),
        ({"messages": []}, "$.messages", "Expected `array` of length >= 1"),
        ({"messages": [CHAT, {"role": "user"}]}, "$.messages[1]", "Object missing required field `content`"),
        ({"messages": [{**CHAT, "name": "a"}]}, "$.messages[0]", "Object contains unknown field `name`"),
        ({"messages": [{**CHAT, "content": 3}]}, "$.messages[0].content", "Expected `str`, got `int`"),
    ],
)
def test_a_wrong_field_is_named_with_its_path_and_the_reason(params: dict, path: str, reason: str) -> None:
    with pytest.raises(SaliscopeError) as caught:
        parse(Explain, params)
    assert caught.value.code == "bad_request"
    assert caught.value.data == {"path": path, "reason": reason}
    assert reason in caught.value.message


def test_unknown_fields_are_listed_also_inside() -> None:
    params = {"text": "a", "colour": 1, "target": {"kind": "class", "lable": 0}, "params": {"x": 1}}
    _, warnings = parse(Explain, params)
    assert warnings == ["unknown field 'colour' was ignored", "unknown field 'target.lable' was ignored"]
    _, warnings = parse(Initialize, {"notify": {"method": "m", "tail": []}})
    assert warnings == ["unknown field 'notify.tail' was ignored"]


class Row(Struct):
    text: str = ""


class Table(Struct):
    rows: list[Row | str] = []
    by_name: dict[str, list[Row]] = {}


def test_unknown_fields_are_listed_at_every_depth_and_at_most_some() -> None:
    params = {"rows": ["a", {"text": "a", "hue": 1}], "by_name": {"x": [{"lable": 1}]}}
    assert parse(Table, params)[1] == [
        "unknown field 'rows[1].hue' was ignored",
        "unknown field 'by_name.x[0].lable' was ignored",
    ]
    many = parse(Table, {"rows": [{str(n): n} for n in range(100)]})[1]
    assert len(many) == MAX_WARNINGS + 1
    assert many[-1] == "80 more unknown fields were ignored"


@pytest.mark.parametrize("code", ERRORS)
@pytest.mark.parametrize("style", ["array", "string"])
def test_errors_survive_the_wire_in_both_styles(code: str, style: str) -> None:
    back = SaliscopeError.from_wire(SaliscopeError(code, "what: to do").to_wire(style))
    assert (back.code, back.message) == (code, "what: to do")
