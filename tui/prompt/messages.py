"""The messages of a prompt or of a row, one below the other, in the colours of one explanation."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.containers import VerticalScroll
from textual.message import Message

from saliscope.protocol.explanation import Explanation
from saliscope.render.buckets import peak_of
from saliscope.render.painting import Mark, Painting
from saliscope.tui.inks import Inks
from saliscope.tui.prompt.message import MessageBox
from saliscope.tui.prompt.state import Prompt


class Messages(VerticalScroll, can_focus=False):
    """The boxes of the messages of a prompt; whatever is edited is edited in the prompt, and told.

    Without `roles_change` there are no other messages, and no other roles.
    """

    class Changed(Message):
        """The prompt is another."""

    def __init__(self, prompt: Prompt, inks: Inks, *, roles_change: bool = True, id: str | None = None) -> None:
        super().__init__(id=id)
        self._prompt, self._inks, self._roles_change = prompt, inks, roles_change
        self._at = len(prompt.messages) - 1

    async def build(self, focus: int) -> None:
        """Make the boxes anew: there are others, in another order, or with other roles."""
        await self.remove_children()
        has_roles = not self._prompt.is_plain
        boxes = [MessageBox(at, one.role if has_roles else "", one.content, self._inks)
                 for at, one in enumerate(self._prompt.messages)]  # fmt: skip
        await self.mount(*boxes)
        self._at = focus
        boxes[focus].area.focus()
        boxes[focus].scroll_visible(animate=False)

    @property
    def here(self) -> int:
        """The number of the message that the cursor is in, or was in last."""
        boxes = list(self.query(MessageBox))
        self._at = next((box.at for box in boxes if box.area.has_focus), self._at)
        return max(0, min(self._at, len(boxes) - 1))

    # -- editing ----------------------------------------------------------------------------------

    @on(MessageBox.Edited)
    def _edited(self, event: MessageBox.Edited) -> None:
        event.stop()
        self._prompt.messages[event.at].content = event.content
        self._prompt.changed()
        self.post_message(self.Changed())

    @on(MessageBox.Turned)
    async def _turned(self, event: MessageBox.Turned) -> None:
        event.stop()
        if self._roles_change:
            self._prompt.turn(event.at)
            await self.changed(event.at)

    async def add(self) -> None:
        """A new message behind this one."""
        await self.changed(self._prompt.add(self.here))

    async def remove_here(self) -> None:
        """Take this message out."""
        await self.changed(self._prompt.remove(self.here))

    async def move(self, by: int) -> None:
        """Let this message and its neighbour change places."""
        await self.changed(self._prompt.move(self.here, by))

    async def turn(self) -> None:
        """Give this message the next role."""
        at = self.here
        self._prompt.turn(at)
        await self.changed(at)

    async def changed(self, focus: int) -> None:
        """The messages of the prompt are others: show them, and tell."""
        await self.build(focus)
        self.post_message(self.Changed())

    # -- colours ----------------------------------------------------------------------------------

    def paint(self, explained: Explanation | None, places: Sequence[tuple[int, int]]) -> None:
        """Show what of an explanation lies in each message, `places` of its text, or no colours."""
        for box in self.query(MessageBox):
            is_there = explained is not None and box.at < len(places)
            box.area.paint(part_of(explained, *places[box.at]) if explained is not None and is_there else None)


def part_of(explained: Explanation, start: int, end: int) -> Painting:
    """Code points `start` to `end` of what is explained, in the colours of the whole."""
    marks = [Mark(feature.start - start, feature.end - start, score)
             for feature, score in zip(explained.features, explained.scores, strict=True)
             if feature.end > start and feature.start < end]  # fmt: skip
    return Painting(explained.text[start:end], marks, explained.signed, None, peak_of(explained.scores))
