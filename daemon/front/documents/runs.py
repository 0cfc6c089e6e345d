"""Edits that lie near each other, as one: what stands between them is then read once, and not once for each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from saliscope.protocol.edits import Edit


class Run(NamedTuple):
    """An edit that stands for one or several `parts`, the text before it, and the text that it makes."""

    edit: Edit
    before: str
    text: str
    parts: tuple[Edit, ...]

    def then(self, edit: Edit) -> Run:
        """The same and another edit, in the positions that this one leaves; what is before both stays, and behind."""
        start = min(self.edit.start, edit.start)
        tail = min(len(self.before) - self.edit.end, len(self.text) - edit.end)
        text = edit.applied(self.text)
        both = Edit(start, len(self.before) - tail, text[start : len(text) - tail])
        return Run(both, self.before, text, self.parts)

    @property
    def width(self) -> int:
        """The code points that it goes over, before or after."""
        return max(self.edit.end - self.edit.start, len(self.edit.text))


def runs(text: str, edits: Sequence[Edit], most: float) -> Iterator[Run]:
    """`edits`, each in the positions that those before it leave, in as few as go over at most `most` code points."""
    run: Run | None = None
    parts: list[Edit] = []
    for edit in edits:
        longer = None if run is None else run.then(edit)
        if run is not None and longer is not None and longer.width <= most:
            run = longer
            parts.append(edit)
            continue
        if run is not None:
            yield run._replace(parts=tuple(parts))
            text = run.text
        run, parts = Run(edit, text, edit.applied(text), ()), [edit]
    if run is not None:
        yield run._replace(parts=tuple(parts))


def moved(edits: Sequence[Edit], start: int, end: int) -> tuple[int, int] | None:
    """Where a span lies after edits, each in the positions that those before it leave; None if one changed it."""
    for edit in edits:
        if end <= edit.start:
            continue
        if start < edit.end:
            return None
        shift = edit.shift
        start, end = start + shift, end + shift
    return start, end
