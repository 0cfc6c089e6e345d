"""`saliscope.toml` in a session: the nearest file holds, explicit options win, and a change is taken up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.daemon.live.test_live_client import Heard, in_session, requests

from saliscope.protocol.edits import Edit
from saliscope.protocol.live import LiveDocument, LiveSession

TOML = """\
method = "fake"
trigger = "onType"
colour = "blue"
thresholds = {low-margin = 0.25, shortcut = 0.5}

[files."*.jsonl"]
field = "review"
"""
ROWS = '{"review": "a good film", "text": "one"}\n{"review": "a bad film", "text": "two"}\n'


def explained(document: LiveDocument) -> list[str]:
    return [record.explanation.text for record in document.records if record.explanation is not None]


def write(file: Path, text: str) -> None:
    """Write as editors do: nobody finds half a file."""
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(file)


async def until(heard: Heard, name: str) -> None:
    """Wait for the next thing that is told of all of a document."""
    before = heard.changes.count((name, None))
    await heard.until(lambda: heard.changes.count((name, None)) > before)


def test_the_nearest_file_says_how_and_explicit_options_win(daemon: Any, tmp_path: Path) -> None:
    write(tmp_path / "saliscope.toml", TOML)
    path = tmp_path / "deep" / "a.jsonl"

    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open("a.jsonl", ROWS, path=path)
        assert document.options == {"method": "fake", "field": "review", "low_margin": 0.25, "shortcut": 0.5}
        assert document.settings_file == tmp_path / "saliscope.toml"
        assert [problem.line for problem in document.settings_problems] == [3]
        await session.settled("a.jsonl")
        assert explained(document) == ["a good film", "a bad film"]
        other = session.open("b.jsonl", ROWS, path=path, field="text", method=None)
        assert (other.options["field"], other.options["method"]) == ("text", None)
        await session.settled("b.jsonl")
        assert explained(other) == ["one", "two"]
        assert session.open("c.jsonl", ROWS).options == {}

    in_session(run)


def test_what_the_file_says_anew_holds_from_then_on(daemon: Any, tmp_path: Path) -> None:
    file = tmp_path / "saliscope.toml"
    write(file, TOML)

    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open("a.jsonl", ROWS, path=tmp_path / "in" / "a.jsonl")
        await session.settled("a.jsonl")
        write(file, TOML.replace('"review"', '"text"').replace('colour = "blue"\n', ""))
        await until(heard, "a.jsonl")
        await session.settled("a.jsonl")
        assert explained(document) == ["one", "two"]
        assert document.settings_problems == ()
        # One that is nearer.
        (tmp_path / "in").mkdir()
        write(tmp_path / "in" / "saliscope.toml", 'field = "review"')
        await until(heard, "a.jsonl")
        await session.settled("a.jsonl")
        assert (document.options, explained(document)) == ({"field": "review"}, ["a good film", "a bad film"])
        # What it does not touch is not asked again.
        assert session.client is not None
        asked = requests(await session.client.status())["document/configure"]
        write(tmp_path / "in" / "saliscope.toml", 'field = "review"\ncolour = 5\n')
        await until(heard, "a.jsonl")
        assert len(document.settings_problems) == 1
        assert requests(await session.client.status())["document/configure"] == asked

    in_session(run, look_s=0.01)


def test_edits_wait_for_the_file_to_be_saved_where_the_workspace_wants_it(daemon: Any, tmp_path: Path) -> None:
    file = tmp_path / "saliscope.toml"
    write(file, 'trigger = "onSave"')

    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open("a.txt", "one\n", path=tmp_path / "a.txt")
        await session.settled("a.txt")
        assert (document.trigger, explained(document)) == ("onSave", ["one"])
        session.change("a.txt", [Edit(0, 3, "two")])
        await session.settled("a.txt")
        assert (document.has_unsent, document.records[0].stale) == (True, True)
        session.flush("a.txt")
        await session.settled("a.txt")
        assert explained(document) == ["two"]
        session.change("a.txt", [Edit(0, 3, "three")])
        write(file, 'trigger = "onType"')
        await until(heard, "a.txt")
        await session.settled("a.txt")
        assert explained(document) == ["three"]

    in_session(run, look_s=0.01)


def test_what_is_explained_by_hand_is_not_even_opened_before(daemon: Any) -> None:
    async def run(session: LiveSession, heard: Heard) -> None:
        document = session.open("a.txt", "one\n", trigger="manual")
        session.change("a.txt", [Edit(0, 3, "two")])
        await session.settled("a.txt")
        assert (document.opening, list(document.records)) == (None, [])
        session.flush("a.txt")
        await session.settled("a.txt")
        assert explained(document) == ["two"]

    in_session(run)
