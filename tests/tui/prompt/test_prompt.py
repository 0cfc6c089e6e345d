"""A prompt: messages are edited, the next token is shown, what was written is picked and explained."""

from __future__ import annotations

from typing import Any

from textual.widgets import Input, Static

from saliscope.render.palettes import BLUE_ORANGE
from saliscope.tui.app import TuiApp
from saliscope.tui.prompt.answer import AnswerView
from saliscope.tui.prompt.message import MessageBox
from saliscope.tui.prompt.next_token import NextToken
from saliscope.tui.prompt.state import Prompt, Said
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.screens.prompt import PromptScreen
from tests.tui.conftest import Make, session_of, until


def prompt_of(app: TuiApp) -> Prompt:
    assert app.prompt is not None
    return app.prompt


def shown(app: TuiApp, kind: type[Static]) -> str:
    return str(app.screen.query_one(kind).render())


async def opened(app: TuiApp, pilot: Any) -> None:
    """The prompt, with the text of the editor as its first message."""
    await until(pilot, lambda: session_of(app).client is not None)
    await pilot.press("ctrl+g")
    await until(pilot, lambda: isinstance(app.screen, PromptScreen) and app.screen.query(MessageBox))


async def written(app: TuiApp, pilot: Any) -> None:
    await pilot.press("ctrl+g")
    await until(pilot, lambda: prompt_of(app).answer is not None and prompt_of(app).picked == (0, 1))


# -- messages ---------------------------------------------------------------------------------------


def test_messages_are_added_removed_moved_and_turned() -> None:
    prompt = Prompt([Said("user", "a")])
    assert prompt.add(0) == 1
    assert [one.role for one in prompt.messages] == ["user", "assistant"]
    prompt.messages[1].content = "b"
    assert prompt.move(1, -1) == 0
    assert [one.content for one in prompt.messages] == ["b", "a"]
    assert prompt.move(0, -1) == 0
    prompt.turn(0)
    assert prompt.messages[0].role == "tool"
    prompt.turn(0)
    assert prompt.messages[0].role == "system"
    assert prompt.remove(1) == 0
    assert prompt.remove(0) == 0
    assert prompt.messages == [Said()]


async def test_the_keys_of_messages(make: Make) -> None:
    app = make("a film", answers=True)
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(app, pilot)
        assert [one.content for one in prompt_of(app).messages] == ["a film"]
        await pilot.press("ctrl+n")
        await until(pilot, lambda: len(app.screen.query(MessageBox)) == 2)
        await pilot.press(*"and why")
        await until(pilot, lambda: prompt_of(app).messages[1].content == "and why")
        await pilot.press("ctrl+t")
        await until(pilot, lambda: prompt_of(app).messages[1].role == "tool")
        await pilot.press("alt+up")
        await until(pilot, lambda: [one.content for one in prompt_of(app).messages] == ["and why", "a film"])
        await pilot.press("ctrl+d")
        await until(pilot, lambda: [one.content for one in prompt_of(app).messages] == ["a film"])
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, MainScreen))
        await pilot.press("ctrl+g")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen))
        assert prompt_of(app).messages[0].content == "a film"


# -- what comes next --------------------------------------------------------------------------------


async def test_the_next_token_follows_what_is_typed(make: Make) -> None:
    app = make("a film")
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(app, pilot)
        await until(pilot, lambda: "␣the" in shown(app, NextToken))
        before = len(session_of(app).fake.calls)
        await pilot.press("end", *" with")
        asked = session_of(app).fake.calls
        await until(pilot, lambda: any(call[2].get("messages") == [{"role": "user", "content": "a film with"}]
                                       for call in asked[before:] if call[0] == "generate"))  # fmt: skip
        assert all(call[2]["max_tokens"] == 1 for call in asked[before:] if call[0] == "generate")


async def test_how_it_writes_can_be_set(make: Make) -> None:
    app = make("a film")
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(app, pilot)
        for id, value in (("#wish-max", "2"), ("#wish-temperature", "0.7"), ("#wish-seed", "5")):
            app.screen.query_one(id, Input).value = value
        await pilot.pause()
        await written(app, pilot)
        # What comes next is asked about before and after, too.
        [asked] = [options for _, _, options in session_of(app).fake.calls if "temperature" in options]
        assert (asked["max_tokens"], asked["temperature"], asked["seed"]) == (2, 0.7, 5)


async def test_a_model_without_a_template_gets_one_text(make: Make) -> None:
    app = make("a film")
    session_of(app).fake.is_plain = True
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(app, pilot)
        await until(pilot, lambda: prompt_of(app).is_plain and "␣the" in shown(app, NextToken))
        assert "no chat template" in str(app.screen.query_one("#prompt-notice", Static).render())
        asked = [call for call in session_of(app).fake.calls if call[0] == "generate"]
        assert asked[0][2]["messages"] == [{"role": "user", "content": "a film"}]
        assert asked[-1][2]["text"] == "a film"


# -- what caused it ---------------------------------------------------------------------------------


async def test_a_picked_part_of_the_answer_is_explained_in_the_prompt(make: Make) -> None:
    app = make("the cast is wonderful and dull")
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(app, pilot)
        await written(app, pilot)
        assert "Token 1 of 3" in str(app.screen.query_one(NextToken).border_title)
        await pilot.press("right", "shift+right")
        await until(pilot, lambda: prompt_of(app).picked == (1, 3))
        assert "Token 2 of 3" in str(app.screen.query_one(NextToken).border_title)
        await pilot.press("enter")
        await until(pilot, lambda: prompt_of(app).explained is not None)
        asked = [options for call, _, options in session_of(app).fake.calls if call == "explain"][-1]
        assert asked["target"] == {"kind": "continuation", "ids": [100, 101, 102], "part": [1, 3]}
        area = app.screen.query_one(MessageBox).area
        line = area.get_line(0)
        grounds = {line.plain[span.start : span.end]: span.style for span in line.spans}
        assert BLUE_ORANGE.inks("dark")[3].ground in str(grounds["wonderful"])
        assert BLUE_ORANGE.inks("dark")[-3].ground in str(grounds["dull"])
        # An edit takes answer and colours away.
        await pilot.press("shift+tab")
        area.focus()
        await pilot.press("x")
        await until(pilot, lambda: prompt_of(app).answer is None)
        assert not area.get_line(0).spans


async def test_each_message_has_its_own_part_of_the_colours(make: Make) -> None:
    app = make("wonderful")
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(app, pilot)
        await pilot.press("ctrl+n")
        await until(pilot, lambda: len(app.screen.query(MessageBox)) == 2)
        await pilot.press(*"dull film")
        await written(app, pilot)
        await pilot.press("enter")
        await until(pilot, lambda: prompt_of(app).explained is not None)
        found = [[line.plain[span.start : span.end] for span in line.spans]
                 for line in (box.area.get_line(0) for box in app.screen.query(MessageBox))]  # fmt: skip
        assert found[0] == ["wonderful"]
        assert "dull" in found[1]


async def test_the_answer_becomes_a_message(make: Make) -> None:
    app = make("a film")
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(app, pilot)
        await written(app, pilot)
        await pilot.press("f7")
        await until(pilot, lambda: len(app.screen.query(MessageBox)) == 3)
        assert [(one.role, one.content) for one in prompt_of(app).messages] == [
            ("user", "a film"), ("assistant", " a wonderful cast"), ("user", ""),
        ]  # fmt: skip


async def test_a_click_picks_a_token(make: Make) -> None:
    app = make("a film")
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(app, pilot)
        await written(app, pilot)
        view = app.screen.query_one(AnswerView)
        left = view.content_region.x - view.region.x
        top = view.content_region.y - view.region.y
        await pilot.click(view, offset=(left + 6, top))
        await until(pilot, lambda: prompt_of(app).picked == (1, 2))
