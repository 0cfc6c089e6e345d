"""What of a live document is asked of the model, in what order, and what is told of it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from tests.daemon.live.desk import Desk, explained, on_a_desk, settle

from saliscope.protocol.documents import DocumentFindings, RecordAttribution
from saliscope.protocol.errors import SaliscopeError

LINES = "a good film\na bad film\n\na dull film\n"


def test_every_record_is_asked_about_once_and_told_with_its_place() -> None:
    async def run(desk: Desk) -> None:
        state = await desk.open(LINES, model="m")
        assert (state.num_records, state.num_explainable, state.format) == (3, 3, "lines")
        assert [question.text for question in desk.asked] == ["a good film", "a bad film", "a dull film"]
        assert {question.params["priority"] for question in desk.asked} == {"bulk"}
        assert {question.params["model"] for question in desk.asked} == {"m"}
        assert len({question.params["supersede"] for question in desk.asked}) == 3
        await desk.answer_all()
        assert len(desk.asked) == 3
        for told in desk.take("document/attribution"):
            got = msgspec.convert(told, RecordAttribution)
            assert (got.version, got.state) == (0, "final")
            assert LINES[got.start : got.end].strip("\n") == got.explanation.text
            assert [LINES[slice(*span)] for span in got.features if span] == got.explanation.text.split()

    on_a_desk(run)


def test_only_what_was_touched_is_asked_again_and_the_rest_moves() -> None:
    async def run(desk: Desk) -> None:
        await desk.open(LINES)
        await desk.answer_all()
        desk.asked.clear()
        changed = await desk.change(0, (2, 6, "great"))
        assert (changed.num_computing, changed.num_known, len(changed.changed)) == (1, 0, 1)
        assert (changed.touched, changed.added, changed.removed) == ([], [], [])
        assert [question.text for question in desk.asked] == ["a great film"]
        assert desk.asked[0].params["priority"] == "request"
        await desk.answer_all()
        (told,) = desk.take("document/attribution")[3:]
        assert (told["version"], told["start"]) == (1, 0)
        # A line moves as a whole: nothing is asked, and nothing told.
        changed = await desk.change(1, (0, 0, "\n\n"))
        assert (changed.num_computing, len(desk.asked)) == (0, 1)

    on_a_desk(run)


def test_what_was_seen_before_is_told_again_without_the_model() -> None:
    async def run(desk: Desk) -> None:
        await desk.open(LINES)
        await desk.answer_all()
        await desk.change(0, (2, 6, "great"))
        await desk.answer_all()
        desk.asked.clear()
        desk.told.clear()
        changed = await desk.change(1, (2, 7, "good"))
        assert (changed.num_computing, changed.num_known) == (0, 1)
        assert desk.asked == []
        (told,) = desk.take("document/attribution")
        assert (told["version"], told["explanation"]["text"]) == (2, "a good film")

    on_a_desk(run)


def test_the_newest_version_wins_and_what_it_supersedes_is_cancelled() -> None:
    async def run(desk: Desk) -> None:
        await desk.open("one film\ntwo films\n")
        old, other = desk.asked
        await desk.change(0, (0, 3, "some"))
        assert (old.is_cancelled, other.is_cancelled) == (True, False)
        old_key = old.params["supersede"]
        newest = desk.asked[-1]
        assert (newest.text, newest.params["supersede"]) == ("some film", old_key)
        old.partial()
        other.answer()
        newest.answer()
        await settle()
        texts = {told["explanation"]["text"]: told for told in desk.take("document/attribution")}
        assert set(texts) == {"some film", "two films"}
        # Asked about in version 0, told where it stands in version 1.
        assert (texts["two films"]["version"], texts["two films"]["start"]) == (1, 10)

    on_a_desk(run)


def test_the_focused_record_goes_first_even_where_everything_is_busy() -> None:
    async def run(desk: Desk) -> None:
        text = "".join(f"film number {n}\n" for n in range(100))
        await desk.open(text)
        assert len(desk.asked) == 4
        state = await desk.focus(text.index("number 70"))
        assert state.record is not None
        assert [question.text for question in desk.predictions] == ["film number 70"]
        desk.predictions[0].answer()
        await settle()
        assert [question.text for question in desk.asked[4:]] == ["film number 70"]
        assert desk.asked[4].params["priority"] == "interactive"
        for question in desk.asked[:4]:
            question.answer()
        await settle()
        near = desk.asked[5:]
        assert {question.params["priority"] for question in near} == {"request"}
        assert {abs(int(question.text.split()[-1]) - 70) for question in near} <= {1, 2}

    on_a_desk(run, explaining=4)


def test_a_record_that_is_asked_about_becomes_urgent_when_it_gets_the_focus() -> None:
    async def run(desk: Desk) -> None:
        await desk.open("one film\ntwo films\n")
        await desk.focus(0)
        first, _, again = desk.asked
        assert (again.text, again.params["priority"]) == (first.text, "interactive")
        assert again.params["supersede"] == first.params["supersede"]
        first.fail("superseded")
        again.answer()
        await settle()
        assert [told["explanation"]["text"] for told in desk.take("document/attribution")] == ["one film"]
        assert desk.take("document/findings") == []

    on_a_desk(run)


def test_an_estimate_of_everything_comes_before_the_chosen_method_and_says_so() -> None:
    async def run(desk: Desk) -> None:
        await desk.open("one film\ntwo films\n", method="slow", params={"n": 1})
        assert [(q.params.get("method"), q.params["params"], q.params["stream"]) for q in desk.asked] == [
            (None, {}, False)
        ] * 2
        for question in desk.waiting:
            question.answer()
        await settle()
        assert [(told["state"], told["explanation"]["method"]) for told in desk.take("document/attribution")] == [
            ("partial", "quick"),
            ("partial", "quick"),
        ]
        assert [(q.params["method"], q.params["params"]) for q in desk.waiting] == [("slow", {"n": 1})] * 2
        desk.waiting[0].partial()
        assert [(told["state"], told["explanation"]["method"]) for told in desk.take("document/attribution")] == [
            ("partial", "slow")
        ]
        await desk.answer_all()
        assert [told["state"] for told in desk.take("document/attribution")] == ["final", "final"]
        assert (await desk.close()).num_asked == 4

    on_a_desk(run)


def test_the_estimate_is_final_where_it_is_the_chosen_method() -> None:
    async def run(desk: Desk) -> None:
        await desk.open("one film\n", method="quick")
        await desk.answer_all()
        assert [told["state"] for told in desk.take("document/attribution")] == ["final"]
        assert len(desk.asked) == 1

    on_a_desk(run)


def test_closing_cancels_what_was_asked() -> None:
    async def run(desk: Desk) -> None:
        await desk.open(LINES)
        await desk.open("another\n", "b.txt")
        state = await desk.close()
        assert (state.num_waiting, state.num_asked) == (3, 3)
        assert [question.text for question in desk.waiting] == ["another"]
        with pytest.raises(SaliscopeError, match=r"'a\.txt' is not open") as raised:
            await desk.close()
        assert raised.value.data == {"resync": True}
        # Opened again under its name, the old one goes.
        await desk.open("anew\n", "b.txt")
        assert [question.text for question in desk.waiting] == ["anew"]

    on_a_desk(run)


def test_configured_anew_everything_is_asked_again_with_the_focus_kept() -> None:
    async def run(desk: Desk) -> None:
        rows = '{"text": "one", "other": "uno"}\n{"text": "two", "other": "due"}\n'
        await desk.open(rows, "a.jsonl")
        await desk.focus(40, document="a.jsonl")
        await desk.answer_all()
        state = await desk.configure("a.jsonl", method="slow", granularity="word")
        assert state.record is not None
        assert desk.waiting[0].text == "two"
        desk.predictions[-1].answer()
        await settle()
        assert {question.params["granularity"] for question in desk.waiting} == {"word"}
        await desk.configure("a.jsonl", field="other")
        assert [question.text for question in desk.waiting] == ["uno", "due"]

    on_a_desk(run)


def test_other_thresholds_and_fields_cost_no_model_where_it_was_asked_the_same() -> None:
    async def run(desk: Desk) -> None:
        rows = '{"text": "one", "other": "uno"}\n{"text": "two", "other": "one"}\n'
        await desk.open(rows, "a.jsonl", method="slow")
        await desk.answer_all()
        desk.asked.clear()
        desk.told.clear()
        await desk.configure("a.jsonl", method="slow", low_margin=0.9)
        assert desk.asked == []
        told = desk.take("document/attribution")
        assert [(one["state"], one["findings"][0]["kind"]) for one in told] == [("final", "low-margin")] * 2
        await desk.configure("a.jsonl", method="slow", field="other")
        assert [question.text for question in desk.asked] == ["uno"]
        await desk.configure("a.jsonl", method="slow", until="end")
        assert [question.text for question in desk.waiting] == ["one", "two"]

    on_a_desk(run)


def test_no_more_than_so_many_are_asked_about_and_none_while_the_client_does_not_read() -> None:
    async def run(desk: Desk) -> None:
        await desk.open("".join(f"film {n}\n" for n in range(2000)))
        most = 0
        for _ in range(20):
            most = max(most, len(desk.waiting))
            desk.waiting[0].answer()
            await settle()
        assert most == 8
        desk.reads.clear()
        for question in desk.waiting:
            question.answer()
        await settle()
        # It had looked before the client stopped reading.
        assert len(desk.waiting) <= 1
        desk.reads.set()
        await settle()
        assert len(desk.waiting) == 8

    on_a_desk(run)


def test_spans_stand_in_the_source_through_escapes_and_pairs() -> None:
    async def run(desk: Desk) -> None:
        row = json.dumps({"sentence1": 'caf\u00e9 "noir"\tnow', "sentence2": "h\U0001f600y"}) + "\n"
        await desk.open("\n" + row, "a.jsonl")
        await desk.answer_all()
        (told,) = desk.take("document/attribution")
        sources = [("\n" + row)[slice(*span)] for span in told["features"]]
        assert [json.loads(f'"{source}"') for source in sources] == ["caf\u00e9", '"noir"', "now", "h\U0001f600y"]

    on_a_desk(run)


def test_the_words_of_a_chat_stand_in_its_messages_and_the_opening_of_an_answer_nowhere() -> None:
    async def run(desk: Desk) -> None:
        source = json.dumps(
            {"messages": [{"role": "user", "content": "caf\u00e9 now"}, {"role": "user", "content": "yes"}]}
        )
        await desk.open(source, "a.jsonl")
        (question,) = desk.asked
        assert [message["content"] for message in question.params["messages"]] == ["caf\u00e9 now", "yes"]
        spans = [(0, 4), (5, 8), (9, 12), (13, 18)]
        rows = [{"text": "", "start": start, "end": end, "special": False, "tokens": []} for start, end in spans]
        segments = [{"name": "user", "start": 0, "end": 8}, {"name": "user", "start": 9, "end": 12}]
        answer = {
            **explained({"text": "caf\u00e9 now\nyes\nagent"}),
            "tokens": rows,
            "features": rows,
            "segments": segments,
        }
        question.answered.set_result(answer)
        await settle()
        (told,) = desk.take("document/attribution")
        assert [span and source[slice(*span)] for span in told["tokens"]] == ["caf\\u00e9", "now", "yes", None]

    on_a_desk(run)


def test_the_notifications_of_another_opening_can_be_told_apart() -> None:
    async def run(desk: Desk) -> None:
        first = await desk.open(LINES)
        await desk.answer_all()
        second = await desk.configure(granularity="word")
        await desk.answer_all()
        told = desk.take("document/attribution")
        assert [each["opening"] for each in told] == [first.opening] * 3 + [second.opening] * 3
        assert second.opening > first.opening
        assert len({key for key in desk.keys if isinstance(key, tuple)}) == 6

    on_a_desk(run)


def test_findings_are_told_and_taken_back() -> None:
    async def run(desk: Desk) -> None:
        rows = ['{"text": "good", "label": "negative"}', "{broken", '{"text": "good"}', '{"text": 5}']
        state = await desk.open("\n".join(rows), "a.jsonl")
        assert (state.num_records, state.num_explainable) == (4, 2)
        (told,) = desk.take("document/findings")
        found = {
            row.record: [one.kind for one in row.findings] for row in msgspec.convert(told, DocumentFindings).records
        }
        assert list(found.values()) == [["duplicate"], ["broken"], ["duplicate"], ["not-text"]]
        desk.asked[0].answer()
        await settle()
        first = desk.take("document/attribution")[0]
        assert [one["kind"] for one in first["findings"]] == ["duplicate", "mismatch"]
        at = "\n".join(rows).index("{broken")
        await desk.change(0, (at, at + 7, '{"text": "bad"}'), document="a.jsonl")
        (told,) = desk.take("document/findings")
        assert [(row["record"], row["findings"]) for row in told["records"]] == [(1, [])]

    on_a_desk(run)


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        ({"prediction": {"label": "p", "index": 1, "probabilities": {"n": 0.48, "p": 0.52}}}, ["low-margin"]),
        ({"truncated_at": 2}, ["truncated"]),
        ({}, []),
    ],
)
def test_what_an_explanation_says_becomes_a_finding(answer: dict[str, Any], kinds: list[str]) -> None:
    async def run(desk: Desk) -> None:
        await desk.open("a good film")
        desk.asked[0].answer(**answer)
        await settle()
        (told,) = desk.take("document/attribution")
        assert [one["kind"] for one in told["findings"]] == kinds
        if "truncated_at" in answer:
            assert (told["truncated_at"], told["findings"][0]["start"], told["findings"][0]["end"]) == (2, 2, 11)

    on_a_desk(run)


def test_gold_explains_the_label_and_a_new_label_asks_again() -> None:
    async def run(desk: Desk) -> None:
        row = '{"text": "good", "label": "negative"}'
        await desk.open(row, "a.jsonl", target="gold")
        await desk.answer_all()
        assert desk.asked[0].params["target"] == {"kind": "class", "label": "negative"}
        at = row.index("negative")
        changed = await desk.change(0, (at, at + 8, "positive"), document="a.jsonl")
        assert (len(changed.touched), changed.num_computing) == (1, 1)
        assert desk.waiting[0].params["target"]["label"] == "positive"

    on_a_desk(run)
