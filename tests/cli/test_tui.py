from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from saliscope.cli.commands import tui
from saliscope.protocol.errors import ERRORS
from saliscope.tui import app as app_module
from saliscope.tui import store
from saliscope.tui.choices import Choices
from saliscope.tui.store import Kept

Run = Callable[..., Result]


class FakeApp:
    """Stands in for the app: says with what it was started."""

    started: tuple[Kept, Path | None] | None = None
    return_code = 0

    def __init__(self, kept: Kept, *, file: Path | None = None, **_: Any) -> None:
        FakeApp.started = (kept, file)

    def run(self) -> None:
        """Nothing happens."""


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A terminal on both sides, and the app that only says what it was given."""
    monkeypatch.setattr(tui, "is_tty", lambda stream: True)
    monkeypatch.setattr(app_module, "TuiApp", FakeApp)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    FakeApp.started = None


def test_without_a_terminal_it_says_so(run: Run) -> None:
    found = run("tui")
    assert found.exit_code == 2
    assert "needs a terminal" in found.output


def test_without_a_terminal_saliscope_alone_prints_its_help(run: Run) -> None:
    found = run()
    assert found.exit_code == 0
    assert "Commands:" in found.output
    assert "tui" in found.output


@pytest.mark.usefixtures("terminal")
def test_what_is_named_is_explained_so(run: Run) -> None:
    assert run("tui", "-M", "demo-decoder", "-m", "sp-pi", "-t", "positive", "-g", "word").exit_code == 0
    assert FakeApp.started is not None
    assert FakeApp.started[0].choices == Choices("demo-decoder", "sp-pi", "positive", "word")


@pytest.mark.usefixtures("terminal")
def test_without_anything_it_goes_on_where_it_ended(run: Run) -> None:
    store.save(Kept(choices=Choices(method="occlusion"), text="dull", palette="mono"))
    assert run("tui").exit_code == 0
    assert FakeApp.started is not None
    assert FakeApp.started[0].choices.method == "occlusion"
    assert (FakeApp.started[0].text, FakeApp.started[0].palette) == ("dull", "mono")


@pytest.mark.usefixtures("terminal")
def test_a_file_that_cannot_be_read_is_told_before_the_screen_is_taken(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.bin"
    file.write_bytes(b"\0\1")
    found = run("tui", str(file))
    assert found.exit_code == ERRORS["bad_request"][0]
    assert "zero bytes" in found.output
    assert FakeApp.started is None


@pytest.mark.usefixtures("terminal")
def test_a_target_that_cannot_be_read_is_refused(run: Run) -> None:
    assert run("tui", "-t", "contrast:").exit_code == ERRORS["bad_request"][0]
    assert FakeApp.started is None
