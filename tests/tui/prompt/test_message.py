"""The box of a message, before it is on the screen and after."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.geometry import Region

from saliscope.render.palettes import BLUE_ORANGE
from saliscope.tui.inks import Inks
from saliscope.tui.prompt.message import MessageBox


class Room(App[None]):
    """An app with one message."""

    def compose(self) -> ComposeResult:
        yield MessageBox(0, "user", "a dull film", Inks(BLUE_ORANGE, "dark", "truecolor"))


async def test_the_text_of_a_box_is_there_before_the_box_is_shown() -> None:
    async with Room().run_test() as pilot:
        box = MessageBox(1, "user", "a fine film", Inks(BLUE_ORANGE, "dark", "truecolor"))
        box.area.paint(None)
        assert (box.area.text, box.area.has_focus) == ("a fine film", False)
        await pilot.app.mount(box)
        assert box.area.is_attached


async def test_a_text_that_was_taken_away_is_drawn_empty() -> None:
    async with Room().run_test() as pilot:
        box = pilot.app.query_one(MessageBox)
        lines = box.area.render_lines(Region(0, 0, 20, 2))
        assert "a dull film" in "".join(strip.text for strip in lines)
        await box.remove()
        assert [strip.text for strip in box.area.render_lines(Region(0, 0, 20, 2))] == [" " * 20] * 2
