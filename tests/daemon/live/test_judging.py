from __future__ import annotations

import json
from typing import Any

import pytest
from tests.daemon.live.desk import Desk, explained, on_a_desk, settle

from saliscope.daemon.front.documents.formats import find_format
from saliscope.daemon.front.documents.store import Store
from saliscope.daemon.front.live.judging import judge


@pytest.mark.parametrize(
    ("label", "is_wrong"),
    [
        ("positive", False),
        ("Positive", False),
        ("negative", True),
        (1, False),
        (0, True),
        ("1", False),
        ("0", True),
        ("spam", False),
        (-1, False),
        (2, False),
        ("9" * 5000, False),
        (True, False),
    ],
)
def test_a_label_contradicts_only_where_it_is_another_class_of_the_model(label: object, is_wrong: bool) -> None:
    source = json.dumps({"text": "good", "label": label})
    (located,) = Store(source, find_format("jsonl"))
    found = list(judge(located, explained({"text": "good"}), 0.1))
    assert [one.kind for one in found] == ["mismatch"] * is_wrong
    if is_wrong and isinstance(label, str):
        assert source[slice(*found[0].span)] == label


def test_one_output_and_next_tokens_have_neither_margin_nor_contradiction() -> None:
    (located,) = Store('{"text": "good", "label": "negative"}', find_format("jsonl"))
    regression = {"label": "score", "index": 0, "probabilities": {}, "value": 0.3}
    following = {"label": " a", "index": 5, "probabilities": {" a": 0.2, " b": 0.19}, "kind": "next-token"}
    for prediction in (regression, following):
        answer = {**explained({"text": "good"}), "prediction": prediction}
        assert list(judge(located, answer, 0.1)) == []


def test_what_the_model_said_of_an_old_text_goes_with_what_it_says_of_the_new_one() -> None:
    async def run(desk: Desk) -> None:
        rows = '{"text": "good", "label": "negative"}\n{"text": 5}\n'
        await desk.open(rows, "a.jsonl")
        await desk.answer_all()
        assert kinds(desk.take("document/attribution")) == [["mismatch"]]
        desk.take("document/findings")
        await desk.change(0, (14, 14, "!"), document="a.jsonl")
        assert desk.take("document/findings") == []
        await desk.answer_all()
        assert kinds(desk.take("document/attribution")) == [["mismatch"]]
        at = rows.index("negative") + 1
        await desk.change(1, (at, at + 8, "positive"), document="a.jsonl")
        assert kinds(desk.take("document/attribution")) == [[]]
        assert desk.take("document/findings") == []

    on_a_desk(run)


def test_what_was_wrong_with_a_record_goes_at_once() -> None:
    async def run(desk: Desk) -> None:
        rows = '{"text": 5}\n{"text": "good"}\n'
        await desk.open(rows, "a.jsonl")
        await desk.answer_all()
        (told,) = desk.take("document/findings")
        assert kinds(told["records"]) == [["not-text"]]
        await desk.change(0, (9, 10, '"five"'), document="a.jsonl")
        assert desk.waiting
        (told,) = desk.take("document/findings")
        assert kinds(told["records"]) == [[]]

    on_a_desk(run)


def test_what_the_model_cannot_explain_any_more_loses_what_it_said() -> None:
    async def run(desk: Desk) -> None:
        await desk.open('{"text": "good", "label": "negative"}\n', "a.jsonl")
        await desk.answer_all()
        desk.take("document/attribution")
        await desk.change(0, (14, 14, "!"), document="a.jsonl")
        for question in desk.waiting:
            question.fail("internal")
        await settle()
        (told,) = desk.take("document/findings")
        assert kinds(told["records"]) == [["failed"]]

    on_a_desk(run)


def kinds(told: list[dict[str, Any]]) -> list[list[str]]:
    return [[one["kind"] for one in row["findings"]] for row in told]
