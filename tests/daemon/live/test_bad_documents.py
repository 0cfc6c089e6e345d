"""What people open by mistake, through the client: told at its place or refused with the reason; all else works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.daemon.live.test_live_client import Heard, in_session

from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.live import LiveDocument, LiveSession, read_text


def found(document: LiveDocument) -> list[list[str]]:
    return [[one.kind for one in record.findings] for record in document.records]


def explained(document: LiveDocument) -> list[str]:
    return [record.explanation.text for record in document.records if record.explanation is not None]


@pytest.mark.parametrize(
    ("name", "text", "findings", "texts"),
    [
        ("a.jsonl", '{"text": "one"}\n{"text": "tw\n{"text": "three"}\n', [[], ["broken"], []], ["one", "three"]),
        ("a.csv", "text,label\none,1\ntwo\nthree,2,3\n", [[], ["ragged"], ["ragged"]], ["one", "two", "three"]),
        ("a.jsonl", '{"text": 5}\n{"text": ["a"]}\n{"text": "b"}\n', [["not-text"], ["not-text"], []], ["b"]),
    ],
)
def test_a_bad_record_has_a_finding_and_the_others_work(
    daemon: Any, name: str, text: str, findings: list[list[str]], texts: list[str]
) -> None:
    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open(name, text)
        await session.settled(name)
        assert (found(document), explained(document)) == (findings, texts)
        assert {record.state for record in document.records} == {"final"}

    in_session(run)


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("\x7fELF\x02\x01\x01" + "\x00\x03\x3e" * 3000, "bad_request", "this is no text: .* are of a binary file"),
        ("x" * (100 << 20), "too_large", "a line has 2,097,152 characters; the limit is 1,048,576"),
        ("x" * (2 << 20), "too_large", "a line has 2,097,152 characters; the limit is 1,048,576"),
        ("a\n" * 1_000_000, "too_large", "lines; the limit is 200,000"),
    ],
    ids=["binary", "a line of 100 MB", "a line of 2 MB", "a million lines"],
)
def test_a_document_that_cannot_be_is_refused_with_the_limit_until_its_text_is_another(
    daemon: Any, text: str, code: str, reason: str
) -> None:
    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open("a.txt", text)
        await session.settled("a.txt")
        assert document.problem is not None
        assert document.problem.code == code
        with pytest.raises(SaliscopeError, match=reason):
            raise document.problem
        session.change("a.txt", [Edit(0, len(text), "good\n")])
        await session.settled("a.txt")
        assert document.problem is None
        assert explained(document) == ["good"]

    in_session(run)


def test_an_edit_that_grows_over_a_limit_is_refused_until_it_is_taken_back(daemon: Any) -> None:
    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open("a.txt", "good\n")
        await session.settled("a.txt")
        session.change("a.txt", [Edit(0, 0, "x" * (2 << 20))])
        await session.settled("a.txt")
        assert document.problem is not None
        assert document.problem.code == "too_large"
        # What is known of the rest stays where the rest is.
        assert document.records[0].end == len(document.text) - 1
        session.change("a.txt", [Edit(0, 2 << 20, "")])
        await session.settled("a.txt")
        assert (document.problem, explained(document)) == (None, ["good"])

    in_session(run)


def test_half_a_surrogate_pair_travels_on_no_wire_and_the_document_says_so(daemon: Any) -> None:
    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open("a.txt", "good\n\ud83d\n")
        await session.settled("a.txt")
        assert "a lone surrogate at position 5" in str(document.problem)
        session.change("a.txt", [Edit(5, 6, "fine")])
        await session.settled("a.txt")
        assert explained(document) == ["good", "fine"]
        session.change("a.txt", [Edit(0, 0, "\ud83d")])
        await session.settled("a.txt")
        assert "a lone surrogate" in str(document.problem)

    in_session(run)


def test_a_file_in_an_unknown_encoding_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"caf\xe9")
    with pytest.raises(SaliscopeError, match="save it as UTF-8"):
        read_text(path)


def test_a_stale_edit_is_refused_and_an_outside_one_too(daemon: Any) -> None:
    async def run(session: LiveSession, heard: Heard) -> None:
        session.open("a.txt", "good\n")
        await session.settled("a.txt")
        client = session.client
        assert client is not None
        for base, edit in ((5, Edit(0, 1, "x")), (0, Edit(0, 99, "x"))):
            with pytest.raises(SaliscopeError, match="open the document again with its whole text") as raised:
                await client.change_document("a.txt", base, base + 1, [edit])
            assert (raised.value.code, raised.value.data) == ("bad_request", {"resync": True})

    in_session(run)
