"""Of the record with the focus the prediction comes first, then an estimate, then the method that was chosen."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.daemon.live.desk import Desk, on_a_desk, settle

from saliscope.protocol.documents import RecordAttribution
from saliscope.protocol.parameters import Target


def states(desk: Desk) -> list[tuple[str, str | None]]:
    """State and method of what was told since the last time."""
    told = [msgspec.convert(one, RecordAttribution) for one in desk.take("document/attribution")]
    assert all((one.explanation is None) == (one.state == "predicted") == (one.prediction is not None) for one in told)
    return [(one.state, one.explanation and one.explanation.method) for one in told]


async def focused(desk: Desk, **options: Any) -> None:
    """A document of two records that are explained, the first of which has the focus."""
    await desk.open("one film\ntwo films\n", **options)
    await desk.focus(0)
    await desk.answer_all()
    for known in (desk.told, desk.asked, desk.predictions):
        known.clear()


def test_a_record_with_the_focus_goes_through_all_states() -> None:
    async def run(desk: Desk) -> None:
        await focused(desk, method="slow")
        await desk.change(0, (0, 3, "some"))
        (question,) = desk.predictions
        assert desk.asked == []
        assert (question.params["texts"], question.params["priority"]) == ("some film", "interactive")
        question.answer(prediction={"label": "p", "index": 1, "probabilities": {"n": 0.48, "p": 0.52}})
        await settle()
        (told,) = desk.take("document/attribution")
        assert (told["state"], told["prediction"]["label"], told["explanation"]) == ("predicted", "p", None)
        assert (told["start"], told["end"], told["version"]) == (0, 9, 1)
        assert [one["kind"] for one in told["findings"]] == ["low-margin"]
        estimate = desk.asked[0]
        assert estimate.params["supersede"] == question.params["supersede"]
        estimate.answer()
        await settle()
        desk.asked[1].partial()
        desk.asked[1].answer()
        await settle()
        assert states(desk) == [("partial", "quick"), ("partial", "slow"), ("final", "slow")]
        assert (len(desk.predictions), len(desk.asked)) == (1, 2)

    on_a_desk(run)


def test_the_other_records_are_not_predicted_alone_and_neither_is_what_is_being_explained() -> None:
    async def run(desk: Desk) -> None:
        await focused(desk)
        await desk.change(0, (9, 12, "ten"))
        assert [question.text for question in desk.asked] == ["ten films"]
        await desk.focus(9, version=1)
        assert [question.params["priority"] for question in desk.asked] == ["request", "interactive"]
        desk.asked[0].fail("superseded")
        await desk.answer_all()
        assert (states(desk), desk.predictions) == ([("final", "quick")], [])

    on_a_desk(run)


def test_a_prediction_of_a_text_that_was_edited_since_is_cancelled() -> None:
    async def run(desk: Desk) -> None:
        await focused(desk)
        await desk.change(0, (0, 3, "some"))
        await desk.change(1, (0, 4, "a"))
        old, new = desk.predictions
        assert (old.is_cancelled, new.text) == (True, "a film")
        await desk.answer_all()
        assert states(desk) == [("predicted", None), ("final", "quick")]

    on_a_desk(run)


def test_what_was_seen_before_is_told_at_once_without_a_prediction() -> None:
    async def run(desk: Desk) -> None:
        await focused(desk)
        await desk.change(0, (0, 3, "some"))
        await desk.answer_all()
        await desk.change(1, (0, 4, "one"))
        assert states(desk) == [("predicted", None), ("final", "quick"), ("final", "quick")]
        assert len(desk.predictions) == 1

    on_a_desk(run)


def test_where_the_prediction_fails_the_estimate_says_what_there_is_to_say() -> None:
    async def run(desk: Desk) -> None:
        await focused(desk)
        await desk.change(0, (0, 3, "some"))
        desk.predictions[0].fail("timeout")
        await settle()
        desk.asked[0].answer()
        await settle()
        assert states(desk) == [("final", "quick")]
        assert desk.take("document/findings") == []

    on_a_desk(run)


@pytest.mark.parametrize(
    "options", [{"target": Target("label-words", labels={"good": "good", "bad": "bad"})}, {"windows": "stitch"}]
)
def test_what_a_prediction_would_not_tell_is_not_predicted(options: dict[str, Any]) -> None:
    async def run(desk: Desk) -> None:
        await focused(desk, **options)
        await desk.change(0, (0, 3, "some"))
        await desk.answer_all()
        assert (states(desk), desk.predictions) == ([("final", "quick")], [])

    on_a_desk(run)
