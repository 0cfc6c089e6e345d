"""Going from token to token, and leaving some out."""

from __future__ import annotations

from textual.widgets import Static

from saliscope.protocol.parameters import Mask
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.widgets.editor import Editor
from saliscope.tui.widgets.strongest import Strongest
from tests.tui.conftest import TEXT, Make, detail, session_of, until


async def test_the_token_at_the_cursor_has_its_facts(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.pause()
        app.screen.query_one(Editor).go(TEXT.index("wonderful") + 3)
        await pilot.pause()
        shown = detail(app)
        assert "wonderful" in shown
        assert "+0.900 ± 0.010" in shown
        assert "strong, supports the target" in shown
        assert "1 of 12" in shown
        assert "1010" in shown


async def test_strong_tokens_are_gone_through_in_reading_order(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.press("escape", "right_square_bracket")
        editor = app.screen.query_one(Editor)
        seen = [editor.offset_of_cursor]
        for _ in range(3):
            await pilot.press("right_square_bracket")
            seen.append(editor.offset_of_cursor)
        assert seen == sorted(seen)
        await pilot.press("left_square_bracket")
        assert editor.offset_of_cursor == seen[-2]


async def test_escape_leaves_the_editor_and_i_goes_back(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.press("escape")
        assert isinstance(app.focused, Strongest)
        await pilot.press("i")
        assert isinstance(app.focused, Editor)
        assert app.focused.text == TEXT


async def test_the_list_of_the_strongest_moves_the_cursor(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.press("escape", "home", "down")
        await pilot.pause()
        assert app.screen.query_one(Editor).offset_of_cursor == TEXT.index("mess")


async def test_a_masked_token_shows_what_it_changes(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.pause()
        editor = app.screen.query_one(Editor)
        editor.go(TEXT.index("wonderful"))
        await pilot.press("f8")
        await until(pilot, lambda: app.desk.without is not None)
        asked = [call for call in session_of(app).fake.calls if call[0] == "predict"]
        start = TEXT.index("wonderful")
        assert asked[0][1] == TEXT
        assert asked[0][2]["mask"] == Mask([(start, start + len("wonderful"))])
        assert "1 token: positive" in detail(app)
        assert editor.masked
        await pilot.press("f8")
        await pilot.pause()
        assert not editor.masked
        assert "masked" not in detail(app)


async def test_an_edit_takes_masked_tokens_in_again(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.press("f8")
        await pilot.pause()
        await pilot.press("a")
        assert not app.desk.masked


async def test_a_mask_where_nothing_is_explained_says_so(make: Make) -> None:
    app = make("")
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.press("f8")
        await pilot.pause()
        assert "no scored token" in "".join(str(note.message) for note in app._notifications)


async def test_a_click_on_a_token_shows_it(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.pause()
        await pilot.click(Editor, offset=(3 + TEXT.index("mess"), 1))
        await pilot.pause()
        assert "mess" in detail(app)


async def test_jump_mode_goes_where_the_letter_stands(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.press("ctrl+o")
        labels = [str(label.render()) for label in app.screen.query(Static) if "jump-label" in label.classes]
        # The strong tokens have a letter each, in the order of the text.
        assert labels == [" e ", " s ", " d ", " m ", " t ", " p ", "a", "b", "c", "f"]
        await pilot.press("s")
        await pilot.pause()
        assert isinstance(app.screen, MainScreen)
        assert isinstance(app.focused, Strongest)


async def test_jump_mode_goes_to_a_token(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.press("ctrl+o", "b")
        await pilot.pause()
        # The second of the strong ones.
        assert app.screen.query_one(Editor).offset_of_cursor == TEXT.index("but")
        assert isinstance(app.focused, Editor)
