"""`token-overlap`: which types of token speak for each class over all texts, and how much the classes share them.

Hou & Castanon, "Decoding Layer Saliency in Language Transformers", ICML 2023 (arXiv 2308.05219).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np

from saliscope.explainers.metrics.background import Background, type_of
from saliscope.explainers.metrics.registry import Measured, Measuring, Metric
from saliscope.explainers.metrics.subject import Scores, Subject

CLOUD: Final = 50


class OverlapParams(msgspec.Struct):
    """How scores of texts are added up, and how many types of each class are compared."""

    top: Annotated[int, msgspec.Meta(ge=1, le=100_000, description="types of each class")] = 100
    normalise: Annotated[
        Literal["l1", "none"], msgspec.Meta(description="l1: every text weighs 1; none: scores are added as they are")
    ] = "l1"
    merge: Annotated[
        bool, msgspec.Meta(description="count a token with and without a leading blank or capital as one type")
    ] = True


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much classes share their top types.

    `curve [k]` is the mean share of the top k that two classes have in common, `pairs` the counts at the last k by the
    classes' names, `tops` the weighted types of each class, and `clouds` the first 50 with sizes in proportion.
    """

    curve: tuple[float, ...]
    pairs: Mapping[tuple[str, str], int]
    tops: Mapping[str, tuple[tuple[str, float], ...]]
    clouds: Mapping[str, tuple[tuple[str, float], ...]]

    @property
    def value(self) -> float | None:
        """The mean share over all k; None with fewer than two classes."""
        return float(np.mean(self.curve)) if self.curve else None

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            "curve": list(self.curve),
            "pairs": [{"classes": list(pair), "shared": count} for pair, count in self.pairs.items()],
            "tops": {name: [list(row) for row in rows] for name, rows in self.tops.items()},
            "clouds": {
                name: [{"text": text, "size": size} for text, size in rows] for name, rows in self.clouds.items()
            },
        }


def _bag(subject: Subject, scores: Scores, params: OverlapParams) -> Measuring:
    """The scores of one text by type; special tokens have no feature and so no part."""
    yield from ()
    size = float(np.abs(scores.values).sum()) if params.normalise == "l1" else 1.0
    bag: dict[str, float] = {}
    for feature, score in zip(subject.features, scores.values, strict=True):
        ids = [int(subject.encoding.ids[position]) for position in feature.positions]
        is_token = subject.granularity == "token"
        text = "".join(map(subject.model.token_text, ids)) if is_token else feature.text
        kind = type_of(text, params.merge)
        bag[kind] = bag.get(kind, 0.0) + (float(score) / size if size > 0 else 0.0)
    return Measured(bag=bag)


def overlap(bags: Sequence[tuple[str, Mapping[str, float]]], background: Background, params: OverlapParams) -> Overlap:
    """Add up the bags of each class, weigh types by their rarity and compare the classes' top types.

    `bags` are pairs of a class and a text's scores by type. Types with nothing or less in favour of a class are none
    of its top ones. `curve` goes to the least number of types that a class has, at most `params.top`.
    """
    sums: dict[str, dict[str, float]] = {}
    for name, bag in bags:
        found = sums.setdefault(name, {})
        for kind, score in bag.items():
            found[kind] = found.get(kind, 0.0) + score
    tops = {
        name: tuple(
            sorted(
                ((kind, float(score * background.idf(kind))) for kind, score in found.items() if score > 0),
                key=lambda row: (-row[1], row[0]),
            )[: max(params.top, CLOUD)]
        )
        for name, found in sorted(sums.items())
    }
    deep = min([params.top, *(len(rows) for rows in tops.values())]) if len(tops) > 1 else 0
    couples = list(combinations(tops, 2))
    sets = {name: [{kind for kind, _ in rows[:k]} for k in range(1, deep + 1)] for name, rows in tops.items()}
    curve = tuple(float(np.mean([len(sets[a][k] & sets[b][k]) / (k + 1) for a, b in couples])) for k in range(deep))
    pairs = {(a, b): len(sets[a][-1] & sets[b][-1]) if deep else 0 for a, b in couples}
    clouds = {
        name: tuple((kind, weight / rows[0][1]) for kind, weight in rows[:CLOUD]) if rows else ()
        for name, rows in tops.items()
    }
    return Overlap(curve, pairs, {name: rows[: params.top] for name, rows in tops.items()}, clouds)


TOKEN_OVERLAP = Metric(
    name="token-overlap",
    summary="The mean share of top types, weighed by rarity, that two classes have in common; and what they are.",
    direction="down",
    params=OverlapParams,
    run=_bag,
    scope="data",
    source="Hou & Castanon, ICML 2023; normalising each text, merging types and the formula of rarity: ours",
    caveats=(
        "A text counts for the class whose score is explained.",
        "rarity = ln((1 + texts) / (1 + texts with the type)) + 1, from the background that the result names.",
    ),
)
