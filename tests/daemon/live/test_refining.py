"""A record is estimated, then explained by the method that was chosen, until its ranking is stable or it ends."""

from __future__ import annotations

from typing import Any

import pytest
from tests.daemon.live.desk import Desk, on_a_desk, settle

from saliscope.daemon.front.live.ranking import STOPPED, clear_ranking


def sampled(scores: list[float], stderr: float | None) -> dict[str, Any]:
    errors = None if stderr is None else [stderr] * len(scores)
    return {"scores": scores, "outputs": [{"target": {}, "scores": scores, "stderr": errors}]}


@pytest.mark.parametrize(
    ("scores", "stderr", "ranking"),
    [
        ([1.0, -3.0, 2.0], 0.1, (1, 2, 0)),
        ([1.0, -3.0, 2.0], 0.4, None),
        ([1.0, -3.0, 2.0], None, None),
        ([1.0, -3.0, 2.0], float("nan"), None),
        ([1.0, 1.0], 0.0, None),
        ([7.0], 3.0, (0,)),
        # The weak ones need no order among themselves.
        ([9.0, 8.0, 7.0, 6.0, 5.0, 0.1, 0.1, 0.1], 0.2, (0, 1, 2, 3, 4)),
        ([9.0, 8.0, 7.0, 6.0, 5.0, 4.9], 0.2, None),
    ],
)
def test_a_ranking_is_clear_where_the_strongest_are_two_standard_errors_apart(
    scores: list[float], stderr: float | None, ranking: tuple[int, ...] | None
) -> None:
    assert clear_ranking(sampled(scores, stderr)) == ranking


def test_a_method_that_samples_ends_with_the_second_estimate_that_is_sure_of_the_same_ranking() -> None:
    async def run(desk: Desk) -> None:
        await desk.open("one two\n", method="slow")
        desk.asked[0].answer()
        await settle()
        method = desk.asked[1]
        method.partial(**sampled([1.0, 3.0], 0.1))
        method.partial(**sampled([3.0, 1.0], 0.1))
        method.partial(**sampled([3.0, 1.0], 2.0))
        method.partial(**sampled([3.0, 1.0], 0.1))
        method.partial(**sampled([3.5, 1.0], 0.1))
        await settle()
        told = desk.take("document/attribution")
        assert [(one["explanation"]["method"], one["state"]) for one in told] == [
            ("quick", "partial"), *[("slow", "partial")] * 4, ("slow", "final"),
        ]  # fmt: skip
        assert told[-1]["explanation"]["scores"] == [3.5, 1.0]
        assert told[-1]["explanation"]["diagnostics"]["stopped"] == STOPPED
        assert method.is_cancelled
        assert len(desk.take("document/settled")) == 1
        # It is kept like any other.
        changed = await desk.change(0, (0, 3, "red"), (0, 3, "one"))
        assert (changed.num_computing, len(desk.asked)) == (0, 2)

    on_a_desk(run)


def test_it_goes_on_to_the_end_where_that_is_asked_for() -> None:
    async def run(desk: Desk) -> None:
        await desk.open("one two\n", method="slow", until="end")
        desk.asked[0].answer()
        await settle()
        for _ in range(3):
            desk.asked[1].partial(**sampled([3.0, 1.0], 0.1))
        assert not desk.asked[1].is_cancelled
        desk.asked[1].answer()
        await settle()
        assert [one["state"] for one in desk.take("document/attribution")] == ["partial"] * 4 + ["final"]

    on_a_desk(run)
