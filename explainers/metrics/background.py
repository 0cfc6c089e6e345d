"""In how many texts of a background a type of token occurs."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saliscope.explainers.facts import ModelView
from saliscope.explainers.texts.features import build_features

FILE: Final = "document_frequencies.json"
_DEMO: Final = Path(__file__).parents[1] / "demo"


@dataclass(frozen=True, eq=False)
class Background:
    """`frequencies` of types over `total` texts; `name` says which texts."""

    name: str
    total: int
    frequencies: Mapping[str, int]

    def idf(self, kind: str) -> float:
        """ln((1 + total) / (1 + texts with it)) + 1; a type that was not seen is in no text."""
        return math.log((1 + self.total) / (1 + self.frequencies.get(kind, 0))) + 1


def type_of(text: str, merge: bool) -> str:
    """What counts as the same token: with `merge`, whatever differs in blanks around it and in case only."""
    return (text.strip().casefold() or text) if merge else text


def from_corpus(model: ModelView, texts: Iterable[str], granularity: str, merge: bool, name: str) -> Background:
    """Count types in texts of one's own, cut into features as the evaluation cuts them."""
    counts: Counter[str] = Counter()
    total = 0
    for text in texts:
        encoding, total = model.encode(text), total + 1
        if granularity == "token":
            tokens = [token for token in encoding.tokens if not token.special]
            kinds = ["".join(map(model.token_text, token.ids)) for token in tokens]
        else:
            kinds = [feature.text for feature in build_features(encoding, granularity)]
        counts.update({type_of(kind, merge) for kind in kinds})
    return Background(name, total, counts)


def shipped(model: ModelView, merge: bool) -> Background | None:
    """The table that comes with a bundled model's tokenizer, or None.

    Its counts are those of ids; a type made of several ids has the count of the commonest, a lower bound.
    """
    path = _DEMO / model.facts.name / FILE
    if model.facts.name not in ("demo-encoder", "demo-decoder") or not path.is_file():
        return None
    table = json.loads(path.read_text())
    if len(table["counts"]) != model.facts.vocab_size:
        return None
    frequencies: dict[str, int] = {}
    for token_id, count in enumerate(table["counts"]):
        if count:
            kind = type_of(model.token_text(token_id), merge)
            frequencies[kind] = max(count, frequencies.get(kind, 0))
    return Background(table["texts"], table["total"], frequencies)
