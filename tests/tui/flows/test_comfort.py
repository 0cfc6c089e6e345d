"""What makes it a place to work in: commands, help, jumps, colours, exports, copies, state, log, narrow terminals."""

from __future__ import annotations

import html
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from textual.geometry import Offset
from textual.widgets import Input, OptionList, Static

from saliscope.protocol.client import Client
from saliscope.protocol.explanation import Explanation
from saliscope.render.ansi import paint
from saliscope.render.buckets import bucket, peak_of
from saliscope.render.explained import painting_of
from saliscope.render.palettes import PALETTES
from saliscope.tui import store
from saliscope.tui.app import TuiApp
from saliscope.tui.screens.export import ExportScreen
from saliscope.tui.screens.help import Help
from saliscope.tui.screens.jump import JumpScreen
from saliscope.tui.screens.log import LogScreen
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.screens.picker import Picker
from saliscope.tui.widgets.strongest import Strongest
from saliscope.tui.widgets.token import TokenDetail
from tests.tui.conftest import detail, until
from tests.tui.flows.conftest import SIZE, app_of, explained, grounds, main_of, notes, ready, run_command, said

TEXT = "The plot is a mess. The cast is wonderful."
#: What is of one run only.
OF_A_RUN = {"timing_ms": {}, "cached": False}


def told(found: Explanation) -> Explanation:
    """An explanation without what differs from run to run."""
    return msgspec.structs.replace(found, **OF_A_RUN)


async def test_exports_are_the_daemons_explanation(tmp_path: Path, client: Client) -> None:
    app = app_of(TEXT, model="demo-encoder", method="occlusion")
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot, method="occlusion")
        for down, suffix in enumerate((".svg", ".html", ".json", ".ansi", ".md")):
            await pilot.press("f9")
            await until(pilot, lambda: isinstance(app.screen, ExportScreen))
            await pilot.press(*["down"] * down)
            await until(pilot, lambda suffix=suffix: app.screen.query_one(Input).value == f"saliscope{suffix}")  # type: ignore[misc]
            await pilot.press("enter")
            await until(pilot, lambda suffix=suffix: (tmp_path / f"saliscope{suffix}").exists())  # type: ignore[misc]
        asked = client.explain(TEXT, model="demo-encoder", method="occlusion")
        kept = msgspec.json.decode((tmp_path / "saliscope.json").read_bytes(), type=Explanation)
        assert told(kept) == told(explained(app))
        assert kept.scores == pytest.approx(asked.scores, abs=1e-5)
        assert (kept.prediction, kept.features, kept.target) == (asked.prediction, asked.features, asked.target)
        picture = ElementTree.fromstring((tmp_path / "saliscope.svg").read_text())
        assert picture.tag.endswith("svg")
        assert "wonderful" in "".join(picture.itertext())
        page = (tmp_path / "saliscope.html").read_text()
        assert page.lstrip().startswith("<!doctype html>")
        assert "wonderful" in html.unescape(page)
        assert (tmp_path / "saliscope.ansi").read_text() == paint(painting_of(asked), app.inks.palette) + "\n"
        assert "| wonderful | " in (tmp_path / "saliscope.md").read_text()


async def test_a_file_that_cannot_be_written_is_told_of() -> None:
    app = app_of(TEXT)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(app.screen, ExportScreen))
        app.screen.query_one(Input).value = "no/such/folder/x.svg"
        await pilot.press("enter")
        await until(pilot, lambda: "cannot write" in notes(app))


async def test_copies_are_ansi_and_markdown(client: Client) -> None:
    app = app_of(TEXT, model="demo-encoder")
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        asked = client.explain(TEXT, model="demo-encoder")
        await run_command(app, pilot, "copy as ansi")
        await until(pilot, lambda: bool(app.clipboard))
        assert app.clipboard == paint(painting_of(asked), app.inks.palette) + "\n"
        await run_command(app, pilot, "copy as markdown")
        await until(pilot, lambda: "**" in app.clipboard or "~~" in app.clipboard)
        assert f"*demo-encoder · {asked.method} · {asked.prediction.label}*" in app.clipboard


async def test_jump_goes_to_the_token_whose_letter_is_typed() -> None:
    app = app_of(TEXT)
    async with app.run_test(size=SIZE) as pilot:
        found = await ready(app, pilot)
        peak = peak_of(found.scores)
        strong = sorted(one.start for one, score in zip(found.features, found.scores, strict=True)
                        if bucket(score, peak))  # fmt: skip
        editor = main_of(app).editor
        for at, start in enumerate(strong):
            await pilot.press("ctrl+o")
            await until(pilot, lambda: isinstance(app.screen, JumpScreen))
            labels = [label for label in app.screen.query(Static) if label.has_class("-narrow")]
            assert len(labels) == len(strong)
            # The letter stands on the first cell of its token.
            origin = editor.content_region.offset
            assert labels[at].region.offset == origin + Offset(start, 0)
            await pilot.press(str(labels[at].render()))
            await until(pilot, lambda: isinstance(app.screen, MainScreen))
            assert editor.offset_of_cursor == start
            await until(pilot, lambda start=start: found.features[app.desk.at(start).feature].text in detail(app))  # type: ignore[misc,index]
        assert editor.has_focus
        await pilot.press("ctrl+o", "s")
        await until(pilot, lambda: isinstance(app.focused, Strongest))
        await pilot.press("o", "m")
        await until(pilot, lambda: isinstance(app.screen, Picker))


async def test_another_theme_is_in_every_cell() -> None:
    app = app_of(TEXT)
    async with app.run_test(size=SIZE) as pilot:
        found = await ready(app, pilot)
        at = max(range(len(found.scores)), key=lambda at: abs(found.scores[at]))
        place, number = found.features[at], bucket(found.scores[at], peak_of(found.scores))
        for palette, ground in (("red-green", "light"), ("blue-orange", "light"), ("red-green", "dark")):
            await run_command(app, pilot, "colours")
            await until(pilot, lambda: isinstance(app.screen, Picker))
            await pilot.press(*f"{palette} on {ground}", "enter")
            await until(pilot, lambda: isinstance(app.screen, MainScreen))
            ink = PALETTES[palette].inks(ground)[number].ground  # type: ignore[arg-type]
            await until(pilot, lambda ink=ink: grounds(main_of(app).editor, 0, place.start, place.end) == {ink})  # type: ignore[misc]
            assert app.theme == f"saliscope-{palette}-{ground}"


async def test_the_session_is_there_the_next_time() -> None:
    app = app_of(TEXT)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        await pilot.press(*"occlusion", "enter")
        await pilot.press("end", *" And so on.")
        before = await ready(app, pilot, method="occlusion")
        main_of(app).editor.go(7)
        app.colour("saliscope-red-green-dark")
        await pilot.press("ctrl+q")
    again = TuiApp(store.load(), depth="truecolor")
    async with again.run_test(size=SIZE) as pilot:
        after = await ready(again, pilot, method="occlusion")
        assert (after.text, after.scores) == (f"{TEXT} And so on.", pytest.approx(before.scores, abs=1e-5))
        assert main_of(again).editor.offset_of_cursor == 7
        assert again.theme == "saliscope-red-green-dark"


async def test_help_log_and_the_state_of_the_daemon(client: Client) -> None:
    app = app_of(TEXT)
    async with app.run_test(size=SIZE) as pilot:
        found = await ready(app, pilot)
        await until(pilot, lambda: app.desk.status is not None and " MB" in said(app, "#state"))
        word, _, latency = said(app, "#state").partition("  ")
        assert word == "● ready"
        assert latency.startswith(f"{found.timing_ms['total']:.0f} ms  ")
        megabytes = float(latency.split()[2])
        assert megabytes == pytest.approx(sum(client.status().memory.values()) / 1e6, rel=0.5)
        await pilot.press("escape", "question_mark")
        await until(pilot, lambda: isinstance(app.screen, Help))
        await pilot.press("escape")
        await pilot.press("f12")
        await until(pilot, lambda: isinstance(app.screen, LogScreen))
        shown = "\n".join(str(option.prompt) for option in app.screen.query_one(OptionList).options)
        assert "connected" in shown
        assert not any(word in shown for word in ("plot", "mess", "cast", "wonderful"))


@pytest.mark.parametrize(("columns", "rows"), [(100, 30), (80, 24), (60, 20), (40, 12)])
async def test_a_narrow_terminal_has_what_matters_and_nothing_outside(columns: int, rows: int) -> None:
    app = app_of(TEXT * 3)
    async with app.run_test(size=(columns, rows)) as pilot:
        await ready(app, pilot)
        screen = app.screen.region
        for widget in app.screen.query("Editor, Legend, PredictionBars, TokenDetail, Strongest, KeyBar, TopBar"):
            assert screen.contains_region(widget.region), widget
        shown = [widget for widget in app.screen.query("Editor, PredictionBars") if widget.region.area]
        assert len(shown) == 2
        assert main_of(app).editor.size.height >= 3
        assert bool(app.screen.query_one(TokenDetail).region.area) == (columns >= 60)
        state = app.screen.query_one("#state")
        assert state.region.width >= len("● ready")
        assert screen.contains_region(state.region)
        # The whole of a dialog can be seen, with what it asks for.
        for key in ("f2", "f3", "f9", "f1", "f12"):
            await pilot.press(key)
            await until(pilot, lambda: app.screen is not main_of(app))
            await until(pilot, lambda: app.screen.query_one(".dialog").region.area > 0)
            assert screen.contains_region(app.screen.query_one(".dialog").region)
            for line in app.screen.query(Input):
                assert screen.contains_region(line.region)
            for hint in app.screen.query(".hint") if rows >= 20 else ():
                assert app.screen.query_one(".dialog").region.contains_region(hint.region), (key, columns)
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is main_of(app))
