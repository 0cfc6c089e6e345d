"""Pictures of tables and prompts: sizes, grounds and states."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from saliscope.protocol.jobs import Job
from saliscope.tui.app import TuiApp
from saliscope.tui.prompt.message import MessageBox
from saliscope.tui.screens.classes import ClassesScreen
from saliscope.tui.screens.job import JobScreen
from saliscope.tui.screens.prompt import PromptScreen
from tests.tui.conftest import Make, session_of, until
from tests.tui.data.conftest import Open, room_of, settled, write
from tests.tui.fake import RESULTS

pytestmark = pytest.mark.usefixtures("still")

Snap = Callable[..., bool]
SIZES = [(120, 30), (100, 28), (60, 22)]
RUNNING = Job("a1", "running", "reviews.jsonl", "out.jsonl", "demo-encoder", "occlusion", 0.0, "explaining",
              done=152, failed=1, total=412, rows_per_s=31.0, eta_s=9.0)  # fmt: skip


async def at_rest(pilot: Pilot[None]) -> None:
    app = pilot.app
    assert isinstance(app, TuiApp)
    await settled(pilot)
    await until(pilot, lambda: app.desk.status is not None)
    await pilot.pause(0.3)


@pytest.mark.parametrize(
    ("size", "ground"), [*((size, "dark") for size in SIZES), (SIZES[0], "light")],
    ids=["dark-size0", "dark-size1", "dark-size2", "light-size0"],
)  # fmt: skip
def test_table(snap_compare: Snap, tmp_path: Path, open_app: Open, size: tuple[int, int], ground: str) -> None:
    # On a small screen all rows are in sight from the beginning, whatever its layout is at first.
    app = open_app(write(tmp_path, 1500 if size[0] > 60 else 6), ground=ground)

    async def before(pilot: Pilot[None]) -> None:
        await at_rest(pilot)
        await pilot.press("down", "down", "down")
        await at_rest(pilot)

    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize("size", SIZES[::2], ids=["size0", "size2"])
def test_filtered_beside_a_job(snap_compare: Snap, tmp_path: Path, open_app: Open, size: tuple[int, int]) -> None:
    count = 12 if size[0] > 60 else 4
    app = open_app(write(tmp_path, count))

    async def before(pilot: Pilot[None]) -> None:
        await at_rest(pilot)
        room_of(app).job.job = RUNNING
        await pilot.press("s", "slash", *"dull", "enter")
        await until(pilot, lambda: len(room_of(app).data.rows) == count // 2)
        await at_rest(pilot)

    assert snap_compare(app, terminal_size=size, run_before=before)


def test_table_without_colours(snap_compare: Snap, tmp_path: Path, open_app: Open) -> None:
    assert snap_compare(open_app(write(tmp_path, 12), depth="styles"), terminal_size=SIZES[0], run_before=at_rest)


@pytest.mark.parametrize("is_running", [False, True])
def test_job(snap_compare: Snap, tmp_path: Path, open_app: Open, is_running: bool) -> None:
    app = open_app(write(tmp_path, 12))

    async def before(pilot: Pilot[None]) -> None:
        await at_rest(pilot)
        if is_running:
            room_of(app).job.job = RUNNING
        await pilot.press("b")
        await until(pilot, lambda: isinstance(app.screen, JobScreen))
        for line in app.screen.query("#job-out").results(Input):
            line.value = "reviews.explained.jsonl"
        await pilot.pause(0.3)

    assert snap_compare(app, terminal_size=SIZES[0], run_before=before)


@pytest.mark.parametrize("size", SIZES[::2], ids=["size0", "size2"])
def test_classes(snap_compare: Snap, tmp_path: Path, open_app: Open, size: tuple[int, int]) -> None:
    app = open_app(write(tmp_path, 12))

    async def before(pilot: Pilot[None]) -> None:
        await at_rest(pilot)
        room_of(app).job.results = RESULTS
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, ClassesScreen))
        await pilot.pause()

    assert snap_compare(app, terminal_size=size, run_before=before)


@pytest.mark.parametrize(
    ("is_explained", "size"), [(False, SIZES[0]), *((True, size) for size in SIZES)],
    ids=["False-size0", "True-size0", "True-size1", "True-size2"],
)  # fmt: skip
def test_prompt(snap_compare: Snap, make: Make, size: tuple[int, int], is_explained: bool) -> None:
    app = make("Say what you think of the film: the plot is a mess, but the cast is wonderful.")

    async def before(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: session_of(app).client is not None and app.desk.status is not None)
        await pilot.press("ctrl+g")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen) and app.screen.query(MessageBox))
        await pilot.press("ctrl+n")
        await until(pilot, lambda: len(app.screen.query(MessageBox)) == 2)
        await pilot.press(*"It was")
        if is_explained:
            await pilot.press("ctrl+g")
            await until(pilot, lambda: app.prompt is not None and app.prompt.picked == (0, 1))
            await pilot.press("right", "enter")
            await until(pilot, lambda: app.prompt is not None and app.prompt.explained is not None)
        await pilot.pause(0.5)

    assert snap_compare(app, terminal_size=size, run_before=before)
