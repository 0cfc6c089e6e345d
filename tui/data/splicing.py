"""A text that is written in units, one a character, changed where it is another and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from saliscope.tui.places import edit_between


def spliced(units: Sequence[str], old: str, new: str, encode: Callable[[str], str]) -> str:
    """The units of a text with those replaced that are others in the new text."""
    edit = edit_between(old, new)
    if edit is None or len(units) != len(old):
        return "".join(units) if edit is None else encode(new)
    return "".join(units[: edit.start]) + encode(edit.text) + "".join(units[edit.end :])
