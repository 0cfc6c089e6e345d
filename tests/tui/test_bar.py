"""The choices at the top share the room that there is."""

from __future__ import annotations

import pytest

from saliscope.tui.choices import Choices
from saliscope.tui.widgets.bar import Chip, TopBar, shared
from tests.tui.conftest import Make, until


@pytest.mark.parametrize(
    ("widths", "room", "got"),
    [
        ([12, 28, 8], 60, [12, 28, 8]),
        ([12, 28, 8], 28, [10, 10, 8]),
        ([12, 28, 8], 30, [11, 11, 8]),
        ([3, 28], 10, [3, 7]),
        ([3, 28], -4, [0, 0]),
        ([], 10, []),
    ],
)
def test_the_narrow_ones_get_what_they_need(widths: list[int], room: int, got: list[int]) -> None:
    assert shared(widths, room) == got


async def test_no_chip_lies_under_the_state_at_any_width(make: Make) -> None:
    app = make(choices=Choices(method="decoded-integrated-gradients", target="positive"))
    async with app.run_test(size=(60, 20)) as pilot:
        for columns in (60, 200, 80, 56, 100, 120):
            await pilot.resize_terminal(columns, 20)
            bar = app.screen.query_one(TopBar)
            await until(pilot, lambda: bar.size.width == columns)  # noqa: B023
            await pilot.pause()
            chips = [chip for chip in bar.query(Chip) if chip.display]
            assert len(chips) >= (2 if columns < 60 else 3)
            ends = bar.query_one("#state").region.x
            assert all(chip.region.right <= ends and chip.region.width >= 8 for chip in chips), columns
            assert all(str(chip.render()).endswith("▾") for chip in chips)
        assert "decoded-integrated-gradients ▾" in str(bar.query_one("#chip-method").render())
