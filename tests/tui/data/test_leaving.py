"""What was edited and not written is asked about before the app is left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from saliscope.tui.prompt.message import MessageBox
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.screens.row import RowScreen
from saliscope.tui.screens.unsaved import Unsaved
from tests.tui.conftest import Make, until
from tests.tui.data.conftest import Open, settled, write


@pytest.mark.parametrize(("key", "expected"), [("s", "xdull"), ("d", "dull")])
async def test_a_file_is_written_or_its_edit_dropped(make: Make, tmp_path: Path, key: str, expected: str) -> None:
    file = tmp_path / "review.txt"
    file.write_text("dull")
    app = make(file=file)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("x", "ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, Unsaved))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, MainScreen))
        assert file.read_text() == "dull"
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, Unsaved))
        await pilot.press(key)
    assert app.return_value is None
    assert file.read_text() == expected


async def test_a_row_in_the_editor(tmp_path: Path, open_app: Open) -> None:
    path = write(tmp_path)
    app = open_app(path)
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MainScreen))
        await pilot.press("end", "!", "ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, Unsaved))
        await pilot.press("s")
        await until(pilot, lambda: "film!" in path.read_text())


async def test_a_row_on_its_screen(tmp_path: Path, open_app: Open) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"text": "a dull film", "pair": "a mess"}) + "\n")
    app = open_app(path)
    async with app.run_test(size=(100, 30)) as pilot:
        await settled(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RowScreen) and app.screen.query(MessageBox))
        await pilot.press("end", "!", "ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, Unsaved))
        await pilot.press("s")
        await until(pilot, lambda: "film!" in path.read_text())
