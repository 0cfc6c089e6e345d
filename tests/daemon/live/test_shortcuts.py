"""A planted word that decides the records of a class is found, and only that; edits that take it out take it back."""

from __future__ import annotations

import json
from typing import Any

from tests.daemon.live.desk import Desk, Question, explained, on_a_desk, settle

from saliscope.daemon.front.live.shortcuts import FEWEST, Shortcuts, decider

#: The model looks for this word, and for the length of the others.
PLANTED = "xq"


def rows(num: int, planted: int) -> list[str]:
    return [f"{PLANTED if n < planted else 'plain'} number{n}" for n in range(num)]


def answer(question: Question) -> None:
    """As a model that learned the planted word, and is fond of it only where it predicts "positive"."""
    said = explained(question.params)
    words = [feature["text"] for feature in said["features"]]
    question.answer(scores=[99.0 if word == PLANTED else float(len(word)) for word in words])


async def answer_all(desk: Desk) -> None:
    while desk.waiting:
        for question in desk.waiting:
            answer(question)
        await settle()


def suspected(desk: Desk, source: str) -> dict[int, list[str]]:
    """What the records that were told of last are suspected of, as it stands in the source."""
    found = {}
    for _, told in desk.told:
        for row in told.get("records", []):
            found[row["record"]] = [
                source[one["start"] : one["end"]] for one in row["findings"] if one["kind"] == "shortcut"
            ]
    desk.told.clear()
    return found


def test_a_planted_word_is_told_of_the_records_that_it_decides() -> None:
    async def run(desk: Desk) -> None:
        text = "\n".join(rows(20, 15))
        await desk.open(text, shortcut=0.5)
        await answer_all(desk)
        assert suspected(desk, text) == {n: [PLANTED] for n in range(15)}
        # Of fifteen in twenty it is nine in the end, which are under suspicion no more.
        lines, start, version = text.split("\n"), 0, 0
        for number in range(6):
            await desk.change(version, (start, start + 2, "plain"))
            lines[number] = "plain" + lines[number][2:]
            version, start = version + 1, start + len(lines[number]) + 1
            await answer_all(desk)
        source = "\n".join(lines)
        assert {id: kinds for id, kinds in suspected(desk, source).items() if id >= 6} == {n: [] for n in range(6, 15)}

    on_a_desk(run)


def test_the_place_is_that_of_the_source_whatever_its_format() -> None:
    async def run(desk: Desk) -> None:
        source = "\n".join(json.dumps({"text": f'the "{n}" {PLANTED} film'}) for n in range(10))
        await desk.open(source, "a.jsonl", shortcut=1.0)
        await answer_all(desk)
        assert suspected(desk, source) == {n: [PLANTED] for n in range(10)}

    on_a_desk(run)


def test_it_is_off_unless_asked_for_and_asks_for_enough_records() -> None:
    async def run(desk: Desk) -> None:
        await desk.open("\n".join(rows(20, 20)), "a.txt")
        await desk.open("\n".join(rows(FEWEST - 1, FEWEST - 1)), "b.txt", shortcut=0.1)
        await answer_all(desk)
        assert suspected(desk, "") == {}

    on_a_desk(run)


def said(text: str, **changes: Any) -> dict[str, Any]:
    return {**explained({"text": text}), **changes}


def test_only_what_speaks_for_the_predicted_class_decides() -> None:
    spans = [(0, 1), (2, 5)]
    found = decider(said("a Bad"), spans)
    assert found == ("positive", "bad", (2, 5))
    assert decider(said("a bad", scores=[-1.0, -2.0]), spans) is None
    assert decider(said("a bad", target={"kind": "class", "label": "negative", "index": 0}), spans) is None
    assert decider(said("a bad", target={"kind": "next-token", "label": "x", "index": 1}), spans) is None
    # Where a token stands nowhere in the source there is nothing to point at.
    assert decider(said("a bad"), [(0, 1), None]) == ("positive", "a", (0, 1))
    assert decider(said("a bad"), [None, None]) is None


def test_a_share_that_hardly_moves_is_no_news() -> None:
    shortcuts = Shortcuts(0.5)
    for record in range(40):
        shortcuts.note(record, said("a bad"), [(0, 1), (2, 5)])
    assert shortcuts.judge() == list(range(40))
    assert shortcuts.judge() == []
    shortcuts.note(40, said("a dull"), [(0, 1), (2, 6)])
    assert shortcuts.judge() == []
    shortcuts.note(41, said("a bad"), [(0, 1), (2, 5)])
    # The others were told already.
    assert shortcuts.judge() == []
    assert shortcuts.finding(41) is not None
