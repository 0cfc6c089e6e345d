"""Tables and prompts against a real daemon with the bundled models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from textual.widgets import Button, Input, Static

from saliscope.tui.app import TuiApp
from saliscope.tui.choices import Choices
from saliscope.tui.data.verdict import Verdict
from saliscope.tui.prompt.answer import AnswerView
from saliscope.tui.prompt.message import MessageBox
from saliscope.tui.screens.classes import ClassesScreen
from saliscope.tui.screens.data import DataScreen
from saliscope.tui.screens.job import JobScreen
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.screens.prompt import PromptScreen
from saliscope.tui.store import Kept
from tests.tui.conftest import until
from tests.tui.data.conftest import room_of, screen_of, settled, write

pytestmark = pytest.mark.usefixtures("real")


def table_of(path: Path, **choices: str) -> TuiApp:
    kept = Kept(ground="dark", choices=Choices(**choices))  # type: ignore[arg-type]
    return TuiApp(kept, file=path, in_table=True, depth="truecolor")


async def test_rows_are_predicted_explained_edited_and_put_back(tmp_path: Path) -> None:
    path = write(tmp_path, 1200)
    app = table_of(path)
    async with app.run_test(size=(120, 30)) as pilot:
        await settled(pilot)
        data = room_of(app).data
        assert data.known.get(0) == Verdict("positive", data.known.get(0).share, "positive", data.known.get(0).findings)  # type: ignore[union-attr]
        wrong = data.known.get(1)
        assert wrong is not None
        assert wrong.is_wrong
        look = data.look_at(1)
        assert look is not None
        assert {part.text for part in look.line if abs(part.bucket) > 1} & {"dull", "boring", "mess"}
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, MainScreen) and app.is_explained)
        await pilot.press("end", *", alas", "ctrl+s")
        await until(pilot, lambda: "alas" in path.read_text())
        assert json.loads(path.read_text().splitlines()[1])["text"] == "a dull, boring mess, alas"


async def test_a_job_fills_the_table_and_survives_leaving_the_screen(tmp_path: Path) -> None:
    path = write(tmp_path, 60)
    app = table_of(path, method="input-x-gradient")
    async with app.run_test(size=(120, 16)) as pilot:
        await settled(pilot)
        await pilot.press("b")
        await until(pilot, lambda: isinstance(app.screen, JobScreen))
        app.screen.query_one("#job-out", Input).value = str(tmp_path / "out.jsonl")
        app.screen.query_one("#start", Button).press()
        await until(pilot, lambda: room_of(app).job.job is not None)
        # The screen is left while the job runs.
        room_of(app).leave()
        await until(pilot, lambda: isinstance(app.screen, MainScreen))
        job = room_of(app).job
        await until(
            pilot, lambda: job.job is not None and job.job.state == "done" and len(room_of(app).data.known) == 60
        )
        await pilot.press("ctrl+r")
        await until(pilot, lambda: isinstance(app.screen, DataScreen))
        await until(pilot, lambda: "60 of 60 rows" in str(screen_of(app).query_one("#data-job", Static).render()))
        await pilot.press("end")
        await settled(pilot)
        look = room_of(app).data.look_at(59)
        assert look is not None
        assert look.is_of_job
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, ClassesScreen))
        results = room_of(app).job.results
        assert results is not None
        assert results.confusion["positive"]["negative"] >= 15
        assert "dull" in {one.text for one in results.top["negative"]}
    # Another session finds the job by the file.
    again = table_of(path)
    async with again.run_test(size=(120, 16)) as pilot:
        await settled(pilot)
        await until(pilot, lambda: len(room_of(again).data.known) == 60)
        assert room_of(again).job.job is not None


@pytest.mark.load
async def test_a_job_is_paused_gone_on_with_and_cancelled(tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    # No two alike, or the daemon would know the answer.
    path.write_text("".join(json.dumps({"text": f"a dull film, number {n} of many more"}) + "\n" for n in range(3000)))
    app = table_of(path, method="occlusion")
    async with app.run_test(size=(120, 16)) as pilot:
        await settled(pilot)
        job = room_of(app).job
        await pilot.press("b")
        await until(pilot, lambda: isinstance(app.screen, JobScreen))
        app.screen.query_one("#start", Button).press()
        await until(pilot, lambda: job.job is not None and job.job.done > 0)
        for button, state in (("#pause", "paused"), ("#resume", "running"), ("#cancel", "cancelled")):
            await pilot.press("b")
            await until(pilot, lambda: isinstance(app.screen, JobScreen))
            app.screen.query_one(button, Button).press()
            await until(pilot, lambda state=state: job.job is not None and job.job.state == state)  # type: ignore[misc]
        assert not (tmp_path / "reviews.explained.jsonl.parts").exists()


async def test_a_part_of_what_a_decoder_wrote_until_it_was_stopped_is_explained() -> None:
    app = TuiApp(Kept(text="the cast is wonderful and the", ground="dark"), depth="truecolor")
    async with app.run_test(size=(120, 34)) as pilot:
        await until(pilot, lambda: app.desk.state == "connected")
        await pilot.press("ctrl+g")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen) and app.screen.query(MessageBox))
        await until(pilot, lambda: app.prompt is not None and app.prompt.is_plain)
        app.screen.query_one("#wish-max", Input).value = "500"
        await pilot.pause()
        await pilot.press("ctrl+g")
        view, prompt = app.screen.query_one(AnswerView), app.prompt
        assert prompt is not None
        await until(pilot, lambda: "Esc stops" in str(view.border_subtitle))
        await pilot.press("escape")
        await until(pilot, lambda: prompt.answer is not None)
        assert prompt.answer is not None
        assert prompt.answer.finish == ""
        assert 0 < len(prompt.answer.tokens) < 240
        assert str(view.render()).endswith("✂ stopped")
        await pilot.press("enter")
        await until(pilot, lambda: prompt.explained is not None)
        assert prompt.explained is not None
        assert prompt.explained.text == "the cast is wonderful and the"


async def test_what_a_decoder_writes_is_picked_and_explained() -> None:
    app = TuiApp(Kept(text="the cast is wonderful and the", ground="dark"), depth="truecolor")
    async with app.run_test(size=(120, 34)) as pilot:
        await until(pilot, lambda: app.desk.state == "connected")
        await pilot.press("ctrl+g")
        await until(pilot, lambda: isinstance(app.screen, PromptScreen) and app.screen.query(MessageBox))
        await until(pilot, lambda: app.prompt is not None and app.prompt.is_plain)
        app.screen.query_one("#wish-max", Input).value = "6"
        await pilot.pause()
        await pilot.press("ctrl+g")
        prompt = app.prompt
        assert prompt is not None
        await until(pilot, lambda: prompt.answer is not None and prompt.picked == (0, 1))
        await pilot.press("shift+right", "enter")
        await until(pilot, lambda: prompt.explained is not None)
        assert prompt.explained is not None
        assert prompt.explained.text == "the cast is wonderful and the"
        assert app.screen.query(MessageBox).first().area.get_line(0).spans
