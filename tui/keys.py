"""The keys of the app as rows of a table, for the help and for `docs/tui.md`: `python -m saliscope.tui.keys`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from textual.binding import Binding, BindingType

NAMES = {
    "question_mark": "?", "right_square_bracket": "]", "left_square_bracket": "[", "escape": "Esc", "enter": "Enter",
    "down": "↓", "up": "↑", "left": "←", "right": "→", "slash": "/",
}  # fmt: skip


class Key(NamedTuple):
    """One command: the keys that always work, those that work outside the editor, its name and what it does."""

    always: str
    reading: str
    name: str
    what: str


def bind(keys: str, action: str, name: str, what: str, *, show: bool = True, display: str | None = None) -> Binding:
    """A command of the app: under its name in lower case, with hyphens, it can be given other keys."""
    id = name.lower().replace(" ", "-")
    return Binding(keys, action, name, show=show, key_display=display, tooltip=what, id=id)


def key_name(key: str) -> str:
    """A key as people read it."""
    *modifiers, last = key.split("+")
    name = NAMES.get(last, last.upper() if last[0] == "f" and last[1:].isdecimal() else last)
    return "+".join([*(modifier.capitalize() for modifier in modifiers), name])


def keys_of(bindings: Iterable[BindingType], own: Mapping[str, str] = MappingProxyType({})) -> list[Key]:
    """The rows of bindings that say what they do; `own` has the keys of those that were given others."""
    rows = []
    for binding in bindings:
        if not isinstance(binding, Binding) or not binding.tooltip:
            continue
        keys = own.get(binding.id or "", binding.key).split(",")
        plain = [key for key in keys if len(key) == 1 or key in ("question_mark", "right_square_bracket",
                                                                 "left_square_bracket")]  # fmt: skip
        always = [key for key in keys if key not in plain]
        rows.append(Key(
            ", ".join(map(key_name, always)), ", ".join(map(key_name, plain)), binding.description, binding.tooltip
        ))  # fmt: skip
    return rows


def table() -> str:
    """The keys of the app as a Markdown table."""
    from saliscope.tui.screens.main import MainScreen
    from saliscope.tui.widgets.editor import Editor
    from saliscope.tui.widgets.strongest import Strongest

    rows = keys_of([*MainScreen.BINDINGS, *Editor.BINDINGS, *Strongest.BINDINGS])
    lines = ["| everywhere | outside the editor | |", "| --- | --- | --- |"]
    for row in rows:
        cells = [" ".join(f"`{key}`" for key in keys.split(", ") if key) for keys in (row.always, row.reading)]
        lines.append(f"| {cells[0]} | {cells[1]} | **{row.name}**: {row.what[0].lower()}{row.what[1:]} |")
    return "\n".join(lines) + "\n"


def more_tables() -> str:
    """The keys of the table and of the prompt, each below its heading."""
    from saliscope.tui.data.table import RecordTable
    from saliscope.tui.prompt.answer import AnswerView
    from saliscope.tui.screens.data import DataScreen
    from saliscope.tui.screens.prompt import PromptScreen
    from saliscope.tui.screens.row import RowScreen

    parts = []
    rooms: list[tuple[str, list[BindingType]]] = [
        ("In the table", [*RecordTable.BINDINGS, *DataScreen.BINDINGS]),
        ("In a row with several texts", RowScreen.BINDINGS),
        ("In a prompt", [*PromptScreen.BINDINGS, *AnswerView.BINDINGS]),
    ]
    for title, bindings in rooms:
        lines = [f"### {title}", "", "| key | |", "| --- | --- |"]
        for row in keys_of(bindings):
            keys = " ".join(f"`{key}`" for key in f"{row.reading}, {row.always}".split(", ") if key)
            lines.append(f"| {keys} | **{row.name}**: {row.what[0].lower()}{row.what[1:]} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


BEGIN, END = "<!-- keys: made by `python -m saliscope.tui.keys`; a test compares -->\n", "<!-- end of keys -->\n"


def document(page: str) -> str:
    """A page with the table of keys between its two marks made anew."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError("the page has no marks for the table of keys")
    return f"{before}{BEGIN}\n{table()}\n{more_tables()}\n{END}{after}"


if __name__ == "__main__":
    from pathlib import Path

    path = Path(__file__).resolve().parents[1] / "docs" / "tui.md"
    path.write_text(document(path.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"wrote {path}")
