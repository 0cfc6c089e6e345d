"""What an explanation is of, to ask about the same again, or about the same with something hidden."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, get_args

from saliscope.protocol.explanation import Explanation, Feature
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


def mask_of(explanation: Explanation, features: Iterable[int]) -> Mask:
    """Hides features of its text as its own method hides them; as most do where it hides none.

    A blank that is a token of its own lies outside the span of its word; it is hidden with it, as the method does.
    """
    kinds: dict[str, MaskKind] = {kind: kind for kind in get_args(MaskKind)}
    spans = [span for index in features for span in _spans(explanation, explanation.features[index])]
    return Mask(spans, kinds.get(str(explanation.params.get("mask")), "replace"))


def _spans(explanation: Explanation, feature: Feature) -> list[Span]:
    """Where the tokens of a feature stand; its own place where none of them has one."""
    tokens = [explanation.tokens[at] for at in feature.tokens]
    return [(one.start, one.end) for one in tokens if one.start < one.end] or [(feature.start, feature.end)]
