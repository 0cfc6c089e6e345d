"""The choices at the top share the room that there is."""

from __future__ import annotations

import pytest

from saliscope.protocol.messages import BUNDLED
from saliscope.tui.choices import Choices
from saliscope.tui.phase import Phase
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


async def test_names_that_are_cut_take_all_the_room_there_is_and_can_be_told_apart(make: Make) -> None:
    app = make(choices=Choices(method="decoded-integrated-gradients", target="positive"))
    async with app.run_test(size=(60, 20)) as pilot:
        bar = app.screen.query_one(TopBar)
        await until(pilot, lambda: "ready" in str(bar.query_one("#state").render()))
        seen = set()
        for method in ("decoded-integrated-gradients", "decoded-grad-cam", "decoded-smooth-grad", "decoded-simple"):
            bar.show_choice("method", method, own=True)
            await pilot.pause()
            await pilot.pause()
            seen.add(str(bar.query_one("#chip-method").render()))
            state, last = bar.query_one("#state"), [chip for chip in bar.query(Chip) if chip.display][-1]
            assert state.region.x - last.region.right <= 2
            assert len(str(state.render())) <= state.content_size.width
        assert len(seen) == 4
        assert all(name.startswith("decod") and "…" in name for name in seen)


async def test_bundled_models_are_told_apart_where_they_are_cut(make: Make) -> None:
    app = make(choices=Choices(method="decoded-integrated-gradients", target="positive"))
    async with app.run_test(size=(60, 20)) as pilot:
        bar = app.screen.query_one(TopBar)
        await until(pilot, lambda: "ready" in str(bar.query_one("#state").render()))
        seen = set()
        for model in BUNDLED:
            bar.show_choice("model", model, own=True)
            bar.query_one("#chip-model", Chip).fit(9)
            seen.add(str(bar.query_one("#chip-model").render()))
        assert seen == {"demo-enc… ▾", "demo-dec… ▾"}


async def test_a_longer_state_takes_its_room_and_keeps_it(make: Make) -> None:
    app = make(choices=Choices(method="decoded-integrated-gradients", target="positive"))
    async with app.run_test(size=(60, 20)) as pilot:
        bar = app.screen.query_one(TopBar)
        await until(pilot, lambda: "ready" in str(bar.query_one("#state").render()))
        state, places = bar.query_one("#state"), []
        assert state.size.width < 22
        for phase in (Phase("empty", "nothing to explain"), Phase("ready", "ready")):
            bar.show_state(phase, None, None)
            await pilot.pause()
            await pilot.pause()
            places.append([chip.region for chip in bar.query(Chip) if chip.display])
            assert state.content_size.width == len("○ nothing to explain")
            assert max(chip.right for chip in places[-1]) <= state.region.x
        assert places[0] == places[1]
