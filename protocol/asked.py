"""What an explanation is of, to ask about the same again, or about the same with something hidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, get_args

from saliscope.protocol.explanation import Explanation
from saliscope.protocol.parameters import Mask
from saliscope.protocol.terms import MaskKind

Span = tuple[int, int]


class Source(NamedTuple):
    """A text, with its `pair` if there are two; or the `messages` of a chat and no text."""

    text: str | None = None
    pair: str | None = None
    messages: list[dict[str, str]] | None = None


def source_of(explanation: Explanation) -> Source:
    """What was asked about, as `explain` and `predict` take it."""
    parts = [(one.name, explanation.text[one.start : one.end]) for one in explanation.segments]
    if not parts:
        return Source(explanation.text)
    if [name for name, _ in parts] == ["text", "pair"]:
        return Source(parts[0][1], parts[1][1])
    return Source(messages=[{"role": name, "content": text} for name, text in parts])


def mask_of(explanation: Explanation, spans: Sequence[Span]) -> Mask:
    """Hides spans of its text as its own method hides features; as most do where it hides none."""
    kinds: dict[str, MaskKind] = {kind: kind for kind in get_args(MaskKind)}
    return Mask(list(spans), kinds.get(str(explanation.params.get("mask")), "replace"))
