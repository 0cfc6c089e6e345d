"""Keys of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding

from saliscope.tui import keymap
from saliscope.tui.keys import bind
from saliscope.tui.screens.form import ParameterForm
from saliscope.tui.screens.help import Help
from saliscope.tui.screens.main import MainScreen
from tests.tui.conftest import Make, until

COMMANDS = [bind("f3,m", "pick", "Method", "…"), bind("f8,x", "mask", "Mask", "…"), bind("f9", "go", "Next token", "…")]
OTHERS = [Binding("ctrl+z", "undo", "Undo")]


def test_a_command_takes_the_keys_that_it_is_given() -> None:
    found = keymap.read({"mask": "f11, ?", "next-token": "ctrl+shift+left"}, COMMANDS, OTHERS)
    assert found == keymap.Keymap({"mask": "f11,question_mark", "next-token": "ctrl+shift+left"}, [])


def test_two_commands_can_change_places() -> None:
    found = keymap.read({"mask": "f3", "method": "f8"}, COMMANDS, OTHERS)
    assert found == keymap.Keymap({"mask": "f3", "method": "f8"}, [])


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"maks": "f8"}, "no command 'maks'; did you mean mask?"),
        ({"zoom": "f8"}, "there are method, mask, next-token"),
        ({"mask": 8}, "expected its keys as a string"),
        ({"mask": " "}, "expected its keys as a string"),
        ({"mask": "ctrl-x"}, "'ctrl-x' is no key; keys are written f8, x, ctrl+t"),
        ({"mask": "f3"}, "f3 belongs to 'Method'; free are f1, f2, f4, f5"),
        ({"mask": "ctrl+z"}, "ctrl+z belongs to 'Undo'"),
    ],
)
def test_what_cannot_be_is_told_with_what_would_work(wanted: dict[str, Any], said: str) -> None:
    found = keymap.read(wanted, COMMANDS, OTHERS)
    assert found.keys == {}
    assert len(found.problems) == 1
    assert said in found.problems[0]


def test_one_bad_line_leaves_the_others() -> None:
    found = keymap.read({"mask": "f3", "next-token": "f11"}, COMMANDS, OTHERS)
    assert found.keys == {"next-token": "f11"}


@pytest.mark.parametrize(
    ("text", "said"),
    [("[keys", "is not TOML"), ("keys = 3", "expected a table"), ("[colours]\n", "'colours' is not known here")],
)
def test_a_file_that_cannot_be_used_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, said: str
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert keymap.load(COMMANDS, OTHERS) == keymap.Keymap({}, [])
    keymap.path().parent.mkdir()
    keymap.path().write_text(text)
    assert said in keymap.load(COMMANDS, OTHERS).problems[0]


def test_every_command_of_the_main_screen_has_a_name_of_its_own() -> None:
    ids = [one.id for one in MainScreen.BINDINGS if isinstance(one, Binding)]
    assert None not in ids
    assert len(set(ids)) == len(ids)


async def test_the_app_uses_them_and_tells_of_the_others(make: Make) -> None:
    keymap.path().parent.mkdir(parents=True)
    keymap.path().write_text('[keys]\nparameters = "f11"\nmask = "f2"\n')
    app = make()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert ["f2 belongs to 'Model'" in note.message for note in app._notifications] == [True]
        await pilot.press("f11")
        await until(pilot, lambda: isinstance(app.screen, ParameterForm))
        await pilot.press("escape", "f6")
        await pilot.pause()
        assert isinstance(app.screen, MainScreen)
        await pilot.press("f1")
        await pilot.pause()
        assert isinstance(app.screen, Help)
        row = next(key for key in app.screen._keys if key.name == "Parameters")
        assert (row.always, row.reading) == ("F11", "")
