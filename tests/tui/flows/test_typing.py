"""Typing: colours while it is written, records of a file, and a daemon that is killed meanwhile."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from textual.widgets import Static

from saliscope.protocol import glance
from saliscope.tui.app import TuiApp
from saliscope.tui.screens.compare import CompareScreen
from saliscope.tui.screens.picker import Picker
from saliscope.tui.store import Kept
from saliscope.tui.widgets.editor import Editor
from tests.tui.conftest import until
from tests.tui.flows.conftest import app_of, explained, main_of


async def test_what_is_typed_takes_colours_and_a_prediction() -> None:
    app = app_of()
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.press(*"a dull and boring film")
        await until(pilot, lambda: app.is_explained)
        found = main_of(app).here.explanation
        assert found is not None
        assert (found.model, found.prediction.label) == ("demo-encoder", "negative")
        colours = app.desk.colours
        assert colours is not None
        strong = {"a dull and boring film"[part.start : part.end] for part in colours.line("a dull and boring film", 0)
                  if part.bucket >= 2}  # fmt: skip
        assert "dull" in strong or "boring" in strong
        longer = "a dull and boring film, but wonderful"
        await pilot.press("end", *longer[len(found.text) :])
        await until(pilot, lambda: app.is_explained and explained(app).text == longer)
        before, after = found.prediction.probabilities, explained(app).prediction.probabilities
        assert after["positive"] > before["positive"]


async def test_another_model_method_and_target_are_used() -> None:
    app = app_of("a dull and boring film", model="demo-decoder")
    async with app.run_test(size=(120, 34)) as pilot:
        await until(pilot, lambda: app.is_explained)
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        await pilot.press(*"sp-pi", "enter")
        await until(pilot, lambda: app.is_explained and explained(app).method == "sp-pi")
        await pilot.press("f4")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        await pilot.press(*"positive", "enter")
        await until(
            pilot,
            lambda: app.is_explained and explained(app).target.label == "positive",
        )
        assert explained(app).model == "demo-decoder"


async def test_a_masked_token_changes_the_prediction() -> None:
    app = app_of("a dull film")
    async with app.run_test(size=(120, 34)) as pilot:
        await until(pilot, lambda: app.is_explained)
        main_of(app).editor.go(3)
        await pilot.press("f8")
        await until(pilot, lambda: app.desk.without is not None)
        before = explained(app).prediction.probabilities["negative"]
        assert app.desk.without is not None
        assert app.desk.without.probabilities["negative"] < before


async def test_methods_are_compared() -> None:
    app = app_of("a dull film with a wonderful cast")
    async with app.run_test(size=(120, 34)) as pilot:
        await until(pilot, lambda: app.is_explained)
        await pilot.press("f7")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        await pilot.press(*"occlusion", "enter")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and len(app.screen.explanations) == 2)
        assert "occlusion" in str(app.screen.query_one("#contenders", Static).render())


async def test_records_of_a_file_are_coloured_each_for_itself(tmp_path: Path) -> None:
    file = tmp_path / "reviews.jsonl"
    file.write_text('{"text": "a dull film", "label": "negative"}\n{"text": "a wonderful film", "label": "positive"}\n')
    app = TuiApp(Kept(ground="dark"), file=file, depth="truecolor")
    async with app.run_test(size=(120, 34)) as pilot:
        await until(pilot, lambda: app.desk.document is not None and len(app.desk.document.records) == 2
                    and all(record.state == "final" for record in app.desk.document.records))  # fmt: skip
        await pilot.press("down", "end")
        found = main_of(app).here.explanation
        assert found is not None
        assert found.text == "a wonderful film"


async def test_a_model_that_is_not_there_says_what_to_do() -> None:
    app = app_of("a dull film", model="no-such-model")
    async with app.run_test(size=(120, 34)) as pilot:
        notice = main_of(app).query_one("#notice", Static)
        await until(pilot, lambda: "saliscope models" in str(notice.render()))


async def test_a_daemon_that_is_killed_while_typing_is_asked_again(home: dict[str, str]) -> None:
    app = app_of("a dull film")
    async with app.run_test(size=(120, 34)) as pilot:
        await until(pilot, lambda: app.is_explained)
        status = glance()
        assert status is not None
        os.kill(status["pid"], signal.SIGKILL)
        await pilot.press("end", *" and a boring one")
        assert app.screen.query_one(Editor).text == "a dull film and a boring one"
        await until(pilot, lambda: app.is_explained and main_of(app).here.explanation is not None
                    and explained(app).text == "a dull film and a boring one")  # fmt: skip
