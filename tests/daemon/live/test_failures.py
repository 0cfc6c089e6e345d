"""What the model cannot explain is told, and the rest goes on."""

from __future__ import annotations

from tests.daemon.live.desk import Desk, on_a_desk, settle

LINES = "a good film\na bad film\n\na dull film\n"


def test_what_a_model_cannot_do_with_a_chat_it_does_with_the_texts_beside_it() -> None:
    chat = '{"messages": [{"role": "user", "content": "a chat"}]}\n'

    async def run(desk: Desk) -> None:
        await desk.open(chat + '{"text": "a film"}\n', "a.jsonl")
        refused, asked = desk.asked
        assert "messages" in refused.params
        refused.fail("not_capable")
        asked.answer()
        await settle()
        (told,) = desk.take("document/findings")
        assert [[one["kind"] for one in row["findings"]] for row in told["records"]] == [["failed"]]
        assert [told["state"] for told in desk.take("document/attribution")] == ["final"]
        await desk.open(chat * 2, "b.jsonl")
        desk.waiting[0].fail("not_capable")
        await settle()
        assert [told["document"] for told in desk.take("document/failed")] == ["b.jsonl"]

    on_a_desk(run)


def test_one_record_that_fails_is_a_finding_and_a_model_that_is_not_there_ends_it_all() -> None:
    async def run(desk: Desk) -> None:
        await desk.open(LINES)
        desk.asked[0].fail("oom")
        await settle()
        (told,) = desk.take("document/findings")
        assert [one["kind"] for one in told["records"][0]["findings"]] == ["failed"]
        desk.asked[1].fail("unknown_model")
        await settle()
        assert [told["code"] for told in desk.take("document/failed")] == ["unknown_model"]
        assert desk.asked[2].is_cancelled
        await desk.configure(model="another")
        assert {question.params["model"] for question in desk.waiting} == {"another"}
        assert len(desk.waiting) == 3

    on_a_desk(run)
