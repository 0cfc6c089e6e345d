"""Prompts: what comes next, what is written and what caused it, as the daemon says; with roles and without."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from saliscope.protocol.client import Client
from saliscope.render.bars import percent
from saliscope.render.buckets import bucket, peak_of
from saliscope.render.graphemes import cut, width
from saliscope.render.labels import shown_label
from saliscope.render.palettes import BLUE_ORANGE
from saliscope.render.text import one_line
from saliscope.tui.app import TuiApp
from saliscope.tui.prompt.answer import AnswerView
from saliscope.tui.prompt.message import MessageBox
from saliscope.tui.prompt.next_token import MAX_NAME, NextToken
from saliscope.tui.prompt.state import Prompt
from saliscope.tui.screens.prompt import PromptScreen
from tests.explainers.texts.test_chat import CHATML, saved
from tests.tui.conftest import until
from tests.tui.flows.conftest import SIZE, app_of

TEXT = "the cast is wonderful and the"


async def prompted(app: TuiApp, pilot: Pilot[None]) -> Prompt:
    """The prompt that begins with the text of the editor, once it says what comes next."""
    await until(pilot, lambda: app.desk.state == "connected" and bool(app.desk.models))
    await pilot.press("ctrl+g")
    await until(pilot, lambda: isinstance(app.screen, PromptScreen) and app.screen.query(MessageBox))
    assert app.prompt is not None
    return app.prompt


def likely(app: TuiApp) -> list[str]:
    """The rows of what may come next, without their bars."""
    lines = str(app.screen.query_one(NextToken).render()).splitlines()
    return [line.rstrip(" ▏▎▍▌▋▊▉█") for line in lines]


def rows(found: dict[str, float]) -> list[str]:
    names = [cut(one_line(shown_label("next-token", token)), MAX_NAME) for token in found]
    return [f"{name}{' ' * (MAX_NAME - width(name))} {percent(share):>6}"
            for name, share in zip(names, found.values(), strict=True)]  # fmt: skip


async def written(app: TuiApp, pilot: Pilot[None], prompt: Prompt, count: int) -> None:
    app.screen.query_one("#wish-max", Input).value = str(count)
    await pilot.pause()
    await pilot.press("ctrl+g")
    await until(pilot, lambda: prompt.answer is not None and prompt.picked == (0, 1))


def grounds(box: MessageBox) -> dict[str, str]:
    """The words of a message that are coloured, with their ground."""
    line = box.area.get_line(0)
    return {line.plain[span.start : span.end]: str(span.style) for span in line.spans}


async def test_what_comes_next_and_what_is_written_and_why_are_the_daemons(client: Client) -> None:
    app = app_of(TEXT, model="demo-decoder", method="input-x-gradient")
    async with app.run_test(size=SIZE) as pilot:
        prompt = await prompted(app, pilot)
        await until(pilot, lambda: prompt.is_plain)
        asked = client.generate(TEXT, model="demo-decoder", max_tokens=1, top=10)
        await until(pilot, lambda: likely(app) == rows(asked.tokens[0].likely))
        await written(app, pilot, prompt, 5)
        asked = client.generate(TEXT, model="demo-decoder", max_tokens=5, top=10)
        assert prompt.answer is not None
        assert prompt.answer.text == asked.text
        assert str(app.screen.query_one(AnswerView).render()).startswith(asked.text)
        await pilot.press("right", "shift+right")
        await until(pilot, lambda: prompt.picked == (1, 3))
        await until(pilot, lambda: likely(app) == rows(asked.tokens[1].likely))
        await pilot.press("enter")
        await until(pilot, lambda: prompt.explained is not None)
        target: Any = {"kind": "continuation", "ids": [token.id for token in asked.tokens], "part": [1, 3]}
        why = client.explain(TEXT, model="demo-decoder", method="input-x-gradient", target=target)
        assert prompt.explained is not None
        assert prompt.explained.scores == pytest.approx(why.scores, abs=1e-5)
        at = max(range(len(why.scores)), key=lambda at: abs(why.scores[at]))
        ink = BLUE_ORANGE.dark[bucket(why.scores[at], peak_of(why.scores))]
        await until(pilot, lambda: ink.ground in " ".join(grounds(app.screen.query(MessageBox).first()).values()))


@pytest.fixture(scope="module")
def chatting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny causal model with ChatML; its weights are random."""
    return saved(tmp_path_factory.mktemp("chatting"), CHATML)


async def test_a_chat_has_roles_its_template_and_colours_in_every_message(chatting: Path, client: Client) -> None:
    app = app_of("the plot is a mess", model=str(chatting), method="input-x-gradient")
    async with app.run_test(size=SIZE) as pilot:
        prompt = await prompted(app, pilot)
        for content in ("a dull film", "and the cast?"):
            await pilot.press("ctrl+n")
            await until(pilot, lambda: isinstance(app.focused, type(app.screen.query(MessageBox).last().area))
                        and app.focused is app.screen.query(MessageBox).last().area)  # fmt: skip
            await pilot.press(*content)
        await until(pilot, lambda: prompt.messages[-1].content == "and the cast?")
        messages = [{"role": "user", "content": "the plot is a mess"}, {"role": "assistant", "content": "a dull film"},
                    {"role": "user", "content": "and the cast?"}]  # fmt: skip
        assert prompt.source() == {"messages": messages}
        asked = client.generate(messages=messages, model=str(chatting), max_tokens=1, top=10)
        await until(pilot, lambda: likely(app) == rows(asked.tokens[0].likely))
        await written(app, pilot, prompt, 4)
        asked = client.generate(messages=messages, model=str(chatting), max_tokens=4, top=10)
        assert prompt.answer is not None
        assert [one.id for one in prompt.answer.tokens] == [one.id for one in asked.tokens]
        await pilot.press("enter")
        await until(pilot, lambda: prompt.explained is not None)
        target: Any = {"kind": "continuation", "ids": [one.id for one in asked.tokens], "part": [0, 1]}
        why = client.explain(messages=messages, model=str(chatting), method="input-x-gradient", target=target)
        assert prompt.explained is not None
        assert prompt.explained.scores == pytest.approx(why.scores, abs=1e-4)
        peak = peak_of(why.scores)
        await until(pilot, lambda: any(grounds(box) for box in app.screen.query(MessageBox)))
        for box, segment in zip(app.screen.query(MessageBox), why.segments, strict=True):
            expected = {
                why.text[max(one.start, segment.start) : one.end]: BLUE_ORANGE.dark[bucket(score, peak)].ground
                for one, score in zip(why.features, why.scores, strict=True)
                if segment.start <= one.start < one.end <= segment.end and bucket(score, peak)
            }
            drawn = grounds(box)
            for text, ground in expected.items():
                assert any(text.strip() in part and ground in style for part, style in drawn.items()), (text, drawn)
        # Another role is another prompt, and the answer becomes a message.
        app.screen.query(MessageBox).first().area.focus()
        await pilot.press("ctrl+t")
        await until(pilot, lambda: prompt.messages[0].role == "assistant" and prompt.answer is None)
        await pilot.press("ctrl+t", "ctrl+t", "ctrl+t")
        await until(pilot, lambda: prompt.messages[0].role == "user")
        await written(app, pilot, prompt, 4)
        await pilot.press("f7")
        await until(pilot, lambda: len(app.screen.query(MessageBox)) == 5)
        assert (prompt.messages[3].role, prompt.messages[3].content) == ("assistant", asked.text)


async def test_a_chat_that_is_being_written_can_be_stopped(
    chatting: Path, stopped: Callable[[], AbstractContextManager[None]]
) -> None:
    app = app_of("the plot is a mess", model=str(chatting))
    async with app.run_test(size=SIZE) as pilot:
        prompt = await prompted(app, pilot)
        await until(pilot, lambda: len(likely(app)) > 1)
        view = app.screen.query_one(AnswerView)
        before = str(view.render())
        # The model stands still, so that it cannot be ready before it is stopped.
        with stopped():
            await pilot.press("ctrl+g", "escape")
            await pilot.pause()
            assert isinstance(app.screen, PromptScreen)
            assert prompt.answer is None
            assert str(view.render()) == before
        await written(app, pilot, prompt, 3)
        assert prompt.answer is not None
