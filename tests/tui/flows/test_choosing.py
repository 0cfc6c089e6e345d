"""Pickers and the form: only what fits the model, and what was chosen is what the daemon then does."""

from __future__ import annotations

import pytest
from textual.widgets import Button, Input, OptionList, Select, Static

from saliscope.protocol.client import Client
from saliscope.protocol.explanation import Explanation
from saliscope.render.buckets import bucket, peak_of
from saliscope.render.palettes import BLUE_ORANGE
from saliscope.tui.app import TuiApp
from saliscope.tui.screens.form import ParameterForm
from saliscope.tui.screens.picker import Picker
from tests.tui.conftest import until
from tests.tui.flows.conftest import SIZE, app_of, explained, grounds, main_of, pick, ready, run_command, said

TEXT = "The plot is a mess. The cast is wonderful."


def options(app: TuiApp) -> list[str]:
    """The names in an open picker."""
    rows = app.screen.query_one(OptionList).options
    return [str(row.prompt).removeprefix("●").strip().split("  ")[0].strip() for row in rows]


def same(one: Explanation, other: Explanation) -> bool:
    """Whether two explanations say the same, whenever they were made."""
    facts = ("text", "model", "method", "target", "granularity", "features")
    return one.scores == pytest.approx(other.scores, abs=1e-5) and all(
        getattr(one, name) == getattr(other, name) for name in facts
    )


async def test_another_model_explains_with_a_method_of_its_own(client: Client) -> None:
    app = app_of(TEXT)
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot, model="demo-encoder")
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        assert {"demo-encoder", "demo-decoder"} <= set(options(app))
        await pilot.press(*"dmodec", "enter")
        found = await ready(app, pilot, model="demo-decoder")
        assert same(found, client.explain(TEXT, model="demo-decoder"))
        assert "demo-decoder" in said(app, "#chip-model")
        assert found.method in said(app, "#chip-method")


async def test_the_methods_of_the_picker_are_those_that_fit_the_model(client: Client) -> None:
    app = app_of(TEXT, model="demo-encoder")
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        has = next(set(one.capabilities) for one in client.models() if one.name == "demo-encoder")
        fit = [one.name for one in client.methods() if set(one.needs) <= has and "class" in one.targets]
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        assert options(app)[1:] == fit
        assert 10 < len(fit) < len(client.methods())
        # Letters need not stand together.
        await pilot.press(*"intgra")
        assert options(app)[0] == "integrated-gradients"
        await pilot.press("enter")
        found = await ready(app, pilot, method="integrated-gradients")
        assert same(found, client.explain(TEXT, model="demo-encoder", method="integrated-gradients"))


async def test_a_label_and_a_contrast_are_explained(client: Client) -> None:
    app = app_of(TEXT, model="demo-encoder", method="input-x-gradient")
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        for typed, target in (
            ("positive", {"kind": "class", "label": "positive"}),
            ("contrast:negative vs positive", {"kind": "contrast", "label": "negative", "against": "positive"}),
        ):
            await pick(app, pilot, "f4", typed)
            asked = client.explain(TEXT, model="demo-encoder", method="input-x-gradient", target=target)
            found = await ready(app, pilot, target=asked.target)
            assert same(found, asked)
        assert "for negative rather than" in said(app, "#legend")
        assert "negative" in said(app, "#chip-target")


async def test_pieces_are_words_or_sentences_and_the_colours_go_as_far(client: Client) -> None:
    app = app_of(TEXT, model="demo-encoder")
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        for granularity in ("word", "sentence"):
            await pick(app, pilot, "f5", granularity)
            found = await ready(app, pilot, granularity=granularity)
            assert same(found, client.explain(TEXT, model="demo-encoder", granularity=granularity))
        assert [one.text.strip() for one in found.features] == ["The plot is a mess.", "The cast is wonderful."]
        main_of(app).editor.go(0)
        await pilot.pause()
        number = bucket(found.scores[1], peak_of(found.scores))
        assert number
        last = found.features[1]
        assert grounds(main_of(app).editor, 0, last.start, last.end) == {BLUE_ORANGE.dark[number].ground}


async def test_a_layer_is_picked_from_those_that_the_model_has(client: Client) -> None:
    app = app_of(TEXT, model="demo-encoder", method="grad-x-activation")
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        layers = next(one.num_layers for one in client.models() if one.name == "demo-encoder")
        await until(pilot, lambda: "embeddings" in said(app, "#chip-layer"))
        await pilot.click("#chip-layer")
        await until(pilot, lambda: isinstance(app.screen, Picker))
        assert options(app)[1:] == ["embeddings", *(f"layer {layer}" for layer in range(1, layers + 1))]
        await pilot.press(*"layer 2", "enter")
        await until(pilot, lambda: app.is_explained and explained(app).outputs[0].layer == 2)
        asked = client.explain(TEXT, model="demo-encoder", method="grad-x-activation", params={"layer": 2})
        assert same(explained(app), asked)
        assert "layer 2" in said(app, "#chip-layer")
        # A method without layers has no such picker.
        await pick(app, pilot, "f3", "occlusion")
        await ready(app, pilot, method="occlusion")
        assert not app.screen.query_one("#chip-layer").region.area
        await run_command(app, pilot, "which layer")
        await until(pilot, lambda: any("reads no layer" in note.message for note in app._notifications))


async def test_the_form_sends_what_is_right_and_says_what_is_wrong(client: Client) -> None:
    app = app_of(TEXT, model="demo-encoder", method="occlusion")
    async with app.run_test(size=SIZE) as pilot:
        await ready(app, pilot)
        schema = next(one for one in client.methods() if one.name == "occlusion")

        async def form() -> ParameterForm:
            await pilot.press("f6")
            await until(pilot, lambda: isinstance(app.screen, ParameterForm))
            assert isinstance(app.screen, ParameterForm)
            return app.screen

        open_form = await form()
        entries = {str(entry.id).removeprefix("field-") for kind in (Input, Select) for entry in open_form.query(kind)}
        assert set(schema.defaults) >= entries > {"window"}
        open_form.query_one("#field-window", Input).value = "several"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "expected integer" in str(open_form.query_one("#wrong", Static).render()))
        open_form.query_one("#field-window", Input).value = "2"
        await pilot.press("ctrl+s")
        found = await ready(app, pilot, method="occlusion", params={**schema.defaults, "window": 2})
        assert same(found, client.explain(TEXT, model="demo-encoder", method="occlusion", params={"window": 2}))
        # What is of the right kind and out of range is refused by the daemon, which says what there is.
        open_form = await form()
        open_form.query_one("#field-window", Input).value = "-4"
        await pilot.press("ctrl+s")
        await until(pilot, lambda: not isinstance(app.screen, ParameterForm) and "window" in said(app, "#notice"))
        assert "✕" in said(app, "#state")
        open_form = await form()
        assert open_form.query_one("#field-window", Input).value == "-4"
        open_form.query_one("#defaults", Button).press()
        await ready(app, pilot, method="occlusion", params=schema.defaults)
        assert not app.screen.query_one("#notice").display
