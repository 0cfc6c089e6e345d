"""Pictures of the app: sizes, grounds, palettes and states. `pytest tests/tui --snapshot-update` makes them anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from saliscope.tui.app import TuiApp
from saliscope.tui.choices import Choices
from saliscope.tui.screens.compare import CompareScreen
from saliscope.tui.screens.export import ExportScreen
from saliscope.tui.screens.form import ParameterForm
from saliscope.tui.screens.picker import Picker
from saliscope.tui.widgets.editor import Editor
from tests.tui.conftest import TEXT, Make, session_of, until

pytestmark = pytest.mark.usefixtures("still")

Snap = Callable[..., bool]
SIZES = [(120, 32), (90, 30), (56, 22)]
WIDE = "👍🏽 A dull film: 素晴らしい, but a wonderful cafe\u0301.\n\tAnd " + "very " * 40 + "charming."


def app_of(make: Make, *, text: str = TEXT, answers: bool = True, **looks: Any) -> TuiApp:
    return make(text, answers=answers, **looks)


async def settle(pilot: Pilot[None]) -> None:
    """Until nothing moves and nothing is asked."""
    app = pilot.app
    assert isinstance(app, TuiApp)
    await until(pilot, lambda: app.desk.status is not None)
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ground", ["dark", "light"])
def test_ready(snap_compare: Snap, make: Make, size: tuple[int, int], ground: str) -> None:
    assert snap_compare(app_of(make, ground=ground), terminal_size=size, run_before=settle)


@pytest.mark.parametrize("palette", ["red-green", "mono"])
def test_palettes(snap_compare: Snap, make: Make, palette: str) -> None:
    assert snap_compare(app_of(make, palette=palette), terminal_size=SIZES[0], run_before=settle)


@pytest.mark.parametrize("depth", ["16", "styles"])
def test_few_colours(snap_compare: Snap, make: Make, depth: str) -> None:
    assert snap_compare(app_of(make, depth=depth), terminal_size=SIZES[0], run_before=settle)


@pytest.mark.parametrize("size", SIZES)
def test_empty(snap_compare: Snap, make: Make, size: tuple[int, int]) -> None:
    assert snap_compare(app_of(make, text=""), terminal_size=size, run_before=settle)


def test_wide_and_long_text(snap_compare: Snap, make: Make) -> None:
    assert snap_compare(app_of(make, text=WIDE), terminal_size=SIZES[1], run_before=settle)


@pytest.mark.parametrize("state", ["connecting", "lost", "failed"])
def test_connection(snap_compare: Snap, make: Make, state: str) -> None:
    app = app_of(make, answers=state != "connecting")

    async def before(pilot: Pilot[None]) -> None:
        await settle(pilot)
        session_of(app).on_state(state, "starting the daemon" if state == "connecting" else "nobody listens")
        await settle(pilot)

    assert snap_compare(app, terminal_size=SIZES[0], run_before=before)


@pytest.mark.parametrize(
    ("code", "message"),
    [("oom", "the row needs 3 GB, 2 GB are left"), ("unknown_model", "no model 'x'; demo-encoder is one")],
    ids=["oom", "unknown-model"],
)
def test_trouble(snap_compare: Snap, make: Make, code: str, message: str) -> None:
    app = app_of(make, answers=False)

    async def before(pilot: Pilot[None]) -> None:
        await settle(pilot)
        session_of(app).refuse(code, message)
        await settle(pilot)

    assert snap_compare(app, terminal_size=SIZES[0], run_before=before)


def test_estimate_of_a_text_that_changes(snap_compare: Snap, make: Make) -> None:
    app = app_of(make, answers=False)

    async def before(pilot: Pilot[None]) -> None:
        await settle(pilot)
        session_of(app).explain(model="demo-encoder")
        await pilot.press("right", *"oo")
        await settle(pilot)

    assert snap_compare(app, terminal_size=SIZES[0], run_before=before)


def test_masked(snap_compare: Snap, make: Make) -> None:
    app = app_of(make)

    async def before(pilot: Pilot[None]) -> None:
        app.screen.query_one(Editor).go(TEXT.index("wonderful"))
        await pilot.press("f8")
        await until(pilot, lambda: app.desk.without is not None)
        await settle(pilot)

    assert snap_compare(app, terminal_size=SIZES[0], run_before=before)


@pytest.mark.parametrize("key", ["f2", "f3", "f4", "f5"])
def test_pickers(snap_compare: Snap, make: Make, key: str) -> None:
    app = app_of(make)

    async def before(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, Picker))
        await settle(pilot)

    assert snap_compare(app, terminal_size=SIZES[0], run_before=before)


@pytest.mark.parametrize(("key", "kind"), [("f6", ParameterForm), ("f9", ExportScreen)])
def test_dialogs(snap_compare: Snap, make: Make, key: str, kind: type) -> None:
    app = app_of(make, choices=Choices(method="occlusion"))

    async def before(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, kind))
        await settle(pilot)

    assert snap_compare(app, terminal_size=SIZES[0], run_before=before)


@pytest.mark.parametrize("key", ["f1", "ctrl+o"])
def test_help_and_jump(snap_compare: Snap, make: Make, key: str) -> None:
    async def before(pilot: Pilot[None]) -> None:
        await settle(pilot)
        await pilot.press(key)
        await pilot.pause()

    assert snap_compare(app_of(make), terminal_size=SIZES[0], run_before=before)


async def compared(app: TuiApp, pilot: Pilot[None]) -> None:
    """Two methods side by side."""
    await settle(pilot)
    await pilot.press("f7")
    await until(pilot, lambda: isinstance(app.screen, Picker))
    await pilot.press(*"occ", "enter")
    await until(pilot, lambda: isinstance(app.screen, CompareScreen))
    await answered(app, pilot)


async def answered(app: TuiApp, pilot: Pilot[None]) -> None:
    await until(pilot, lambda: "asking" not in str(app.screen.query_one("#contenders", Static).render()))


def test_comparison(snap_compare: Snap, make: Make) -> None:
    app = app_of(make)

    async def before(pilot: Pilot[None]) -> None:
        await compared(app, pilot)

    assert snap_compare(app, terminal_size=SIZES[0], run_before=before)


@pytest.mark.parametrize("palette", ["blue-orange", "red-green"])
def test_sentences_that_support_and_oppose(snap_compare: Snap, make: Make, palette: str) -> None:
    app = app_of(make, palette=palette)

    async def before(pilot: Pilot[None]) -> None:
        await compared(app, pilot)
        await pilot.press("s")
        await answered(app, pilot)

    assert snap_compare(app, terminal_size=SIZES[0], run_before=before)


def test_what_other_methods_say_of_a_token(snap_compare: Snap, make: Make) -> None:
    app = app_of(make)

    async def before(pilot: Pilot[None]) -> None:
        app.main.editor.go(TEXT.index("wonderful"))
        await compared(app, pilot)
        await pilot.press("escape")
        await settle(pilot)

    assert snap_compare(app, terminal_size=SIZES[0], run_before=before)
