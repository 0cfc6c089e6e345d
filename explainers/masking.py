"""A text with stretches of it hidden: spans that a person names, hidden as methods hide features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from saliscope.explainers.errors import BadRequest, NotCapable
from saliscope.explainers.facts import CAPABILITIES, Capability, ModelFacts
from saliscope.explainers.texts.encoding import Encoding, Span, Token
from saliscope.explainers.variants import Hiding, Masked

#: What a model must have for each way of hiding.
NEEDS: Final[dict[Hiding, Capability]] = {"replace": "mask", "drop": "drop", "attention": "unseen"}


def check_hiding(facts: ModelFacts, num_tokens: int, hiding: Hiding, path: str) -> None:
    """Whether a model can have some of `num_tokens` tokens hidden so; `NotCapable` names `path` and what works."""
    lacks = NEEDS[hiding]
    if lacks not in facts.capabilities:
        others = [other for other, need in NEEDS.items() if need in facts.capabilities]
        instead = f"; use {' or '.join(others)}" if others else ""
        raise NotCapable(f"{path}: {hiding} needs {CAPABILITIES[lacks]}, which {facts.name} lacks{instead}")
    if hiding == "drop" and facts.window is not None and num_tokens > facts.window:
        raise NotCapable(
            f"{path}: layers of {facts.name} look {facts.window} tokens far by count and the text has"
            f" {num_tokens}, so drop would move tokens together; use attention or replace"
        )


def covered(encoding: Encoding, spans: Sequence[Span], path: str) -> tuple[Token, ...]:
    """The tokens that reach into a span, in order; a span that hides nothing is `BadRequest` with its path."""
    own = [token for token in encoding.tokens if not token.special]
    found: dict[int, Token] = {}
    for number, (start, end) in enumerate(spans):
        inside = {at: token for at, token in enumerate(own) if token.start < end and token.end > start}
        if start >= end or end > len(encoding.text) or not inside:
            place, reason = f"{path}.spans[{number}]", _reason(encoding, start, end)
            raise BadRequest(f"{place}: {reason}", path=f"$.{place}", reason=reason)
        found |= inside
    return tuple(found[at] for at in sorted(found))


def _reason(encoding: Encoding, start: int, end: int) -> str:
    """Why no token can be hidden at a span."""
    if start >= end:
        return f"it is empty ({start} to {end}); the end is the character behind the last one"
    if end > len(encoding.text):
        return f"it ends at {end}, and the text has {len(encoding.text)} characters"
    if encoding.truncated_at is not None and start >= encoding.truncated_at:
        return f"the model reads the text up to character {encoding.truncated_at}"
    return f"no token lies there ({start} to {end})"


def without(facts: ModelFacts, encoding: Encoding, tokens: Sequence[Token], hiding: Hiding, path: str) -> Masked | None:
    """One row with these tokens hidden together; None, the text itself, where there are none."""
    check_hiding(facts, len(encoding), hiding, f"{path}.kind")
    if not tokens:
        return None
    positions = tuple(position for token in tokens for position in token.positions)
    return Masked(np.zeros((1, 1), dtype=np.bool_), (positions,), hiding)
