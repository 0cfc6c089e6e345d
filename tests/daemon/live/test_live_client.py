"""The live-document client on a real front with fake workers: typed into, refused, cut off, and opened again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest

from saliscope.protocol.documents import DocumentChanged
from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.live import LiveDocument, LiveSession

TEXT = "a good film\na bad film\n"
Changes = list[tuple[str, "list[int] | None"]]


class Heard:
    """What a session told its user."""

    def __init__(self) -> None:
        self.changes: Changes = []
        self.states: list[str] = []
        self._news = asyncio.Event()

    def change(self, document: LiveDocument, ids: list[int] | None) -> None:
        self.changes.append((document.name, ids))
        self._news.set()

    def state(self, state: str, message: str) -> None:
        if not self.states or self.states[-1] != state:
            self.states.append(state)
            self._news.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so, which changes only with what is told."""
        while not is_so():
            self._news.clear()
            await self._news.wait()


def in_session(test: Callable[[LiveSession, Heard], Coroutine[Any, Any, None]], **options: Any) -> Heard:
    """Run a test with a session of the daemon that runs, and leave nothing behind."""
    heard = Heard()

    async def run() -> None:
        wishes = {"debounce_s": 0.01, "start": False, **options}
        session = LiveSession(on_change=heard.change, on_state=heard.state, **wishes)
        await session.start()
        try:
            await test(session, heard)
        finally:
            await session.stop()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())
    return heard


def texts(document: LiveDocument) -> list[str]:
    """What was explained of each record, in order; what stands there now must be that."""
    said = [record.explanation.text if record.explanation else "" for record in document.records]
    assert said == [document.text[record.start : record.end] for record in document.records]
    assert {record.state for record in document.records} <= {"final"}
    return said


def requests(status: Any) -> dict[str, int]:
    return {name: counts.get("answered", 0) for name, counts in status.figures["requests"].items()}


def test_a_document_is_opened_typed_into_and_closed(daemon: Any) -> None:
    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open("a.txt", TEXT)
        assert (document.text, list(document.records), document.version) == (TEXT, [], 0)
        await session.settled("a.txt")
        assert texts(document) == ["a good film", "a bad film"]
        assert (document.format, document.num_records) == ("lines", 2)
        first, second = document.records
        session.change("a.txt", [Edit(2, 6, "great")])
        # At once, whatever the daemon does.
        assert document.text == "a great film\na bad film\n"
        assert (first.stale, first.state, second.stale, second.start) == (True, "waiting", False, 13)
        assert heard.changes[-1] == ("a.txt", [first.id])
        await session.settled("a.txt")
        assert texts(document) == ["a great film", "a bad film"]
        assert document.record_at(3) is first
        assert document.record_at(23) is second
        session.focus("a.txt", 14)
        session.close("a.txt")
        with pytest.raises(SaliscopeError, match=r"no document 'a\.txt' is open"):
            session.change("a.txt", [])
        with pytest.raises(TypeError, match="no option 'modle'"):
            session.open("a.txt", TEXT, modle="m")  # type: ignore[call-arg]

    in_session(run)
    asked = requests(daemon.client().status())
    assert (asked["document/open"], asked["document/change"], asked["explain"]) == (1, 1, 3)


def test_what_is_typed_at_the_focus_is_predicted_before_it_is_explained(daemon: Any) -> None:
    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open("a.txt", TEXT)
        session.focus("a.txt", 0)
        await session.settled("a.txt")
        (record, _), seen = document.records, []
        old = record.explanation
        # The worker never comes to the end of this one.
        session.change("a.txt", [Edit(0, 1, "hang a")])
        await heard.until(lambda: seen.append(record.state) or record.state == "predicted")
        assert set(seen) == {"waiting", "predicted"}
        assert record.prediction is not None
        # What was explained before stays, and is known to be of another text.
        assert (record.explanation, record.stale) == (old, True)
        session.change("a.txt", [Edit(0, 4, "good")])
        assert record.state == "waiting"
        await session.settled("a.txt")
        assert texts(document) == ["good a good film", "a bad film"]
        assert record.prediction == record.explanation.prediction

    in_session(run)
    assert requests(daemon.client().status())["predict"] == 2


def test_what_is_typed_in_one_go_travels_in_one_message(daemon: Any) -> None:
    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open("a.txt", TEXT)
        await session.settled("a.txt")
        for at, letter in enumerate(" with a cast"):
            session.change("a.txt", [Edit(11 + at, 11 + at, letter)])
        await session.settled("a.txt")
        assert texts(document) == ["a good film with a cast", "a bad film"]

    in_session(run, debounce_s=0.2)
    asked = requests(daemon.client().status())
    assert (asked["document/change"], asked["explain"]) == (1, 3)


def test_who_never_stops_typing_is_explained_nevertheless(daemon: Any) -> None:
    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open("a.txt", TEXT)
        await session.settled("a.txt")
        asked = session.client
        assert asked is not None
        while requests(await asked.status()).get("document/change", 0) < 2:
            session.change("a.txt", [Edit(11, 11, "m")])
            await asyncio.sleep(0.01)
        await session.settled("a.txt")
        assert len(texts(document)) == 2

    in_session(run, debounce_s=0.05)


def test_a_change_that_is_refused_opens_the_document_again(daemon: Any) -> None:
    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open("a.txt", TEXT)
        await session.settled("a.txt")
        assert session.client is not None
        answer = await session.client.change_document("a.txt", 0, 40, [Edit(0, 1, "not")])
        assert isinstance(answer, DocumentChanged)
        session.change("a.txt", [Edit(0, 1, "the")])
        await session.settled("a.txt")
        assert texts(document) == ["the good film", "a bad film"]
        assert document.problem is None

    in_session(run)
    assert requests(daemon.client().status())["document/open"] == 2


def test_an_edit_outside_the_text_is_refused_here_and_changes_nothing(daemon: Any) -> None:
    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open("a.txt", TEXT)
        with pytest.raises(SaliscopeError, match="does not lie in the text") as raised:
            session.change("a.txt", [Edit(0, 1, "b"), Edit(90, 91, "")])
        assert raised.value.code == "bad_request"
        await session.settled("a.txt")
        assert texts(document) == ["a good film", "a bad film"]

    in_session(run)


@pytest.mark.parametrize("kills", [True, False])
def test_documents_outlive_their_daemon(start: Callable[..., Any], kills: bool) -> None:
    daemon = start()

    async def run(session: LiveSession, heard: Heard) -> None:
        documents = [session.open("a.txt", TEXT), session.open("b.txt", "hang for ever\nfine\n")]
        await session.settled("a.txt")
        (daemon.process.kill if kills else daemon.process.terminate)()
        await asyncio.to_thread(daemon.process.wait)
        await heard.until(lambda: "lost" in heard.states)
        # Nobody is there, and the text is edited all the same; what is known stays and moves.
        session.change("a.txt", [Edit(0, 0, "x ")])
        assert documents[0].records[1].start == 14
        assert documents[0].records[1].explanation is not None
        session.change("b.txt", [Edit(0, 13, "good")])
        await asyncio.to_thread(start)
        for name in ("a.txt", "b.txt"):
            await session.settled(name)
        assert [texts(document) for document in documents] == [["x a good film", "a bad film"], ["good", "fine"]]

    heard = in_session(run)
    assert heard.states[:3] == ["connecting", "connected", "lost"]
    assert heard.states[-1] == "connected"


def test_without_a_daemon_the_session_says_so_and_goes_on_looking(start: Callable[..., Any], home: Any) -> None:
    async def run(session: LiveSession, heard: Heard) -> None:
        assert (session.state, session.client) == ("failed", None)
        document = session.open("a.txt", TEXT)
        session.change("a.txt", [Edit(0, 1, "one")])
        await asyncio.to_thread(start)
        await session.settled("a.txt")
        assert texts(document) == ["one good film", "a bad film"]

    assert in_session(run).states[:2] == ["connecting", "failed"]


def test_a_long_text_travels_in_parts(daemon: Any) -> None:
    lines = [f"{number} " + "word " * 1500 for number in range(320)]
    text = "\n".join(line.strip() for line in lines)

    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open("a.txt", text)
        session.change("a.txt", [Edit(0, 1, "first")])
        await session.settled("a.txt")
        assert texts(document) == document.text.splitlines()
        session.change("a.txt", [Edit(0, len(document.text), text)])
        await session.settled("a.txt")
        assert document.text == text
        assert texts(document) == text.splitlines()

    assert len(text) > 2 << 20
    in_session(run)
    assert requests(daemon.client().status())["document/open"] == 1


def test_other_options_keep_the_records_where_they_are_the_same(daemon: Any) -> None:
    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open("a.txt", TEXT)
        await session.settled("a.txt")
        before = [record.id for record in document.records]
        session.configure("a.txt", granularity="word")
        await session.settled("a.txt")
        assert [record.id for record in document.records] == before
        assert len(texts(document)) == 2
        session.configure("a.txt", format="text")
        await session.settled("a.txt")
        assert [record.explanation.text for record in document.records if record.explanation] == [TEXT.strip()]

    in_session(run)


def test_where_no_record_can_be_explained_the_document_says_why_until_other_options_come(daemon: Any) -> None:
    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open("a.txt", "incapable one\nincapable two\n")
        await session.settled("a.txt")
        assert document.failed is not None
        assert document.failed.code == "not_capable"
        session.configure("a.txt", granularity="word")
        session.change("a.txt", [Edit(0, 27, "good\n")])
        await session.settled("a.txt")
        assert document.failed is None

    in_session(run)


def test_a_name_may_be_opened_again_while_the_one_before_is_being_closed(daemon: Any) -> None:
    async def run(session: LiveSession, heard: Heard) -> None:
        for words in ("one", "two", "three"):
            session.open("a.txt", f"{words}\n")
            session.close("a.txt")
            document = session.open("a.txt", f"{words} again\n")
        await session.settled("a.txt")
        assert texts(document) == ["three again"]

    in_session(run)


def test_a_callback_that_fails_is_told_to_the_loop_and_stops_nothing(daemon: Any) -> None:
    failures: list[Any] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: failures.append(told["exception"]))

        def fail(document: LiveDocument, ids: Iterable[int] | None) -> None:
            raise ZeroDivisionError

        session = LiveSession(on_change=fail, debounce_s=0.01, start=False)
        await session.start()
        document = session.open("a.txt", TEXT)
        await session.settled("a.txt")
        assert texts(document) == ["a good film", "a bad film"]
        await session.stop()

    asyncio.run(run())
    assert {type(one) for one in failures} == {ZeroDivisionError}
