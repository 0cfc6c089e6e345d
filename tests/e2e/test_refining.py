"""A method that samples, on a real model behind a real daemon: refined until its ranking is stable, or to its end."""

from __future__ import annotations

from typing import Any

import pytest

from saliscope.daemon.front.live.ranking import STOPPED, TOP
from saliscope.protocol.client import Client
from saliscope.protocol.documents import DocumentSettled, RecordAttribution
from saliscope.protocol.edits import Edit

#: Its five strongest words are told apart long before the budget ends.
TEXT = "plot and music plot cast wonderful awful music the cast dull awful"
BUDGET = 512
#: Words are scored by mp-pi, whose estimates have standard errors.
OPTIONS: dict[str, Any] = {
    "model": "demo-decoder",
    "method": "mp-pi",
    "granularity": "word",
    "params": {"budget": BUDGET},
}


class Reader:
    """Opens one text with the focus on it, and hears what becomes of it."""

    def __init__(self, client: Client, **options: Any) -> None:
        self.client = client
        self.told: list[RecordAttribution] = []
        self.settled: list[DocumentSettled] = []
        client.open_document(
            "a.txt", TEXT, format="text", on_attribution=self.told.append, on_settled=self.settled.append,
            **{**OPTIONS, **options},
        )  # fmt: skip
        client.focus_document("a.txt", 0, 0)

    def until_final(self) -> RecordAttribution:
        """The last that is told of the record."""
        while not self.settled:
            assert self.client.listen(timeout=120)
        assert [one.state for one in self.told].count("final") == 1
        return self.told[-1]


def strongest(told: RecordAttribution) -> list[int]:
    assert told.explanation is not None
    scores = told.explanation.scores
    return sorted(range(len(scores)), key=lambda at: -abs(scores[at]))[:TOP]


@pytest.mark.timeout(300)
def test_refining_ends_early_with_the_ranking_that_a_long_run_has(client: Client) -> None:
    early = Reader(client)
    stopped = early.until_final()
    assert stopped.explanation is not None
    assert stopped.explanation.diagnostics["stopped"] == STOPPED
    assert stopped.explanation.cost.forward_rows < BUDGET
    long = Reader(client, until="end")
    ended = long.until_final()
    assert ended.explanation is not None
    assert "stopped" not in ended.explanation.diagnostics
    assert ended.explanation.cost.forward_rows >= BUDGET
    assert strongest(stopped) == strongest(ended)
    assert len(long.told) > len(early.told)


@pytest.mark.timeout(300)
def test_what_is_pushed_comes_in_order_and_ends_with_what_is_answered_to_whoever_asks(client: Client) -> None:
    reader = Reader(client, until="end", params={"budget": 96})
    reader.until_final()
    for known in (reader.told, reader.settled):
        known.clear()
    edit = Edit(0, 4, "film")
    client.change_document("a.txt", 0, 1, [edit])
    final = reader.until_final()
    said = [(one.state, one.explanation and one.explanation.method) for one in reader.told]
    partials = said[2:-1]
    assert said[:2] == [("predicted", None), ("partial", "sp-pi")]
    assert said[-1] == ("final", "mp-pi")
    assert partials == [("partial", "mp-pi")] * len(partials)
    assert partials
    explanations = [one.explanation for one in reader.told if one.explanation is not None]
    rows = [one.cost.forward_rows for one in explanations if one.method == "mp-pi"]
    assert rows == sorted(rows)
    assert explanations[-1].outputs[0].stderr
    # The prediction is the same all along, and the last is what a request of its own is answered.
    asked = client.explain(
        edit.applied(TEXT), model="demo-decoder", method="mp-pi", granularity="word", params={"budget": 96}
    )
    assert final.explanation is not None
    assert final.explanation.text == asked.text
    assert final.explanation.scores == pytest.approx(asked.scores, abs=1e-5)
    first = reader.told[0].prediction
    assert first is not None
    for one in explanations:
        assert one.prediction.label == first.label
        assert one.prediction.probabilities == pytest.approx(first.probabilities, abs=1e-5)
