"""Every flow against a daemon with the bundled models; what the app shows is held against what the daemon says."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from rich.cells import cell_len
from rich.style import Style
from textual.command import CommandList, CommandPalette
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Static

from saliscope.protocol import connect
from saliscope.protocol.client import Client
from saliscope.protocol.explanation import Explanation
from saliscope.tui.app import TuiApp
from saliscope.tui.choices import Choices
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.screens.picker import Picker
from saliscope.tui.store import Kept
from saliscope.tui.widgets.editor import Editor
from tests.tui.conftest import until

SIZE = (130, 40)


@pytest.fixture(autouse=True)
def _real(real: None) -> None:
    """All of them ask a daemon."""


@pytest.fixture
def client() -> Iterator[Client]:
    """The daemon itself, to ask what it says."""
    with connect() as client:
        yield client


def app_of(text: str = "", **choices: Any) -> TuiApp:
    """The app as it begins with a text and with choices."""
    return TuiApp(Kept(text=text, ground="dark", choices=Choices(**choices)), depth="truecolor")


def main_of(app: TuiApp) -> MainScreen:
    """The main screen, also where another lies above it."""
    screen = app.screen_stack[1]
    assert isinstance(screen, MainScreen)
    return screen


def explained(app: TuiApp) -> Explanation:
    """What is known of the text at the cursor."""
    found = main_of(app).here.explanation
    assert found is not None
    return found


async def ready(app: TuiApp, pilot: Pilot[None], **facts: Any) -> Explanation:
    """Wait until the text of the editor has its last explanation, with these facts; that explanation."""

    def is_so() -> bool:
        if not app.is_explained:
            return False
        found = explained(app)
        return found.text == main_of(app).editor.text and all(getattr(found, key) == facts[key] for key in facts)

    await until(pilot, is_so)
    return explained(app)


async def pick(app: TuiApp, pilot: Pilot[None], key: str, query: str) -> None:
    """Open a picker with a key and choose what a query finds."""
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, Picker))
    await pilot.press(*query, "enter")
    await until(pilot, lambda: not isinstance(app.screen, Picker))


def said(app: TuiApp, id: str) -> str:
    """What a widget of text shows."""
    return str(app.screen.query_one(id, Static).render())


def notes(app: TuiApp) -> str:
    """Everything that the app has notified of."""
    return "\n".join(note.message for note in app._notifications)


def inked(widget: Widget) -> set[str]:
    """The ground colours of a widget."""
    styles = [part.style for y in range(widget.size.height) for part in widget.render_line(y)]
    return {style.bgcolor.triplet.hex for style in styles if style and style.bgcolor and style.bgcolor.triplet}


def grounds(editor: Editor, row: int, start: int, end: int) -> set[str]:
    """The ground colours of the cells in which code points of a line that is not wrapped are drawn."""
    first, behind = (editor.wrapped_document.location_to_offset((row, place)).x for place in (start, end))
    cells: list[Style] = []
    for segment in editor.render_line(row - editor.scroll_offset.y):
        cells += [segment.style or Style.null()] * cell_len(segment.text)
    return {style.bgcolor.triplet.hex for style in cells[first:behind] if style.bgcolor and style.bgcolor.triplet}


@pytest.fixture
def stopped(client: Client) -> Callable[[], AbstractContextManager[None]]:
    """Holds the model up: while it is open, the workers of the daemon stand still."""

    @contextmanager
    def stopped() -> Iterator[None]:
        workers = [worker["pid"] for worker in client.status().workers]
        assert workers
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in workers:
                os.kill(pid, signal.SIGCONT)

    return stopped


async def run_command(app: TuiApp, pilot: Pilot[None], query: str) -> None:
    """Choose what a query finds in the palette of commands."""
    await pilot.press("ctrl+p")
    await until(pilot, lambda: isinstance(app.screen, CommandPalette))
    await pilot.press(*query)
    await until(pilot, lambda: app.screen.query_one(CommandList).option_count)
    while isinstance(app.screen, CommandPalette):
        await pilot.press("enter")
        await pilot.pause(0.05)
