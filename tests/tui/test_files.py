"""Files, state and exports."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from textual.widgets import Input

from saliscope.protocol.errors import SaliscopeError
from saliscope.tui import files, store
from saliscope.tui.choices import Choices
from saliscope.tui.exporting import FORMS, ansi, html, markdown, svg
from saliscope.tui.exporting import json as as_json
from saliscope.tui.screens.export import ExportScreen
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.store import Kept
from saliscope.tui.widgets.editor import Editor
from tests.tui.conftest import TEXT, Make, session_of
from tests.tui.fake import explanation


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.bin"
    file.write_bytes(b"\x7fELF\0\0")
    with pytest.raises(SaliscopeError, match="zero bytes"):
        files.read_file(file)


def test_a_file_that_is_not_utf8_is_refused_with_the_place(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_bytes(b"caf\xe9")
    with pytest.raises(SaliscopeError, match="byte 3"):
        files.read_file(file)


def test_a_huge_file_is_refused_without_being_read(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    with file.open("wb") as stream:
        stream.truncate(1 << 30)
    with pytest.raises(SaliscopeError, match="1074 MB"):
        files.read_file(file)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SaliscopeError, match="not a file"):
        files.read_file(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.touch(mode=0)
    with pytest.raises(SaliscopeError, match="Permission"):
        files.read_file(file)


def test_a_new_file_is_empty_and_a_format_comes_from_the_name(tmp_path: Path) -> None:
    assert files.read_file(tmp_path / "new.jsonl") == ("", "jsonl")
    assert files.read_file(tmp_path / "new.txt") == ("", "text")


def test_writing_keeps_mode_and_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_bytes(b"a\r\nb")
    file.chmod(0o640)
    files.write_file(file, "a\r\nc")
    assert file.read_bytes() == b"a\r\nc"
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir() if path.name != "state"] == ["x.txt"]


async def test_a_file_is_opened_edited_and_saved(make: Make, tmp_path: Path) -> None:
    file = tmp_path / "review.jsonl"
    file.write_text('{"text": "dull"}\n')
    app = make(file=file)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        assert session_of(app).documents[str(file)].options["format"] == "jsonl"
        await pilot.press("down", "x", "ctrl+s")
        await pilot.pause()
        assert file.read_text() == '{"text": "dull"}\nx'


async def test_a_file_that_cannot_be_opened_is_told_and_the_last_text_is_there(make: Make, tmp_path: Path) -> None:
    app = make(file=tmp_path)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        assert "is not a file" in "".join(note.message for note in app._notifications)
        assert app.screen.query_one(Editor).text == TEXT


async def test_text_and_choices_are_there_the_next_time(make: Make, state: Path) -> None:
    app = make(choices=Choices(method="occlusion"))
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("end", "!", "ctrl+q")
    kept = store.load()
    assert kept.text == f"{TEXT}!"
    assert kept.cursor == len(TEXT) + 1
    assert kept.choices.method == "occlusion"
    assert os.stat(state).st_mode & 0o777 == 0o600


def test_a_state_that_cannot_be_read_is_as_none(state: Path) -> None:
    state.parent.mkdir(parents=True)
    state.write_text("{")
    assert store.load() == Kept()


async def test_an_export_is_written_where_it_is_told(make: Make, tmp_path: Path) -> None:
    app = make()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("f9")
        while not isinstance(app.screen, ExportScreen):
            await pilot.pause()
        await pilot.press("down")
        await pilot.pause()
        assert app.screen.query_one(Input).value == "saliscope.html"
        await pilot.press("enter")
        while not isinstance(app.screen, MainScreen):
            await pilot.pause()
        await pilot.pause()
        assert "<html" in (tmp_path / "saliscope.html").read_text()


async def test_a_copy_goes_to_the_clipboard(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        app.action_copy("Markdown")
        assert app.clipboard.startswith("The plot is a ~~mess~~, but the cast is **wonderful**.")


@pytest.mark.skipif(not Path("/bin/sh").exists(), reason="needs a POSIX shell")
async def test_an_external_editor_changes_the_text_as_one_edit(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "editor"
    script.write_text("#!/bin/sh\nprintf ' truly' >> \"$1\"\n")
    script.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(script))
    app = make("dull")
    monkeypatch.setattr(type(app), "suspend", lambda self: __import__("contextlib").nullcontext())
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("f10")
        await pilot.pause()
        assert session_of(app).documents["text"].text == "dull truly"
        await pilot.press("ctrl+z")
        assert session_of(app).documents["text"].text == "dull"


def test_every_form_of_export_holds_the_text() -> None:
    one = explanation(TEXT)
    assert "wonderful" in svg(one)
    assert "wonderful" in html(one)
    assert json.loads(as_json(one))["scores"] == one.scores
    assert "\x1b[" in ansi(one)
    assert "| wonderful | +0.900 |" in markdown(one)
    assert [form.suffix for form in FORMS] == [".svg", ".html", ".json", ".ansi", ".md"]


def test_markdown_keeps_marks_of_the_text_as_they_are() -> None:
    assert "\\*dull\\*" in markdown(explanation("a *dull* film"))
