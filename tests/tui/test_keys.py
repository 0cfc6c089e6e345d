from __future__ import annotations

from collections import Counter
from pathlib import Path

from textual.binding import Binding

from saliscope.tui.keys import document, key_name, keys_of
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.widgets.editor import Editor
from saliscope.tui.widgets.strongest import Strongest

PAGE = Path(__file__).parents[2] / "docs" / "tui.md"


def test_the_page_has_the_keys_of_the_app() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == document(page), "run `python -m saliscope.tui.keys`"


def test_no_key_has_two_meanings_on_the_main_screen() -> None:
    bindings = [binding for binding in MainScreen.BINDINGS if isinstance(binding, Binding)]
    keys = Counter(key for binding in bindings for key in binding.key.split(","))
    assert not [key for key, count in keys.items() if count > 1]


def test_every_command_works_while_writing_and_says_what_it_does() -> None:
    for key in keys_of([*MainScreen.BINDINGS, *Editor.BINDINGS]):
        assert key.always
        assert key.what
    assert all(isinstance(binding, Binding) for binding in Strongest.BINDINGS)


def test_keys_are_named_as_people_read_them() -> None:
    assert key_name("f1") == "F1"
    assert key_name("ctrl+down") == "Ctrl+↓"
    assert key_name("right_square_bracket") == "]"
    assert key_name("x") == "x"
