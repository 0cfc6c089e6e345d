from __future__ import annotations

import json

import pytest
from tests.daemon.live.desk import explained

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
