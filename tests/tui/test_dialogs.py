"""Pickers, forms, the palette, help and log."""

from __future__ import annotations

from textual.command import CommandList
from textual.widgets import Input, OptionList, Static, Switch

from saliscope.render.palettes import PALETTES
from saliscope.tui.app import TuiApp
from saliscope.tui.picking import fits, method_choices, target_choices
from saliscope.tui.screens.form import ParameterForm
from saliscope.tui.screens.help import Help
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.screens.picker import Picker
from tests.tui.conftest import Make, session_of, until
from tests.tui.fake import DECODER, ENCODER, METHODS


async def pick(app: TuiApp, pilot: object, key: str) -> Picker:
    """Press a key that opens a picker."""
    await pilot.press(key)  # type: ignore[attr-defined]
    while not isinstance(app.screen, Picker):
        await pilot.pause()  # type: ignore[attr-defined]
    return app.screen


def rows(app: TuiApp) -> list[str]:
    return [str(option.prompt) for option in app.screen.query_one(OptionList).options]


async def test_the_picker_of_methods_has_what_fits_the_model(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pick(app, pilot, "f3")
        shown = "\n".join(rows(app))
        assert "occlusion" in shown
        assert "sp-pi" not in shown


async def test_typing_narrows_a_picker_down_and_enter_chooses(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pick(app, pilot, "f3")
        await pilot.press(*"occ", "enter")
        await pilot.pause()
        assert session_of(app).documents["text"].options["method"] == "occlusion"
        assert "occlusion" in str(app.screen.query_one("#chip-method", Static).render())


async def test_escape_leaves_everything_as_it_is(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pick(app, pilot, "f2")
        await pilot.press("escape")
        assert isinstance(app.screen, MainScreen)
        assert app.desk.choices.model is None


async def test_a_folder_can_be_typed_as_model(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pick(app, pilot, "f2")
        await pilot.press(*"./mine", "enter")
        await pilot.pause()
        assert app.desk.choices.model == "./mine"


async def test_another_model_forgets_the_method_of_the_old_one(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pick(app, pilot, "f3")
        await pilot.press(*"occ", "enter")
        await pick(app, pilot, "f2")
        await pilot.press(*"deco", "enter")
        await pilot.pause()
        assert (app.desk.choices.model, app.desk.choices.method) == ("demo-decoder", None)


async def test_a_target_is_a_label_or_what_is_typed(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pick(app, pilot, "f4")
        await pilot.press(*"nega", "enter")
        await pilot.pause()
        assert session_of(app).documents["text"].options["target"] == "negative"
        await pick(app, pilot, "f4")
        await pilot.press(*"contrast:positive vs negative", "enter")
        await pilot.pause()
        wanted = {"kind": "contrast", "label": "positive", "against": "negative"}
        assert session_of(app).documents["text"].options["target"] == wanted


async def test_a_target_that_cannot_be_read_is_refused_and_the_old_one_stays(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pick(app, pilot, "f4")
        await pilot.press(*"contrast:", "enter")
        await pilot.pause()
        assert app.desk.choices.target in (None, "contrast")


async def test_single_keys_open_pickers_outside_the_editor(make: Make) -> None:
    app = make("dull")
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.press("escape")
        await pick(app, pilot, "g")
        await pilot.press(*"word", "enter")
        await pilot.pause()
        assert session_of(app).documents["text"].options["granularity"] == "word"
        assert session_of(app).documents["text"].text == "dull"


async def test_a_click_on_a_chip_opens_its_picker(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.pause()
        await pilot.click("#chip-method")
        await until(pilot, lambda: isinstance(app.screen, Picker))


async def test_the_form_is_made_from_the_schema_and_sends_what_differs(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 40)) as pilot:
        await pick(app, pilot, "f3")
        await pilot.press(*"occ", "enter")
        await pilot.press("f6")
        while not isinstance(app.screen, ParameterForm):
            await pilot.pause()
        form = app.screen
        form.query_one("#field-window", Input).value = "3"
        form.query_one("#field-exact", Switch).value = True
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert session_of(app).documents["text"].options["params"] == {"window": 3, "exact": True}


async def test_the_form_says_what_a_parameter_takes(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 40)) as pilot:
        await pick(app, pilot, "f3")
        await pilot.press(*"occ", "enter")
        await pilot.press("f6")
        while not isinstance(app.screen, ParameterForm):
            await pilot.pause()
        notes = "\n".join(str(note.render()) for note in app.screen.query(Static))
        assert "Tokens at once. integer, 1 to 64" in notes
        app.screen.query_one("#field-window", Input).value = "many"
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert "expected integer" in str(app.screen.query_one("#wrong", Static).render())


async def test_help_has_every_key(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("f1")
        assert isinstance(app.screen, Help)
        await pilot.press("escape", "escape", "question_mark")
        assert isinstance(app.screen, Help)


async def test_the_log_has_no_word_of_the_text(make: Make) -> None:
    app = make("a secret wonderful text")
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(*"abc")
        session_of(app).lose()
        await pilot.press("f12")
        lines = [entry.line for entry in app.desk.diary]
        assert any(line.endswith("warning: lost") for line in lines)
        assert not any("secret" in line or "wonderful" in line for line in lines)


async def test_the_palette_finds_commands(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("ctrl+p")
        await pilot.press(*"colours")
        await until(pilot, lambda: app.screen.query_one(CommandList).option_count)
        while not isinstance(app.screen, Picker):
            await pilot.press("enter")
            await pilot.pause(0.1)
        await pilot.press(*"mono on light", "enter")
        await pilot.pause()
        assert app.inks.palette is PALETTES["mono"]
        assert app.theme == "saliscope-mono-light"


def test_methods_fit_by_needs_and_targets() -> None:
    assert {method.name for method in METHODS if fits(method, DECODER)} == {"input-x-gradient", "sp-pi"}
    assert [choice.value for choice in method_choices(METHODS, None)][1:] == [method.name for method in METHODS]


def test_a_model_with_labels_offers_them_and_one_without_the_next_token() -> None:
    assert "negative" in [choice.value for choice in target_choices(ENCODER)]
    assert "next-token" not in [choice.value for choice in target_choices(ENCODER)]
    assert "next-token" in [choice.value for choice in target_choices(None)]
