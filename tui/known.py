"""What several methods said of the same text, kept as it comes by: from choosing another method, and from comparing."""

from __future__ import annotations

from typing import Final, NamedTuple

from textual.cache import LRUCache

from saliscope.protocol.explanation import Explanation
from saliscope.render.buckets import peak_of

#: So many texts are remembered.
KEPT: Final = 64


class OtherScore(NamedTuple):
    """What another method says of a feature: its score, and the largest magnitude among that method's scores."""

    method: str
    score: float
    peak: float
    signed: bool


class Known:
    """Explanations by what they are of; only those of the same text, model, target and pieces stand beside another."""

    def __init__(self) -> None:
        self._found: LRUCache[tuple[object, ...], dict[str, Explanation]] = LRUCache(KEPT)

    def note(self, explanation: Explanation) -> None:
        """Remember an explanation; an estimate gives way to what is final, never the other way round."""
        key = _key(explanation)
        by_method = self._found.get(key)
        if by_method is None:
            by_method = self._found[key] = {}
        before = by_method.get(explanation.method)
        if before is None or before.estimate != "final" or explanation.estimate == "final":
            by_method[explanation.method] = explanation

    def others(self, explanation: Explanation, index: int) -> tuple[OtherScore, ...]:
        """What other methods say of feature number `index`, in the order in which they came."""
        feature = explanation.features[index]
        found = []
        for method, other in (self._found.get(_key(explanation)) or {}).items():
            places = [(one.start, one.end) for one in other.features]
            if method != explanation.method and (feature.start, feature.end) in places:
                score = other.scores[places.index((feature.start, feature.end))]
                found.append(OtherScore(method, score, peak_of(other.scores), other.signed))
        return tuple(found)


def _key(explanation: Explanation) -> tuple[object, ...]:
    target = explanation.target
    return (
        explanation.text, explanation.model, explanation.granularity, target.kind, target.label, target.against,
        tuple((one.name, one.start) for one in explanation.segments),
    )  # fmt: skip
