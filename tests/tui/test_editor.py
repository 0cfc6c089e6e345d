from __future__ import annotations

import pytest
from rich.style import Style
from rich.text import Text
from textual.widgets import Static

from saliscope.render.palettes import BLUE_ORANGE, PALETTES
from saliscope.tui.app import TuiApp
from saliscope.tui.inks import STALE, Inks, mixed
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.widgets.editor import Editor
from saliscope.tui.widgets.legend import Legend
from saliscope.tui.widgets.prediction import PredictionBars
from tests.tui.conftest import TEXT, Make, session_of


def editor_of(app: TuiApp) -> Editor:
    screen = app.screen_stack[-1]
    assert isinstance(screen, MainScreen)
    return screen.editor


def styles(app: TuiApp, word: str, row: int = 0) -> set[Style]:
    """The styles of the cells in which a word of the text is drawn."""
    editor = editor_of(app)
    found: set[Style] = set()
    line = editor.document.get_line(row)
    start = line.index(word)
    cells: list[Style] = []
    for segment in editor.render_line(row):
        cells += [segment.style or Style.null()] * len(segment.text)
    found.update(cells[start : start + len(word)])
    return found


def grounds(app: TuiApp, word: str, row: int = 0) -> set[str]:
    found = styles(app, word, row)
    return {style.bgcolor.triplet.hex for style in found if style.bgcolor and style.bgcolor.triplet}


async def test_tokens_have_the_colours_of_their_scores(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        assert grounds(app, "wonderful") == {BLUE_ORANGE.dark[3].ground}
        assert grounds(app, "mess") == {BLUE_ORANGE.dark[-2].ground}
        assert not grounds(app, "plot") & {ink.ground for ink in BLUE_ORANGE.dark.values()}


async def test_what_is_typed_is_coloured_when_the_answer_comes(make: Make) -> None:
    app = make("", answers=False)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press(*"dull film")
        assert editor_of(app).text == "dull film"
        assert not grounds(app, "dull") & {ink.ground for ink in BLUE_ORANGE.dark.values()}
        session_of(app).explain(state="partial", model="demo-encoder")
        await pilot.pause()
        assert grounds(app, "dull") == {BLUE_ORANGE.dark[-3].ground}
        assert "estimate" in str(app.screen.query_one(Legend).render())
        session_of(app).explain(model="demo-encoder")
        await pilot.pause()
        assert "final" in str(app.screen.query_one(Legend).render())


async def test_a_prediction_is_shown_before_its_reasons(make: Make) -> None:
    app = make("a wonderful film", answers=False)

    def bars() -> str:
        return str(app.screen.query_one(PredictionBars).render())

    async with app.run_test(size=(120, 30)) as pilot:
        assert bars() == "–"
        session_of(app).explain(state="predicted")
        await pilot.pause()
        first = bars()
        assert "positive" in first
        assert not grounds(app, "wonderful") & {ink.ground for ink in BLUE_ORANGE.dark.values()}
        session_of(app).explain(model="demo-encoder")
        await pilot.pause()
        assert bars() == first
        await pilot.press("end", *" mess")
        session_of(app).explain(state="predicted")
        await pilot.pause()
        assert bars() != first
        assert "predicted" in str(app.screen.query_one(Legend).render())
        # The colours are still those of the text before.
        assert grounds(app, "wonderful") == {mixed(BLUE_ORANGE.dark[3].ground, "#10151c", STALE)}


async def test_an_edit_dims_the_colours_and_moves_them(make: Make) -> None:
    app = make(answers=False)
    async with app.run_test(size=(120, 30)) as pilot:
        session_of(app).explain(model="demo-encoder")
        await pilot.pause()
        await pilot.press("right", *"oo")
        assert editor_of(app).text == f"Too{TEXT[1:]}"
        dimmed = mixed(BLUE_ORANGE.dark[3].ground, "#10151c", STALE)
        assert grounds(app, "wonderful") == {dimmed}
        session_of(app).explain(model="demo-encoder")
        await pilot.pause()
        assert grounds(app, "wonderful") == {BLUE_ORANGE.dark[3].ground}


async def test_undo_and_redo_reach_the_session(make: Make) -> None:
    app = make("dull")
    async with app.run_test() as pilot:
        await pilot.press("end", "!", "ctrl+z")
        assert session_of(app).documents["text"].text == "dull"
        await pilot.press("ctrl+y")
        assert session_of(app).documents["text"].text == editor_of(app).text == "dull!"


async def test_emoji_and_wide_text_keep_their_colours_in_place(make: Make) -> None:
    app = make("👍🏽 dull 素晴らしい wonderful e\u0301nd")
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        editor = editor_of(app)
        coloured = "".join(
            segment.text for segment in editor.render_line(0)
            if segment.style and segment.style.bgcolor and segment.style.bgcolor.triplet
            and segment.style.bgcolor.triplet.hex in (BLUE_ORANGE.dark[3].ground, BLUE_ORANGE.dark[-3].ground)
        )  # fmt: skip
        assert coloured == "dullwonderful"


@pytest.mark.parametrize("depth", ["styles", "16"])
async def test_without_colours_bold_supports_and_underline_speaks_against(make: Make, depth: str) -> None:
    app = make(depth=depth)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        assert all(style.bold for style in styles(app, "wonderful"))
        assert all(style.underline for style in styles(app, "mess"))


def test_a_palette_for_few_colours_uses_the_terminals_own() -> None:
    style = Inks(depth="16").style(3)
    assert style.bgcolor is not None
    assert style.bgcolor.triplet == (85, 85, 255)


async def test_the_text_that_the_model_does_not_reach_is_dim(make: Make) -> None:
    app = make(answers=False)
    async with app.run_test(size=(120, 30)) as pilot:
        # The fake's places of a text are those of the document.
        session_of(app).explain(truncated_at=TEXT.index("but"))
        await pilot.pause()
        assert all(style.italic for style in styles(app, "cast"))
        assert not any(style.italic for style in styles(app, "mess"))


async def test_controls_are_shown_and_not_obeyed(make: Make) -> None:
    app = make("a\x1b[31mdull")
    async with app.run_test() as pilot:
        await pilot.pause()
        shown = "".join(segment.text for segment in editor_of(app).render_line(0))
        assert "\x1b" not in shown
        assert "␛[31mdull" in shown


async def test_unusual_line_breaks_are_told_of(make: Make) -> None:
    app = make("one\u2028two")
    async with app.run_test() as pilot:
        await pilot.pause()
        assert editor_of(app).text == "one\ntwo" == session_of(app).documents["text"].text


async def test_an_empty_text_says_what_to_do(make: Make) -> None:
    app = make("")
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        first = "".join(segment.text for segment in editor_of(app).render_line(0))
        assert first.startswith("Type or paste a text")
        assert "type a text" in str(app.screen.query_one("#state", Static).render())


async def test_typing_in_one_line_paints_no_other_line_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[int] = []
    own = Editor.get_line

    def counted(editor: Editor, line_index: int) -> Text:
        painted.append(line_index)
        return own(editor, line_index)

    monkeypatch.setattr(Editor, "get_line", counted)
    app = make("\n".join(["a dull film", "a wonderful cast", "a charming mess"] * 4))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        editor = editor_of(app)
        # In the fake session the whole text is one record, so every edit is news of all of it.
        session_of(app).answers = False
        editor.move_cursor((4, 3))
        await pilot.press("x")
        painted.clear()
        await pilot.press("y")
        assert set(painted) == {4}
        editor.move_cursor((7, 0))
        await pilot.pause()
        assert set(painted) <= {4, 7}


async def test_what_looks_the_same_is_the_very_same_row(make: Make) -> None:
    app = make("a dull film\na wonderful cast\na charming mess")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        editor = editor_of(app)
        session_of(app).answers = False
        await pilot.press("down", "down", "end", "!")
        before = [editor.render_line(row) for row in range(3)]
        await pilot.press("!")
        after = [editor.render_line(row) for row in range(3)]
        assert [one is other for one, other in zip(before, after, strict=True)] == [True, True, False]
        assert "mess!!" in after[2].text


async def test_a_line_above_moves_the_colours_with_the_text(make: Make) -> None:
    app = make("a dull film\na wonderful cast")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        session_of(app).answers = False
        await pilot.press("enter")
        await pilot.pause()
        # The record begins behind the edit, so its colours are of its text still.
        assert grounds(app, "wonderful", row=2) == {BLUE_ORANGE.dark[3].ground}
        assert not grounds(app, "cast", row=2) & {BLUE_ORANGE.dark[3].ground}


async def test_a_selection_is_drawn_and_goes_again(make: Make) -> None:
    app = make("a dull film\na wonderful cast")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        plain = styles(app, "film")
        await pilot.press("shift+down")
        await pilot.pause()
        chosen = styles(app, "film")
        assert chosen != plain
        await pilot.press("down")
        await pilot.pause()
        assert styles(app, "film") == plain


async def test_other_colours_paint_every_line_again(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        app.colour("saliscope-red-green-light")
        await pilot.pause()
        assert grounds(app, "wonderful") == {PALETTES["red-green"].light[3].ground}
