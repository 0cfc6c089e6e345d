"""One token, methods and models side by side, sentences, layers: the numbers on the screen are those of the daemon."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from saliscope.protocol.asked import mask_of
from saliscope.protocol.client import Client
from saliscope.protocol.explanation import Explanation
from saliscope.render.agreement import rank_agreement, top_overlap
from saliscope.render.buckets import bucket, peak_of
from saliscope.render.explained import by_span
from saliscope.render.palettes import BLUE_ORANGE
from saliscope.render.text import signed
from saliscope.tui.app import TuiApp
from saliscope.tui.screens.compare import CompareScreen
from saliscope.tui.screens.layers import LayersScreen
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.screens.picker import Picker
from tests.tui.conftest import detail, until
from tests.tui.flows.conftest import SIZE, app_of, inked, main_of, pick, ready, said

TEXT = "The plot is a mess. The cast is wonderful. It is never dull."


async def compared(app: TuiApp, pilot: Pilot[None], key: str, query: str) -> CompareScreen:
    """Press a key that adds a contender, choose it, and wait for it."""
    before = len(app.screen.explanations) if isinstance(app.screen, CompareScreen) else 1
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, Picker))
    await pilot.press(*query, "enter")
    await until(pilot, lambda: isinstance(app.screen, CompareScreen) and len(app.screen.explanations) == before + 1)
    assert isinstance(app.screen, CompareScreen)
    return app.screen


async def test_a_token_has_its_facts_and_what_other_methods_say_of_it(client: Client) -> None:
    app = app_of(TEXT, model="demo-encoder", method="mase", params={"samples": 60})
    async with app.run_test(size=SIZE) as pilot:
        found = await ready(app, pilot, estimate="final")
        main_of(app).editor.go(TEXT.index("wonderful"))
        await until(pilot, lambda: "wonderful" in detail(app))
        at = next(at for at, one in enumerate(found.features) if one.text == "wonderful")
        score, total, errors = found.scores[at], sum(map(abs, found.scores)), found.outputs[0].stderr
        rank = 1 + sum(abs(other) > abs(score) for other in found.scores)
        assert errors is not None
        shown = detail(app)
        assert f"{signed(score, peak_of(found.scores))} ± {signed(errors[at], peak_of(found.scores))[1:]}" in shown
        assert f"{rank} of {len(found.features)}" in shown
        assert f"{abs(score) / total:.1%}" in shown
        [piece] = [one for one in client.tokenize(TEXT, model="demo-encoder").tokens if one.text == "wonderful"]
        assert f"wonderful {','.join(map(str, piece.ids))}" in shown
        await pick(app, pilot, "f3", "occlusion")
        await ready(app, pilot, method="occlusion")
        await until(pilot, lambda: "mase" in detail(app))
        assert f" {signed(score, peak_of(found.scores))} " in detail(app)


async def test_strong_tokens_are_gone_through_and_masked(client: Client) -> None:
    app = app_of(TEXT, model="demo-encoder")
    async with app.run_test(size=SIZE) as pilot:
        found = await ready(app, pilot)
        peak = peak_of(found.scores)
        strong = [one for one, score in zip(found.features, found.scores, strict=True) if bucket(score, peak)]
        assert len(strong) > 2
        editor = main_of(app).editor
        editor.go(strong[0].start)
        await pilot.press("ctrl+down")
        assert editor.offset_of_cursor == strong[1].start
        await pilot.press("ctrl+up")
        assert editor.offset_of_cursor == strong[0].start
        await pilot.press("ctrl+up")
        assert editor.offset_of_cursor == strong[-1].start
        await pilot.press("f8")
        await until(pilot, lambda: app.desk.without is not None)
        mask = mask_of(found, [found.features.index(strong[-1])])
        [without] = client.predict([TEXT], model="demo-encoder", mask=mask).predictions
        label = found.prediction.label
        before, after = found.prediction.probabilities[label], without.probabilities[label]
        change = f"1 token: {label} {before:.1%} → {after:.1%} ({(after - before) * 100:+.1f})"
        await until(pilot, lambda: change in " ".join(detail(app).split()))
        assert f"{(after - before) * 100:+.1f}" in said(app, "#prediction")
        cells = [part.style for part in editor.render_line(0) if part.style and part.style.strike]
        assert cells


async def test_methods_and_models_are_held_against_each_other(client: Client) -> None:
    app = app_of(TEXT, model="demo-encoder", method="input-x-gradient")
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        await compared(app, pilot, "f7", "occlusion")
        await compared(app, pilot, "a", "integrated-gradients")
        screen = await compared(app, pilot, "M", "demo-decoder")
        asked = [client.explain(TEXT, model="demo-encoder", method=method)
                 for method in ("input-x-gradient", "occlusion", "integrated-gradients")]  # fmt: skip
        asked.append(client.explain(TEXT, model="demo-decoder"))
        for one, other in zip(screen.explanations, asked, strict=True):
            assert (one.model, one.method) == (other.model, other.method)
            assert one.scores == pytest.approx(other.scores, abs=1e-5)
        shown = said(app, "#contenders")
        for other in asked[1:]:
            first, second = by_span(asked[0]), by_span(other)
            rank = rank_agreement(first, second)
            assert rank is not None
            assert f"ρ {rank:+.2f}  top 5: {top_overlap(first, second, 5)} shared" in shown
        # Four is enough.
        await pilot.press("a")
        await pilot.pause()
        assert app.screen is screen
        assert "4 at most" in "".join(note.message for note in app._notifications)


async def test_sentences_support_or_oppose_in_words_and_colours(client: Client) -> None:
    app = app_of(TEXT, model="demo-encoder", method="input-x-gradient")
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        screen = await compared(app, pilot, "f7", "occlusion")
        await pilot.press("s")
        await until(pilot, lambda: [one.granularity for one in screen.explanations] == ["sentence", "sentence"])
        asked = [client.explain(TEXT, model="demo-encoder", method=method, granularity="sentence")
                 for method in ("input-x-gradient", "occlusion")]  # fmt: skip
        columns = [[str(cell) for cell in column.cells] for column in screen._table().columns]
        assert {cell.strip() for cell in columns[0]} == {one.text.strip() for one in asked[0].features}
        for column, one in zip(columns[1:], asked, strict=True):
            peak = peak_of(one.scores)
            words = ["supports" if score > 0 else "opposes" for score in one.scores if bucket(score, peak)]
            assert sorted(word for cell in column for word in cell.split()[1:]) == sorted(words)
        drawn = inked(screen.query_one("#contenders", Static))
        for score in asked[0].scores:
            number = bucket(score, peak_of(asked[0].scores))
            assert not number or BLUE_ORANGE.dark[number].ground in drawn


def numbers(screen: LayersScreen) -> dict[str, list[int]]:
    """The heat map by token."""
    lines = str(screen.heat()).splitlines()
    return {line[:16].strip(): [int(cell) for cell in line[16:].split()] for line in lines}


async def test_layers_are_those_of_the_daemon_and_one_of_them_is_taken(client: Client) -> None:
    text = "the cast is wonderful but a dull plot"
    app = app_of(text, model="demo-encoder")
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        await pilot.press("ctrl+l")
        await until(pilot, lambda: isinstance(app.screen, LayersScreen) and "wonderful" in said(app, "#heat"))
        screen = app.screen
        assert isinstance(screen, LayersScreen)
        shown = numbers(screen)
        head = str(screen.head()).splitlines()[-1].split()[1:]

        def column(layer: int) -> Explanation:
            return client.explain(text, model="demo-encoder", method="decoded-grad-cam", params={"layer": layer})

        assert len(head) > 2
        for at, layer in enumerate(map(int, head)):
            one = column(layer)
            peak = peak_of(one.scores) or 1.0
            for feature, score in zip(one.features, one.scores, strict=True):
                assert shown[feature.text][at] == pytest.approx(score / peak * 100, abs=0.6)
        await pilot.press("home", *["left"] * len(head), "right")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, MainScreen))
        found = await ready(app, pilot, method="decoded-grad-cam")
        await until(pilot, lambda: main_of(app).here.explanation.outputs[0].layer == int(head[1]))  # type: ignore[union-attr]
        found = await ready(app, pilot, method="decoded-grad-cam")
        assert found.scores == pytest.approx(column(int(head[1])).scores, abs=1e-5)
        await until(pilot, lambda: f"layer {head[1]}" in said(app, "#chip-layer"))
