"""What is known of one token of an explanation."""

from __future__ import annotations

from typing import NamedTuple

from saliscope.protocol.explanation import Explanation


class TokenFacts(NamedTuple):
    """What is known of one feature: `share` of all magnitude, `rank` from 1 `of` how many, `pieces` with ids."""

    text: str
    score: float
    stderr: float | None
    share: float
    rank: int
    of: int
    pieces: tuple[tuple[str, tuple[int, ...]], ...]


def facts_of(explanation: Explanation, index: int) -> TokenFacts:
    """The facts of feature number `index`."""
    scores, feature = explanation.scores, explanation.features[index]
    total = sum(map(abs, scores))
    stderr = explanation.outputs[0].stderr if explanation.outputs else None
    pieces = [explanation.tokens[at] for at in feature.tokens]
    return TokenFacts(
        feature.text,
        scores[index],
        None if stderr is None else stderr[index],
        abs(scores[index]) / total if total else 0.0,
        1 + sum(abs(other) > abs(scores[index]) for other in scores),
        len(scores),
        tuple((piece.text, tuple(piece.ids)) for piece in pieces),
    )
