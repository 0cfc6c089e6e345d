"""Which rows the table shows, and in which order."""

from __future__ import annotations

import threading

import pytest

from saliscope.protocol.explanation import Prediction
from saliscope.sources.outputs import Found
from saliscope.tui.data.order import Wish, arranged
from saliscope.tui.data.terms import Terms, read_terms
from saliscope.tui.data.verdict import Known, Verdict, verdict_of, verdict_of_job

KNOWN = {
    0: Verdict("positive", 0.9, "positive"),
    1: Verdict("positive", 0.55, "negative", ("mismatch",)),
    2: Verdict("negative", 0.52, "negative", ("low-margin",)),
    3: Verdict("", None, "negative", ("failed",)),
    5: Verdict("negative", 0.99, "positive", ("mismatch", "truncated")),
}
TEXTS = [("A dull film", "positive"), ("A wonderful film", "negative"), ("dull", "negative"), ("x", "negative"),
         ("Dull cast", ""), ("a play", "positive")]  # fmt: skip


def shown(line: str, order: str = "place") -> list[int]:
    wish = Wish(order, read_terms(line))  # type: ignore[arg-type]
    return list(arranged(wish, 6, KNOWN, lambda: TEXTS, threading.Event(), lambda _: None))


def test_the_least_sure_come_first_and_the_unknown_last() -> None:
    assert shown("", "confidence") == [2, 1, 0, 5, 3, 4]


def test_the_surely_wrong_come_first_then_failures_then_findings() -> None:
    assert shown("", "trouble") == [5, 1, 3, 2, 0, 4]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("dull", [0, 2, 4]),
        ("dull film", [0]),
        ('"a dull"', [0]),
        ("label:pos", [0, 5]),
        ("pred:neg", [2, 5]),
        ("found:mismatch", [1, 5]),
        ("conf<0.6", [1, 2]),
        ("conf>90%", [0, 5]),
        ("conf>0.5 conf<0.95 film", [0, 1]),
        ("found:failed", [3]),
        ("nothing", []),
        ("", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_what_is_asked_for_is_shown(line: str, expected: list[int]) -> None:
    assert shown(line) == expected


def test_an_order_and_a_filter_together() -> None:
    assert shown("film", "confidence") == [1, 0]


def test_half_a_quote_and_odd_words_are_words() -> None:
    assert read_terms('"dull fi') == Terms(words=("dull fi",))
    assert read_terms("label: conf<x :") == Terms(words=("label:", "conf<x", ":"))


def test_a_prediction_beside_its_label() -> None:
    said = Prediction("positive", 1, {"negative": 0.48, "positive": 0.52})
    assert verdict_of(said, "Positive", None).findings == ("low-margin",)
    assert verdict_of(said, 0, 7).findings == ("mismatch", "low-margin", "truncated")
    assert verdict_of(said, "1", None).findings == ("low-margin",)
    # A label of another set says nothing.
    assert verdict_of(said, "sports", None).findings == ("low-margin",)
    assert verdict_of(Prediction(" the", 5, {" the": 0.2}, "next-token"), "positive", None).findings == ()


def test_a_row_of_a_job_beside_its_label() -> None:
    classes = ("negative", "positive")
    assert verdict_of_job(Found(0, "positive", "negative", 0, 0.7), classes).is_wrong
    assert not verdict_of_job(Found(0, "0", "negative", 0, 0.7), classes).is_wrong
    assert verdict_of_job(Found(0, None, "negative", 0, 0.53), classes).findings == ("low-margin",)
    assert verdict_of_job(Found(0, "0", code="too_large", message="long"), classes) == Verdict(
        "", None, "0", ("failed",)
    )


def test_the_counts_follow_what_is_known() -> None:
    known = Known()
    for row, verdict in KNOWN.items():
        known.put(row, verdict)
    assert (len(known), known.num_labelled, known.num_wrong) == (5, 4, 2)
    known.put(1, Verdict("negative", 0.8, "negative"))
    known.forget(5)
    known.forget(17)
    assert (len(known), known.num_labelled, known.num_wrong, list(known.wrong())) == (4, 3, 0, [])
