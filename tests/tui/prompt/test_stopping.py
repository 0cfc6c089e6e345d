"""Writing that is stopped, that fails, or whose prompt is edited meanwhile."""

from __future__ import annotations

from typing import Any

from textual.widgets import Static

from saliscope.protocol.errors import SaliscopeError
from saliscope.tui.app import TuiApp
from saliscope.tui.prompt.answer import AnswerView
from saliscope.tui.prompt.message import MessageBox
from saliscope.tui.prompt.next_token import NextToken
from saliscope.tui.screens.prompt import PromptScreen
from tests.tui.conftest import Make, session_of, until
from tests.tui.prompt.test_prompt import opened, prompt_of, shown, written


async def writing(app: TuiApp, pilot: Any) -> None:
    """The prompt, while the model holds after its first token."""
    await opened(app, pilot)
    await until(pilot, lambda: "␣the" in shown(app, NextToken))
    session_of(app).fake.between.clear()
    await pilot.press("ctrl+g")
    await until(pilot, lambda: " a▌" in shown(app, AnswerView))
    assert "Esc stops" in str(app.screen.query_one(AnswerView).border_subtitle)


async def test_what_was_written_until_escape_stays_and_is_picked_and_explained(make: Make) -> None:
    app = make("the cast is wonderful")
    async with app.run_test(size=(120, 34)) as pilot:
        await writing(app, pilot)
        await pilot.press("escape")
        await until(pilot, lambda: "▌" not in shown(app, AnswerView))
        assert isinstance(app.screen, PromptScreen)
        assert shown(app, AnswerView) == " a ✂ stopped"
        answer = prompt_of(app).answer
        assert answer is not None
        assert (answer.text, answer.finish, prompt_of(app).picked) == (" a", "", (0, 1))
        await pilot.press("enter")
        await until(pilot, lambda: prompt_of(app).explained is not None)
        asked = [options for call, _, options in session_of(app).fake.calls if call == "explain"][-1]
        assert asked["target"] == {"kind": "continuation", "ids": [100], "part": [0, 1]}
        # A second Esc leaves; a new writing begins anew.
        session_of(app).fake.between.set()
        await written(app, pilot)
        await until(pilot, lambda: shown(app, AnswerView).startswith(" a wonderful cast"))


async def test_what_was_stopped_is_taken_into_the_prompt(make: Make) -> None:
    app = make("a film")
    async with app.run_test(size=(120, 34)) as pilot:
        await writing(app, pilot)
        await pilot.press("escape")
        await until(pilot, lambda: prompt_of(app).answer is not None)
        await pilot.press("f7")
        await until(pilot, lambda: len(app.screen.query(MessageBox)) == 3)
        assert prompt_of(app).messages[1].content == " a"


async def test_what_was_written_before_the_daemon_was_lost_stays(make: Make) -> None:
    app = make("a film")
    async with app.run_test(size=(120, 34)) as pilot:
        await writing(app, pilot)
        session_of(app).fake.failure = SaliscopeError("oom", "the model ran out of memory")
        session_of(app).fake.between.set()
        await until(pilot, lambda: prompt_of(app).answer is not None)
        assert shown(app, AnswerView) == " a ✂ stopped"
        assert "ran out of memory" in str(app.screen.query_one("#prompt-notice", Static).render())


async def test_an_edit_ends_the_writing_and_nothing_of_it_stays(make: Make) -> None:
    app = make("a film")
    async with app.run_test(size=(120, 34)) as pilot:
        await writing(app, pilot)
        app.screen.query_one(MessageBox).area.focus()
        await pilot.press("end", "s")
        await until(pilot, lambda: "▌" not in shown(app, AnswerView))
        session_of(app).fake.between.set()
        await until(pilot, lambda: "␣the" in shown(app, NextToken))
        assert prompt_of(app).answer is None
        assert "Ctrl+g" in shown(app, AnswerView)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, PromptScreen))


async def test_writing_anew_while_it_writes_has_one_answer(make: Make) -> None:
    app = make("a film")
    async with app.run_test(size=(120, 34)) as pilot:
        await writing(app, pilot)
        await pilot.press("ctrl+g")
        await until(pilot, lambda: len([one for one in session_of(app).fake.calls if one[0] == "generate"]) >= 3)
        session_of(app).fake.between.set()
        await until(pilot, lambda: prompt_of(app).answer is not None)
        await until(pilot, lambda: shown(app, AnswerView).startswith(" a wonderful cast"))
