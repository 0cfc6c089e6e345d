"""The editor: what is drawn is what the daemon says, of any text; and what an edit, or another editor, does to it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from textual import events

from saliscope.protocol.client import Client
from saliscope.render.buckets import bucket, peak_of
from saliscope.render.palettes import BLUE_ORANGE
from saliscope.tui.app import TuiApp
from saliscope.tui.inks import STALE, mixed
from saliscope.tui.screens.picker import Picker
from saliscope.tui.widgets.legend import Legend
from saliscope.tui.widgets.prediction import PredictionBars
from tests.tui.conftest import until
from tests.tui.flows.conftest import SIZE, app_of, explained, grounds, main_of, ready, run_command, said

DULL = "a dull, boring film"
INKS = {number: ink.ground for number, ink in BLUE_ORANGE.dark.items() if number}


@pytest.mark.parametrize(
    "text",
    [
        "👍🏽 a dull 素晴らしい film, e\u0301t wonderful 👩‍👩‍👧 cafe\u0301",
        "ＷＩＤＥ dull\twonderful 日本 n\u0303 — “boring”",
    ],
    ids=["emoji", "wide"],
)
async def test_each_cell_has_the_colour_of_its_score_whatever_stands_before_it(text: str, client: Client) -> None:
    app = app_of()
    async with app.run_test(size=SIZE) as pilot:
        app.post_message(events.Paste(text))
        found = await ready(app, pilot)
        editor, peak = main_of(app).editor, peak_of(found.scores)
        assert editor.text == text
        asked = client.explain(text, model=found.model, method=found.method)
        assert found.scores == pytest.approx(asked.scores, abs=1e-5)
        # The token at the cursor is drawn in its own way.
        editor.go(0)
        await pilot.pause()
        own = main_of(app).here.feature
        buckets = [0 if at == own else bucket(score, peak) for at, score in enumerate(found.scores)]
        assert any(buckets)
        for number, feature in zip(buckets, found.features, strict=True):
            if number:
                assert grounds(editor, 0, feature.start, feature.end) == {INKS[number]}


async def test_the_bars_are_the_probabilities_of_the_prediction(client: Client) -> None:
    app = app_of(DULL)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        [prediction] = client.predict([DULL]).predictions
        lines = str(app.screen.query_one(PredictionBars).render()).splitlines()
        shown = {line.split()[0]: float(line.split()[1].rstrip("%")) for line in lines}
        assert shown == {label: pytest.approx(share * 100, abs=0.06)
                         for label, share in prediction.probabilities.items()}  # fmt: skip
        drawn = {line.split()[0]: line.count("█") for line in lines}
        assert drawn["negative"] > drawn["positive"]


async def test_an_estimate_comes_first_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    marks: list[str] = []
    show = Legend.show

    def heard(legend: Legend, explanation: Any, mark: str = "") -> None:
        if not marks or marks[-1] != mark:
            marks.append(mark)
        show(legend, explanation, mark)

    monkeypatch.setattr(Legend, "show", heard)
    app = app_of("an estimate of this dull film is there before its scores are", method="mase", params={"samples": 100})
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot, method="mase", estimate="final")
        await until(pilot, lambda: marks[-1] == "● final")
        assert "◑ estimate, better follows" in marks
        assert "● final" in said(app, "#legend")


async def test_colours_are_dim_until_the_new_ones_come(stopped: Any) -> None:
    app = app_of(DULL)
    async with app.run_test(size=SIZE) as pilot:
        found = await ready(app, pilot)
        editor = main_of(app).editor
        strongest = max(found.features, key=lambda one: abs(found.scores[found.features.index(one)]))
        fresh = grounds(editor, 0, strongest.start, strongest.end)
        with stopped():
            await pilot.press("end", *", alas")
            assert editor.text == f"{DULL}, alas"
            dimmed = {mixed(ground, "#10151c", STALE) for ground in fresh}
            await until(pilot, lambda: grounds(editor, 0, strongest.start, strongest.end) == dimmed)
            assert "◔ explaining" in said(app, "#state")
            assert "◔ changing" in said(app, "#legend")
            # The keys are heard while the model is held up.
            await pilot.press("!")
            assert editor.text == f"{DULL}, alas!"
        await ready(app, pilot)
        assert grounds(editor, 0, strongest.start, strongest.end) != dimmed
        assert "● ready" in said(app, "#state")


async def test_what_is_undone_and_redone_is_explained_again() -> None:
    app = app_of(DULL)
    async with app.run_test(size=SIZE) as pilot:
        before = await ready(app, pilot)
        await pilot.press("end", "!")
        after = await ready(app, pilot)
        assert after.text == f"{DULL}!"
        await pilot.press("ctrl+z")
        assert (await ready(app, pilot)).scores == pytest.approx(before.scores, abs=1e-5)
        await pilot.press("ctrl+y")
        assert (await ready(app, pilot)).text == f"{DULL}!"


async def test_what_an_external_editor_makes_of_it_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\nsed -i s/dull/wonderful/ "$1"\n')
    script.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(script))
    monkeypatch.setattr(TuiApp, "suspend", lambda self: contextlib.nullcontext())
    app = app_of(DULL)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        await pilot.press("f10")
        found = await ready(app, pilot)
        assert found.text == "a wonderful, boring film"
        assert found.prediction == client.explain(found.text).prediction


async def test_a_long_line_is_wrapped_and_coloured_to_its_end() -> None:
    text = "a dull film, " * 30 + "but a wonderful cast"
    app = app_of(text)
    async with app.run_test(size=(100, 30)) as pilot:
        await ready(app, pilot)
        editor = main_of(app).editor
        rows = range(editor.wrapped_document.height)
        assert len(rows) > 3

        def coloured() -> str:
            return "".join(
                segment.text for row in rows for segment in editor.render_line(row)
                if segment.style and segment.style.bgcolor and segment.style.bgcolor.triplet
                and segment.style.bgcolor.triplet.hex in INKS.values()
            )  # fmt: skip

        assert coloured().count("dull") + coloured().count("wonderful") >= 1
        start = text.index("wonderful")
        here = app.desk.at(start)
        assert here.feature is not None
        assert explained(app).features[here.feature].text == "wonderful"


async def test_records_of_lines_are_cut_where_the_picker_says() -> None:
    app = app_of("a dull film\na wonderful cast")
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        await run_command(app, pilot, "format")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        await pilot.press(*"lines", "enter")
        document = app.desk.document
        assert document is not None

        def texts() -> list[str]:
            return [one.explanation.text for one in document.records if one.explanation and one.state == "final"]

        await until(pilot, lambda: texts() == ["a dull film", "a wonderful cast"])
        said_of = [one.explanation.prediction.label for one in document.records if one.explanation]
        assert said_of == ["negative", "positive"]
