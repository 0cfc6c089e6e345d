"""The table: rows are read, predicted and explained when they are seen, and only then."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from textual.widgets import Input, Static

from saliscope.protocol.errors import SaliscopeError
from saliscope.render.palettes import BLUE_ORANGE
from saliscope.tui import files
from saliscope.tui.app import TuiApp
from saliscope.tui.screens.data import DataScreen
from saliscope.tui.screens.main import MainScreen
from tests.tui.conftest import session_of, until
from tests.tui.data.conftest import Open, room_of, screen_of, settled, write


def summary(app: TuiApp) -> str:
    return str(screen_of(app).query_one("#data-summary", Static).render())


async def test_what_is_seen_is_predicted_and_explained_and_nothing_else(tmp_path: Path, open_app: Open) -> None:
    app = open_app(write(tmp_path, 2000))
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        seen = len(screen_of(app).table.in_sight)
        assert len(room_of(app).data.known) == seen < 40
        asked = [text for call, texts, _ in session_of(app).fake.calls if call == "predict" for text in texts]
        assert len(asked) == seen
        await pilot.press("end")
        await settled(pilot)
        assert screen_of(app).table.row == 1999
        assert 1999 in room_of(app).data.known
        assert len(room_of(app).data.known) == 2 * seen
        assert f"2,000 rows · {2 * seen} known" in summary(app)


async def test_rows_that_a_larger_window_shows_are_predicted_too(tmp_path: Path, open_app: Open) -> None:
    app = open_app(write(tmp_path, 2000))
    async with app.run_test(size=(120, 20)) as pilot:
        await settled(pilot)
        few = len(screen_of(app).table.in_sight)
        await pilot.resize_terminal(120, 40)
        await until(pilot, lambda: len(screen_of(app).table.in_sight) == few + 20)
        await settled(pilot)
        assert len(room_of(app).data.known) == few + 20


async def test_columns_leave_room_for_the_bar_that_scrolls(tmp_path: Path, open_app: Open) -> None:
    app = open_app(write(tmp_path, 2000))
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        table = screen_of(app).table
        assert table.show_vertical_scrollbar
        assert not table.show_horizontal_scrollbar
        assert table.virtual_size.width == table.scrollable_content_region.width


async def test_words_have_the_colours_of_their_scores_and_wrong_rows_a_mark(tmp_path: Path, open_app: Open) -> None:
    app = open_app(write(tmp_path))
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        table = screen_of(app).table
        cells = {segment.text.strip(): segment.style for y in range(4) for segment in table.render_line(y)}
        ground = BLUE_ORANGE.inks("dark")[3].ground
        style = cells["wonderful"]
        assert style is not None
        assert style.bgcolor is not None
        assert style.bgcolor.get_truecolor().hex == ground
        dull = cells["dull"]
        assert dull is not None
        assert dull.bgcolor is not None
        assert dull.bgcolor.get_truecolor().hex == BLUE_ORANGE.inks("dark")[-3].ground
        marks = ["✗" in "".join(segment.text for segment in table.render_line(y)) for y in range(4)]
        assert marks == [False, True, False, True]


async def test_the_cursor_row_is_shown_beside_the_table(tmp_path: Path, open_app: Open) -> None:
    app = open_app(write(tmp_path))
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        await pilot.press("j")
        await until(pilot, lambda: "boring" in str(screen_of(app).query_one("#detail-text", Static).render()))
        said = str(screen_of(app).query_one("#detail-text", Static).render())
        assert "✗ positive" in said


async def test_sorting_and_searching_and_the_next_misprediction(tmp_path: Path, open_app: Open) -> None:
    app = open_app(write(tmp_path))
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        data, table = room_of(app).data, screen_of(app).table
        await pilot.press("n")
        assert table.row == 1
        await pilot.press("s", "s")
        await until(pilot, lambda: list(data.rows)[:2] == [3, 1] or list(data.rows)[:2] == [1, 3])
        await until(pilot, lambda: "by trouble" in str(screen_of(app).query_one("#data-left").border_title))
        await pilot.press("slash", *"label:neg dull")
        await until(pilot, lambda: list(data.rows) == [2])
        await until(pilot, lambda: "1 of 4 rows" in summary(app))
        await pilot.press("enter")
        assert table.has_focus
        await pilot.press("escape")
        await until(pilot, lambda: len(data.rows) == 4)


async def test_typing_in_the_filter_and_leaving_keeps_it_for_the_next_time(tmp_path: Path, open_app: Open) -> None:
    app = open_app(write(tmp_path))
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        await pilot.press("slash", *"boring")
        await until(pilot, lambda: list(room_of(app).data.rows) == [1])
        room_of(app).leave()
        await until(pilot, lambda: isinstance(app.screen, MainScreen))
        await pilot.press("ctrl+r")
        await until(pilot, lambda: isinstance(app.screen, DataScreen))
        await until(pilot, lambda: screen_of(app).query_one("#data-filter", Input).value == "boring")
        assert list(room_of(app).data.rows) == [1]


async def test_a_row_is_edited_with_live_colours_and_put_back(tmp_path: Path, open_app: Open) -> None:
    path = write(tmp_path)
    before = path.read_text().splitlines()
    app = open_app(path)
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, MainScreen) and app.is_explained)
        assert app.main.editor.text == "a dull, boring mess"
        assert app.main.editor.border_title == "row 1 of reviews.jsonl"
        await pilot.press("end", *" indeed", "ctrl+s")
        await until(pilot, lambda: "indeed" in path.read_text())
        after = path.read_text().splitlines()
        assert json.loads(after[1]) == {**json.loads(before[1]), "text": "a dull, boring mess indeed"}
        assert [after[0], *after[2:]] == [before[0], *before[2:]]
        await pilot.press("ctrl+r")
        await settled(pilot)
        assert room_of(app).data.record(1).text == "a dull, boring mess indeed"


async def test_a_file_that_changed_meanwhile_is_not_written(tmp_path: Path, open_app: Open) -> None:
    path = write(tmp_path)
    app = open_app(path)
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MainScreen))
        path.write_text(path.read_text() + '{"text": "more"}\n')
        there = path.read_text()
        await pilot.press("x", "ctrl+s")
        await until(pilot, lambda: any("changed" in note.message for note in app._notifications))
        assert path.read_text() == there


async def test_a_file_that_shrinks_while_it_is_open_is_read_anew(tmp_path: Path, open_app: Open) -> None:
    path = write(tmp_path, 3000)
    app = open_app(path)
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        await pilot.press("end")
        os.truncate(path, path.stat().st_size // 2)
        await until(pilot, lambda: 0 < len(room_of(app).data.file) < 2000 and room_of(app).data.file.is_complete)
        await settled(pilot)
        assert screen_of(app).table.row == 0


async def test_a_file_that_goes_away_says_so_and_comes_back(tmp_path: Path, open_app: Open) -> None:
    path = write(tmp_path)
    app = open_app(path)
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        path.rename(tmp_path / "elsewhere")
        notice = screen_of(app).query_one("#data-notice", Static)
        await until(pilot, lambda: "No such file" in str(notice.render()))
        (tmp_path / "elsewhere").rename(path)
        await until(pilot, lambda: not notice.display)


async def test_rows_that_cannot_be_asked_about_say_why(tmp_path: Path, open_app: Open) -> None:
    path = tmp_path / "odd.jsonl"
    path.write_text('{"text": "a dull film"}\n{"no": 1}\nnot json\n{"text": 5}\n')
    app = open_app(path)
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        lines = ["".join(part.text for part in screen_of(app).table.render_line(y)) for y in range(4)]
        assert "row 1 has no" in lines[1]
        assert "row 2 is no" in lines[2]
        assert "the text of row" in lines[3]


async def test_a_daemon_that_is_lost_and_comes_back(tmp_path: Path, open_app: Open) -> None:
    app = open_app(write(tmp_path, 2000))
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        session_of(app).lose()
        await pilot.press("end")
        await until(pilot, lambda: "reconnecting" in str(screen_of(app).query_one("#state", Static).render()))
        assert 1999 not in room_of(app).data.known
        await session_of(app).start()
        await settled(pilot)
        assert 1999 in room_of(app).data.known


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [("x.csv", "text\n" + "a film\n" * 1001, True), ("x.csv", "text\n" + "a film\n" * 900, False),
     ("x.md", "a film\n" * 5000, False), ("x.txt", "a film\n" * 5000, True)],
)  # fmt: skip
def test_long_files_of_rows_open_in_the_table(tmp_path: Path, name: str, content: str, expected: bool) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert files.is_for_table(path) is expected


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"\x7fELF\0" * 2000)
    with pytest.raises(SaliscopeError, match="zero bytes"):
        files.is_for_table(path)
