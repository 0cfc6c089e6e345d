"""What the reader sees of a daemon that loads, is busy, dies, refuses; and of input that is no text."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from saliscope.protocol.client import Client
from saliscope.protocol.errors import ERRORS
from saliscope.tui import app as app_module
from saliscope.tui.app import TuiApp
from saliscope.tui.desk import Desk
from saliscope.tui.phase import Phase
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.store import Kept
from tests.tui.conftest import until
from tests.tui.data.conftest import settled, write
from tests.tui.flows.conftest import SIZE, app_of, main_of, notes, pick, ready, said

TEXT = "a dull film with a wonderful cast"


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The states that the bar has had, each once in a row."""
    heard: list[str] = []
    own = Desk.phase

    def phase(desk: Desk, here: Any) -> Phase:
        found = own(desk, here)
        if heard[-1:] != [found.word]:
            heard.append(found.word)
        return found

    monkeypatch.setattr(Desk, "phase", phase)
    monkeypatch.setattr(app_module, "ASK_EVERY_S", 0.05)
    return heard


async def test_a_model_that_loads_is_named_until_it_answers(words: list[str], client: Client) -> None:
    client.unload_model("demo-decoder")
    app = app_of(TEXT, model="demo-encoder")
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        await pick(app, pilot, "f2", "demo-decoder")
        await ready(app, pilot, model="demo-decoder")
        await until(pilot, lambda: words[-1] == "ready")
        assert words[0] == "connecting"
        assert {"explaining", "loading demo-decoder"} & set(words)


async def test_while_the_model_is_busy_keys_and_screens_go_on(
    words: list[str], stopped: Callable[[], AbstractContextManager[None]]
) -> None:
    app = app_of(TEXT)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        with stopped():
            await pilot.press("end", *" and more")
            await until(pilot, lambda: "◔ explaining" in said(app, "#state"))
            await pilot.press("f1")
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(app.screen, MainScreen))
            await pilot.press("!")
            assert main_of(app).editor.text == f"{TEXT} and more!"
        assert (await ready(app, pilot)).text == f"{TEXT} and more!"


async def test_a_daemon_that_is_killed_is_told_of_and_found_again(words: list[str], client: Client) -> None:
    app = app_of(TEXT)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        os.kill(client.status().pid, signal.SIGKILL)
        await until(pilot, lambda: "reconnecting" in words)
        await pilot.press("end", "!")
        assert (await ready(app, pilot)).text == f"{TEXT}!"
        assert any(entry.said.startswith("lost") for entry in app.desk.diary if entry.level == "warning")
        assert words[-1] == "ready"
        assert not app.screen.query_one("#notice").display


async def test_what_the_daemon_refuses_is_said_with_what_to_do_and_forgotten_when_it_is_mended() -> None:
    app = app_of(TEXT, model="demo-encoder")
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        await pick(app, pilot, "f5", "regex:[")
        await until(pilot, lambda: app.screen.query_one("#notice").display)
        assert ERRORS["bad_request"][1].split(".")[0] in said(app, "#notice")
        assert "✕" in said(app, "#state")
        await pick(app, pilot, "f5", "word")
        await ready(app, pilot, granularity="word")
        await until(pilot, lambda: not app.screen.query_one("#notice").display)
        await pick(app, pilot, "f4", "no-such-label")
        await until(pilot, lambda: "no-such-label" in said(app, "#notice"))
        await pick(app, pilot, "f4", "negative")
        found = await ready(app, pilot, granularity="word")
        assert found.target.label == "negative"


async def test_the_terminal_is_resized_during_everything(tmp_path: Path) -> None:
    app = TuiApp(Kept(text=TEXT, ground="dark"), file=write(tmp_path, 40), in_table=True, depth="truecolor")
    sizes = [(58, 18), (20, 6), (160, 50), (100, 30)]

    async def resized() -> None:
        for size in sizes[1:]:
            await pilot.resize_terminal(*size)

    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await resized()
        await pilot.press("end")
        await settled(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MainScreen))
        written = ""
        for char, size in zip("resized", sizes * 2, strict=False):
            await pilot.press(char)
            await pilot.resize_terminal(*size)
            written += char
        assert written in main_of(app).editor.text
        await ready(app, pilot)
        for key in ("f1", "f2", "f6", "f7", "ctrl+l", "f9", "f12", "ctrl+g", "ctrl+o", "ctrl+p"):
            await pilot.press(key)
            await until(pilot, lambda: app.screen is not main_of(app))
            await resized()
            while app.screen is not main_of(app):
                await pilot.press("escape")
                await pilot.pause()
        await pilot.resize_terminal(*SIZE)
        await ready(app, pilot)
        assert "● ready" in said(app, "#state")


# -- input that is no text --------------------------------------------------------------------------


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """A folder that nobody may look into; root may, and is somebody else meanwhile."""
    own = os.geteuid()
    folder.chmod(0)
    if own == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(own)
        folder.chmod(0o700)


@pytest.mark.parametrize(
    ("name", "size", "content", "reason"),
    [("x.txt", 0, b"\x7fELF\0\0\1", "zero bytes"), ("x.md", 1 << 30, b"a film\n", "1074 MB"),
     ("x.txt", 0, b"caf\xe9", "UTF-8"), ("x.json", 1 << 30, b"", "1074 MB")],
    ids=["binary", "1 GB of text", "latin", "1 GB of nothing"],
)  # fmt: skip
async def test_a_file_that_is_no_text_is_told_of_and_the_app_works_on(
    tmp_path: Path, name: str, size: int, content: bytes, reason: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    if size:
        os.truncate(file, size)
    app = TuiApp(Kept(text=TEXT, ground="dark"), file=file, depth="truecolor")
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: reason in notes(app))
        assert (await ready(app, pilot)).text == TEXT
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert file.stat().st_size == (size or len(content))


@pytest.mark.parametrize(("name", "size"), [("x.jsonl", 1 << 30), ("x.parquet", 1 << 12), ("x.csv", 1 << 12)])
async def test_a_table_of_zeros_is_told_of(tmp_path: Path, name: str, size: int) -> None:
    file = tmp_path / name
    file.touch()
    os.truncate(file, size)
    app = TuiApp(Kept(text=TEXT, ground="dark"), file=file, in_table=True, depth="truecolor")
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: bool(notes(app)))
        assert name in notes(app)
        assert (await ready(app, pilot)).text == TEXT


async def test_a_file_that_may_not_be_read_or_written_is_told_of(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir()
    file = folder / "review.txt"
    file.write_text(TEXT)
    app = TuiApp(Kept(ground="dark"), file=file, depth="truecolor")
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        await pilot.press("!")
        with closed(folder):
            await pilot.press("ctrl+s")
            await until(pilot, lambda: "cannot write" in notes(app))
            app.action_table()
            await until(pilot, lambda: "cannot read" in notes(app))
        assert file.read_text() == TEXT
        # It is still the file of the editor.
        await pilot.press("ctrl+s")
        await until(pilot, lambda: file.read_text() == f"!{TEXT}")
