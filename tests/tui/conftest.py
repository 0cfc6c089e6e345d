"""The app with a session that answers when it is told to, and a daemon for the tests that want a real one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from saliscope.tui import app as app_module
from saliscope.tui.app import TuiApp
from saliscope.tui.store import Kept
from saliscope.tui.widgets.token import TokenDetail
from tests.tui.fake import FakeSession

TEXT = "The plot is a mess, but the cast is wonderful."

Make = Callable[..., TuiApp]


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A state folder of the test's own, and an environment that says nothing of colours."""
    for name in ("NO_COLOR", "FORCE_COLOR", "SALISCOPE_THEME", "COLORFGBG", "EDITOR", "VISUAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "state" / "saliscope" / "tui.json"


@pytest.fixture
def make() -> Make:
    """Makes the app; `answers=False` leaves every text unexplained until the test explains it."""

    def make(text: str = TEXT, *, answers: bool = True, file: Path | None = None, depth: Any = "truecolor",
             **kept: Any) -> TuiApp:  # fmt: skip
        def session(**options: Any) -> FakeSession:
            return FakeSession(**options, answers=answers)

        app = TuiApp(Kept(text=text, ground=kept.pop("ground", "dark"), **kept), file=file, depth=depth,
                     make_session=session)  # type: ignore[arg-type]  # fmt: skip
        app.desk.status = None
        return app

    return make


def session_of(app: TuiApp) -> FakeSession:
    """The fake session of an app."""
    session = app.desk.session
    assert isinstance(session, FakeSession)
    return session


async def until(pilot: Pilot[Any], is_so: Callable[[], object]) -> None:
    """Wait for a condition; the limit of the test is the only one."""
    while not is_so():
        assert pilot.app.is_running, "the app has ended"
        await pilot.pause(0.01)
    await pilot.pause()


def detail(app: TuiApp) -> str:
    """What the panel of the token shows, as plain text."""
    widget = app.screen.query_one(TokenDetail)
    return "\n".join(widget.render_line(y).text for y in range(widget.size.height))


@pytest.fixture(scope="session")
def home() -> Iterator[dict[str, str]]:
    """Folders of a daemon that is nobody else's; it ends with the session."""
    folder = Path(tempfile.mkdtemp(prefix="sal-tui-", dir="/tmp"))
    mine = {"SALISCOPE_RUNTIME_DIR": str(folder / "run"), "SALISCOPE_CACHE_DIR": str(folder / "cache"),
            "HF_HUB_OFFLINE": "1"}  # fmt: skip
    yield mine
    stop = [sys.executable, "-m", "saliscope.cli", "daemon", "stop"]
    subprocess.run(stop, env={**os.environ, **mine}, capture_output=True, check=False)
    shutil.rmtree(folder)


@pytest.fixture
def real(home: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The app finds that daemon, or starts it, with the bundled models."""
    for name, value in home.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cursor blinks, and the daemon is asked once how it is."""
    monkeypatch.setattr(TextArea, "cursor_blink", False)
    monkeypatch.setattr(Input, "cursor_blink", False)
    monkeypatch.setattr(app_module, "ASK_EVERY_S", 3600.0)
