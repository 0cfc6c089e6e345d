"""A prompt and what was written behind it; without widgets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, Final

from msgspec import Struct, field

from saliscope.protocol.explanation import Explanation
from saliscope.protocol.results import Generated

#: The roles that `role` goes through; chat templates know the first three.
ROLES: Final = ("system", "user", "assistant", "tool")


class Said(Struct):
    """One message; `source` is its number in a row of a file, where it is of one."""

    role: str = "user"
    content: str = ""
    source: int | None = None


class Prompt(Struct):
    """Messages, or with `is_plain` one text; `answer` is what was written behind it, `picked` which tokens of it.

    `explained` says what caused the picked tokens; all three go when the prompt is edited.
    """

    messages: list[Said] = field(default_factory=lambda: [Said()])
    is_plain: bool = False
    max_tokens: int = 64
    temperature: float = 0.0
    seed: int = 0
    answer: Generated | None = None
    picked: tuple[int, int] = (0, 0)
    explained: Explanation | None = None
    #: The model that was chosen for it, and whether it is as another session has left it.
    model: str | None = None
    is_kept: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing visible was written."""
        return not any(one.content.strip() for one in self.messages)

    @property
    def text(self) -> str:
        """The plain prompt."""
        return "\n".join(one.content for one in self.messages)

    def source(self) -> dict[str, Any]:
        """What is asked about, as clients take it."""
        if self.is_plain:
            return {"text": self.text}
        return {"messages": [{"role": one.role, "content": one.content} for one in self.messages]}

    def places(self) -> list[tuple[int, int]]:
        """Where each message lies in the text that is explained."""
        if not self.is_plain:
            return places(self.explained, len(self.messages))
        # Plain messages are one text, with line breaks between them.
        ends = list(accumulate((len(one.content) + 1 for one in self.messages), initial=0))
        return [(start, end - 1) for start, end in pairwise(ends)]

    def changed(self) -> None:
        """The prompt is another: nothing was written behind it."""
        self.answer, self.explained, self.picked = None, None, (0, 0)

    def add(self, at: int) -> int:
        """A new message behind another; the number of the new one. Roles take turns."""
        role = "assistant" if self.messages[at].role == "user" else "user"
        self.messages.insert(at + 1, Said(role))
        self.changed()
        return at + 1

    def remove(self, at: int) -> int:
        """Take a message out, never the last one; the number of the one to go to."""
        if len(self.messages) == 1:
            self.messages[0] = Said()
        else:
            del self.messages[at]
        self.changed()
        return min(at, len(self.messages) - 1)

    def move(self, at: int, by: int) -> int:
        """Let a message and its neighbour change places; where it is now."""
        to = at + by
        if 0 <= to < len(self.messages):
            self.messages[at], self.messages[to] = self.messages[to], self.messages[at]
            self.changed()
            return to
        return at

    def turn(self, at: int) -> None:
        """Give a message the next role."""
        role = self.messages[at].role
        self.messages[at].role = ROLES[(ROLES.index(role) + 1) % len(ROLES)] if role in ROLES else ROLES[0]
        self.changed()

    def take_in(self) -> None:
        """Make a message of what was written, and begin the next one."""
        if self.answer is None:
            return
        if self.is_plain:
            self.messages = [Said("user", self.text + self.answer.text)]
        else:
            self.messages += [Said("assistant", self.answer.text), Said("user")]
        self.changed()

    def target(self) -> Any:
        """The picked tokens of the answer as what is explained."""
        assert self.answer is not None
        return {"kind": "continuation", "ids": self._ids(), "part": list(self.picked)}

    def _ids(self) -> Sequence[int]:
        assert self.answer is not None
        return [token.id for token in self.answer.tokens]


def places(explained: Explanation | None, count: int) -> list[tuple[int, int]]:
    """Where each of so many texts lies in the text of an explanation; nowhere, without one."""
    if explained is None:
        return []
    if explained.segments:
        return [(one.start, one.end) for one in explained.segments][:count]
    return [(0, len(explained.text))]
