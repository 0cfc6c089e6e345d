"""Rows with more than one text: edited on a screen of their own, in colours, and put back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet as pq
from textual.pilot import Pilot
from textual.widgets import Button, Static

from saliscope.protocol.errors import SaliscopeError
from saliscope.render.palettes import BLUE_ORANGE
from saliscope.tui.app import TuiApp
from saliscope.tui.prompt.message import MessageBox
from saliscope.tui.screens.data import DataScreen
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.screens.prompt import PromptScreen
from saliscope.tui.screens.row import RowScreen
from saliscope.tui.screens.unsaved import Unsaved
from saliscope.tui.widgets.prediction import PredictionBars
from tests.tui.conftest import session_of, until
from tests.tui.data.conftest import Open, room_of, settled, write

CHATS = [
    {"id": 1, "messages": [{"role": "user", "content": "a wonderful film?", "n": 1},
                           {"role": "assistant", "content": "no, a dull mess"}], "label": "x"},
    {"id": 2, "messages": [{"role": "user", "content": "boring"}], "label": "y"},
]  # fmt: skip
PAIRS = [{"premise": "a wonderful cast", "hypothesis": "a dull film", "label": 0}] * 3


def file_of(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


async def edited(app: TuiApp, pilot: Pilot[None]) -> RowScreen:
    """The row at the cursor on its screen, in colours."""
    await settled(pilot)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, RowScreen) and app.screen.query(MessageBox))
    screen = app.screen
    assert isinstance(screen, RowScreen)
    await until(pilot, lambda: grounds(screen))
    return screen


def grounds(screen: RowScreen) -> dict[str, str]:
    """The words of all texts that have a colour, with it."""
    lines = [box.area.get_line(0) for box in screen.query(MessageBox)]
    return {line.plain[span.start : span.end]: str(span.style) for line in lines for span in line.spans}


async def test_a_chat_is_edited_in_colours_and_put_back(tmp_path: Path, open_app: Open) -> None:
    path = file_of(tmp_path, CHATS)
    before = path.read_bytes().splitlines()
    app = open_app(path)
    async with app.run_test(size=(120, 30)) as pilot:
        screen = await edited(app, pilot)
        assert BLUE_ORANGE.inks("dark")[3].ground in grounds(screen)["wonderful"]
        assert BLUE_ORANGE.inks("dark")[-3].ground in grounds(screen)["dull"]
        assert "positive" in str(screen.query_one(PredictionBars).render())
        assert [str(box.query_one(Static).render()) for box in screen.query(MessageBox)] == ["user ▾", "assistant ▾"]
        await pilot.press("end", *" or charming")
        await until(pilot, lambda: "charming" in grounds(screen))
        asked = [options for call, _, options in session_of(app).fake.calls if call == "explain"][-1]
        assert asked["messages"][0] == {"role": "user", "content": "a wonderful film? or charming"}
        await pilot.press("ctrl+t", "ctrl+s")
        await until(pilot, lambda: path.read_bytes().splitlines() != before)
        after = path.read_bytes().splitlines()
        assert after[1] == before[1]
        assert after[0] == before[0].replace(b"film?", b"film? or charming").replace(b'"user"', b'"assistant"')
        # Once more, of what is there now.
        await pilot.press("end", "!", "ctrl+s")
        await until(pilot, lambda: b"charming!" in path.read_bytes())
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, DataScreen))
        await until(pilot, lambda: "charming!" in room_of(app).data.record(0).shown)


async def test_messages_are_added_and_removed(tmp_path: Path, open_app: Open) -> None:
    path = file_of(tmp_path, CHATS)
    app = open_app(path)
    async with app.run_test(size=(120, 30)) as pilot:
        screen = await edited(app, pilot)
        await pilot.press("ctrl+d", "ctrl+n")
        await until(pilot, lambda: len(screen.query(MessageBox)) == 2)
        await pilot.press(*"why", "ctrl+s")
        await until(pilot, lambda: "why" in path.read_text())
        assert json.loads(path.read_text().splitlines()[0]) == {**CHATS[0], "messages": [
            {"role": "assistant", "content": "no, a dull mess"}, {"role": "user", "content": "why"}]}  # fmt: skip


async def test_both_texts_of_a_pair_are_edited_and_have_no_roles(tmp_path: Path, open_app: Open) -> None:
    path = file_of(tmp_path, PAIRS)
    app = open_app(path)
    async with app.run_test(size=(100, 30)) as pilot:
        screen = await edited(app, pilot)
        assert {"wonderful", "dull"} <= set(grounds(screen))
        await pilot.press("ctrl+n", "ctrl+t", "ctrl+d", "tab", "end", *", alas", "ctrl+s")
        await until(pilot, lambda: "alas" in path.read_text())
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert rows == [{**PAIRS[0], "hypothesis": "a dull film, alas"}, *PAIRS[1:]]
        # A pair may lose its second text, and get it back.
        await pilot.press("ctrl+u", "ctrl+s")
        await until(pilot, lambda: json.loads(path.read_text().splitlines()[0])["hypothesis"] == "")
        await pilot.press(*"but", "ctrl+s")
        await until(pilot, lambda: json.loads(path.read_text().splitlines()[0])["hypothesis"] == "but")


async def test_a_row_of_parquet_is_edited_in_the_editor(tmp_path: Path, open_app: Open) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"text": ["a dull film", "a charming film"], "n": [1, 2]}), path)
    app = open_app(path)
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, MainScreen) and app.is_explained)
        await pilot.press("end", "!", "ctrl+s")
        await until(pilot, lambda: pq.read_table(path).to_pylist() == [
            {"text": "a dull film", "n": 1}, {"text": "a charming film!", "n": 2}])  # fmt: skip
        await pilot.press("ctrl+r")
        await settled(pilot)
        assert room_of(app).data.record(1).text == "a charming film!"


async def test_what_was_not_written_is_asked_about(tmp_path: Path, open_app: Open) -> None:
    path = file_of(tmp_path, CHATS)
    before = path.read_text()
    app = open_app(path)
    async with app.run_test(size=(120, 30)) as pilot:
        screen = await edited(app, pilot)
        await pilot.press("end", "!", "escape")
        await until(pilot, lambda: isinstance(app.screen, Unsaved))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, Unsaved))
        app.screen.query_one("#drop", Button).press()
        await until(pilot, lambda: isinstance(app.screen, DataScreen))
        assert path.read_text() == before
        screen = await edited(app, pilot)
        await pilot.press("end", "!", "escape")
        await until(pilot, lambda: isinstance(app.screen, Unsaved))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DataScreen))
        assert "film?!" in path.read_text()


async def test_another_row_is_opened_after_the_first_was_asked_about(tmp_path: Path, open_app: Open) -> None:
    path = write(tmp_path)
    app = open_app(path)
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MainScreen))
        await pilot.press("end", "!", "ctrl+r")
        await settled(pilot)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, Unsaved))
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, MainScreen))
        assert json.loads(path.read_text().splitlines()[0])["text"] == "a wonderful, charming film!"
        assert app.main.editor.text == "a dull, boring mess"


async def test_a_chat_is_copied_into_a_prompt(tmp_path: Path, open_app: Open) -> None:
    path = file_of(tmp_path, CHATS)
    before = path.read_text()
    app = open_app(path)
    async with app.run_test(size=(120, 30)) as pilot:
        await edited(app, pilot)
        await pilot.press("ctrl+g")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen) and len(app.screen.query(MessageBox)) == 2)
        await pilot.press("end", "!", "escape")
        await until(pilot, lambda: isinstance(app.screen, RowScreen))
        await pilot.press("ctrl+s", "escape")
        await until(pilot, lambda: isinstance(app.screen, DataScreen))
        assert path.read_text() == before


async def test_a_file_that_changed_meanwhile_keeps_the_edit_out_and_the_screen_open(
    tmp_path: Path, open_app: Open
) -> None:
    path = file_of(tmp_path, CHATS)
    app = open_app(path)
    async with app.run_test(size=(120, 30)) as pilot:
        screen = await edited(app, pilot)
        path.write_text(json.dumps(CHATS[1]) + "\n")
        there = path.read_text()
        # The table below reads it anew.
        await until(pilot, lambda: len(room_of(app).data.file) == 1 and room_of(app).data.file.is_complete)
        await pilot.press("end", "!", "ctrl+s")
        await until(pilot, lambda: any("has changed since" in note.message for note in app._notifications))
        assert path.read_text() == there
        assert app.screen is screen
        assert screen.is_edited


async def test_a_row_that_cannot_be_explained_says_why_and_is_edited_all_the_same(
    tmp_path: Path, open_app: Open
) -> None:
    path = file_of(tmp_path, CHATS)
    app = open_app(path)
    async with app.run_test(size=(120, 30)) as pilot:
        screen = await edited(app, pilot)
        session_of(app).fake.failure = SaliscopeError("not_capable", "this model has no chat template")
        await pilot.press("end", "!")
        await until(pilot, lambda: "no chat template" in str(screen.query_one("#prompt-notice", Static).render()))
        assert "ready" in str(screen.query_one("#state", Static).render())
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "film?!" in path.read_text())
