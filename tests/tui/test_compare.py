from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.explanation import Explanation, Output
from saliscope.render.agreement import rank_agreement, top_overlap
from saliscope.render.text import signed
from saliscope.tui.app import TuiApp
from saliscope.tui.contest import rows, verdict
from saliscope.tui.screens.compare import CompareScreen
from saliscope.tui.screens.layers import LayersScreen
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.screens.picker import Picker
from saliscope.tui.widgets.editor import Editor
from tests.tui.conftest import TEXT, Make, detail, session_of, until
from tests.tui.fake import explanation


async def compare(app: TuiApp, pilot: Pilot[None], query: str) -> CompareScreen:
    """Open the comparison and add the method that a query finds."""
    await pilot.press("f7")
    await add(app, pilot, query)
    assert isinstance(app.screen, CompareScreen)
    return app.screen


async def add(app: TuiApp, pilot: Pilot[None], query: str) -> None:
    """Choose what a query finds in the picker that opens, and wait until it is asked."""
    await until(pilot, lambda: isinstance(app.screen, Picker))
    await pilot.press(*query, "enter")
    await until(pilot, lambda: isinstance(app.screen, CompareScreen) and "asking" not in text_of(app))


def text_of(app: TuiApp) -> str:
    return str(app.screen.query_one("#contenders", Static).render())


async def test_two_methods_stand_side_by_side_with_their_agreement(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 50)) as pilot:
        await pilot.pause()
        await compare(app, pilot, "occ")
        shown = text_of(app)
        assert "demo-encoder · input-x-gradient" in shown
        assert "demo-encoder · occlusion" in shown
        assert "top 5:" in shown
        assert shown.count(TEXT) == 2


async def test_more_are_added_up_to_four_and_removed(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 50)) as pilot:
        await pilot.pause()
        screen = await compare(app, pilot, "occ")
        await pilot.press("a")
        await add(app, pilot, "attention")
        assert len(screen.explanations) == 3
        await pilot.press("d")
        assert len(screen.explanations) == 2
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, MainScreen)


async def test_another_model_can_be_compared(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 50)) as pilot:
        await pilot.pause()
        await compare(app, pilot, "occ")
        await pilot.press("M")
        await add(app, pilot, "decoder")
        assert "demo-decoder" in text_of(app)
        explained = [options for call, _, options in session_of(app).fake.calls if call == "explain"]
        assert explained[-1]["model"] == "demo-decoder"


async def test_sentences_support_or_oppose_and_one_key_goes_back(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 50)) as pilot:
        await pilot.pause()
        screen = await compare(app, pilot, "occ")
        await pilot.press("s")
        await until(pilot, lambda: "asking" not in text_of(app))
        asked = [options for call, _, options in session_of(app).fake.calls if call == "explain"]
        assert [options["granularity"] for options in asked[-2:]] == ["sentence", "sentence"]
        assert [one.granularity for one in screen.explanations] == ["sentence", "sentence"]
        own = next(one for one in screen.explanations if one.method == "input-x-gradient")
        assert [score > 0 for score in own.scores] == [False, True]
        cells = [str(cell) for column in screen._table().columns for cell in column.cells]
        assert any("supports" in cell for cell in cells)
        assert any("opposes" in cell for cell in cells)
        await pilot.press("s")
        await pilot.pause()
        assert {one.granularity for one in screen.explanations} == {"token"}


async def test_the_token_panel_has_what_other_methods_say_of_the_token(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 50)) as pilot:
        await pilot.pause()
        app.screen.query_one(Editor).go(TEXT.index("wonderful"))
        await compare(app, pilot, "occ")
        await pilot.press("escape")
        await pilot.pause()
        await pilot.pause()
        here = app.main.here
        assert here.explanation is not None
        assert here.feature is not None
        found = app.desk.known.others(here.explanation, here.feature)
        assert [one.method for one in found] == ["occlusion"]
        assert "occlusion" in detail(app)
        assert signed(found[0].score, found[0].peak) in detail(app)


async def test_a_method_that_fails_says_why_beside_the_others(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 50)) as pilot:
        await pilot.pause()
        await compare(app, pilot, "occ")
        session_of(app).fake.failure = SaliscopeError("not_capable", "it has no attention maps")
        await pilot.press("a")
        await add(app, pilot, "attention")
        assert "it has no attention maps" in text_of(app)
        assert "occlusion" in text_of(app)


def test_the_verdict_is_rank_correlation_and_shared_top() -> None:
    one = explanation(TEXT)
    other = explanation(TEXT, scores=[-score for score in one.scores])
    found = verdict(one, other)
    assert found.rank == pytest.approx(-1.0)
    assert (found.shared, found.of) == (5, 5)


def test_the_table_has_the_tokens_that_matter_most_first() -> None:
    found = rows([explanation(TEXT), explanation(TEXT, method="occlusion")], 3)
    assert found[0].text == "wonderful"
    assert len(found) == 3


def test_agreement_needs_three_shared_spans_and_some_order() -> None:
    spans = [(0, 1), (1, 2), (2, 3)]
    one = dict(zip(spans, (1.0, 2.0, 3.0), strict=True))
    assert rank_agreement(one, {spans[0]: 1.0}) is None
    assert rank_agreement(one, dict.fromkeys(spans, 1.0)) is None
    assert rank_agreement(one, dict(zip(spans, (1.0, 3.0, 2.0), strict=True))) == pytest.approx(0.5)
    assert top_overlap(one, {spans[0]: 9.0, spans[1]: 1.0, spans[2]: 2.0}, 1) == 0


async def test_layers_are_a_heat_map_from_which_one_is_chosen(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        found = explanation(TEXT, method="decoded-grad-cam")
        found.outputs = [Output(found.target, found.scores, layer=layer) for layer in (3, 0, 1, 2, 3)]

        async def explain(text: str, **options: object) -> Explanation:
            assert options["params"] == {"layers": "all"}
            return found

        monkeypatch.setattr(session_of(app).fake, "explain", explain)
        await pilot.press("ctrl+l")
        while not (isinstance(app.screen, LayersScreen) and "wonderful" in str(app.screen.heat())):
            await pilot.pause()
        assert "  0   1   2   3" in str(app.screen.head())
        await pilot.press("left", "enter")
        while not isinstance(app.screen, MainScreen):
            await pilot.pause()
        await pilot.pause()
        assert app.desk.choices.method == "decoded-grad-cam"
        assert app.desk.choices.params == {"layer": 2}
