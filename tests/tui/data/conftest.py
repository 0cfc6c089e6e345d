"""Files of rows, and the app with its table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from saliscope.tui.app import TuiApp
from saliscope.tui.data.room import DataRoom
from saliscope.tui.screens.data import DataScreen
from saliscope.tui.store import Kept
from tests.tui.conftest import until
from tests.tui.fake import FakeSession

ROWS = [
    {"text": "a wonderful, charming film", "label": "positive"},
    {"text": "a dull, boring mess", "label": "positive"},
    {"text": "a dull film", "label": "negative"},
    {"text": "wonderful but a mess", "label": "negative"},
]
Open = Callable[..., TuiApp]


def write(folder: Path, count: int = len(ROWS), name: str = "reviews.jsonl") -> Path:
    """A file of so many rows."""
    path = folder / name
    path.write_text("".join(json.dumps({"id": n, **ROWS[n % len(ROWS)]}) + "\n" for n in range(count)))
    return path


@pytest.fixture
def open_app() -> Open:
    """The app with a file in the table, and a session that answers."""

    def open_app(path: Path, **options: Any) -> TuiApp:
        kept = Kept(ground=options.pop("ground", "dark"), palette=options.pop("palette", "blue-orange"))
        return TuiApp(kept, file=path, in_table=True, depth=options.pop("depth", "truecolor"),
                      make_session=FakeSession, **options)  # type: ignore[arg-type]  # fmt: skip

    return open_app


def room_of(app: TuiApp) -> DataRoom:
    """The open data set."""
    assert app.room is not None
    return app.room


def screen_of(app: TuiApp) -> DataScreen:
    """The table's screen, which must be the one in front."""
    assert isinstance(app.screen, DataScreen)
    return app.screen


async def settled(pilot: Pilot[None]) -> None:
    """Until everything visible is known and has its colours."""
    app = pilot.app
    assert isinstance(app, TuiApp)
    await until(pilot, lambda: isinstance(app.screen, DataScreen))
    room, table = room_of(app), screen_of(app).table
    await until(pilot, lambda: room.data.file.is_complete and len(table.in_sight) > 0)
    await until(pilot, lambda: all(
        room.data.why_not(row) or (row in room.data.known and room.data.look_at(row))
        for row in [room.data.rows[at] for at in table.in_sight]
    ))  # fmt: skip
    # One more turn of the clock that draws.
    told = room.num_news
    await until(pilot, lambda: screen_of(app).num_shown >= told)
