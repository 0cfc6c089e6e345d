"""The line of keys at the bottom: those of the focus, as many as there is room for, and they can be clicked."""

from __future__ import annotations

import pytest

from saliscope.tui import keymap
from saliscope.tui.app import TuiApp
from saliscope.tui.screens.help import Help
from saliscope.tui.widgets.keybar import KeyBar
from tests.tui.conftest import Make, until


def line(app: TuiApp) -> str:
    return app.screen.query_one(KeyBar).render_line(0).text


def keys(app: TuiApp) -> list[str]:
    return [part.strip() for part in line(app).split("  ") if part.strip()]


async def test_it_has_the_keys_of_the_focus_and_those_of_the_app_last(make: Make) -> None:
    app = make()
    async with app.run_test(size=(140, 30)) as pilot:
        await until(pilot, lambda: "Esc Read" in line(app))
        assert line(app).split()[-4:] == ["Ctrl+q", "Quit", "Ctrl+p", "Commands"]
        await pilot.press("escape")
        await until(pilot, lambda: "Enter Write" in line(app))
        assert "Esc Read" not in line(app)


@pytest.mark.parametrize("width", [100, 60, 30])
async def test_what_does_not_fit_is_left_out_whole_but_not_the_last(make: Make, width: int) -> None:
    app = make()
    async with app.run_test(size=(140, 30)) as pilot:
        await until(pilot, lambda: "Esc Read" in line(app))
        wide = keys(app)
        await pilot.resize_terminal(width, 30)
        await until(pilot, lambda: len(line(app).rstrip()) <= width)
        narrow = keys(app)
        assert 1 < len(narrow) < len(wide)
        assert narrow == [*wide[: len(narrow) - 1], "Ctrl+p Commands"]


async def test_a_click_presses_the_key(make: Make) -> None:
    app = make()
    async with app.run_test(size=(140, 30)) as pilot:
        await until(pilot, lambda: "F1 Help" in line(app))
        await pilot.click(KeyBar, offset=(line(app).index("F1 Help") + 1, 0))
        await until(pilot, lambda: isinstance(app.screen, Help))


async def test_keys_of_ones_own_are_shown(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keymap, "load", lambda *_: keymap.Keymap({"mask": "ctrl+t"}, []))
    app = make()
    async with app.run_test(size=(160, 30)) as pilot:
        await until(pilot, lambda: "Ctrl+t Mask" in line(app))
        assert "F8" not in line(app)
