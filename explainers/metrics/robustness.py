"""`sensitivity-max` and `stability`: how much scores change with the input, and with the seed.

Yeh et al., "On the (In)fidelity and Sensitivity of Explanations", NeurIPS 2019.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np

from saliscope.explainers.metrics.registry import Measured, Measuring, Metric
from saliscope.explainers.metrics.subject import Scores, Subject, Wide
from saliscope.explainers.texts.encoding import Nudge

Texts = Annotated[
    int, msgspec.Meta(ge=1, description="most texts that are measured, spread over the data: explaining again is dear")
]


class SensitivityParams(msgspec.Struct):
    """How often and how far the word embeddings are moved."""

    draws: Annotated[int, msgspec.Meta(ge=1, le=10_000, description="moved texts that are explained")] = 10
    radius: Annotated[float, msgspec.Meta(gt=0, le=10, description="length of a move, in lengths of the embedding")] = (
        0.02
    )
    texts: Texts = 5


class StabilityParams(msgspec.Struct):
    """With how many seeds a text is explained."""

    seeds: Annotated[int, msgspec.Meta(ge=2, le=1000, description="the evaluation's own and further ones")] = 3
    texts: Texts = 10


def rank_correlation(one: Wide, other: Wide) -> float:
    """Spearman's correlation with mean ranks; 1 for equal scores, 0 where only one side is constant."""
    if np.array_equal(one, other):
        return 1.0
    a, b = _ranks(one), _ranks(other)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 0 else float(not a.any() and not b.any())


def _ranks(values: Wide) -> Wide:
    """Ranks from 1, equal values with the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[inverse], dtype=np.float64)


def _sensitivity(subject: Subject, scores: Scores, params: SensitivityParams) -> Measuring:
    if subject.rank >= params.texts:
        return Measured(skipped=f"only {params.texts} texts are explained again (texts)")
    size = float(np.linalg.norm(scores.values))
    if size == 0:
        return Measured(skipped="all scores are 0")
    assert scores.again is not None
    farthest = 0.0
    for draw in range(params.draws):
        moved = yield from scores.again(subject.own_seed, Nudge(params.radius, subject.own_seed * 1_000_003 + draw))
        farthest = max(farthest, float(np.linalg.norm(moved.scores - scores.values)))
    return Measured(farthest / size)


def _stability(subject: Subject, scores: Scores, params: StabilityParams) -> Measuring:
    if subject.rank >= params.texts:
        return Measured(skipped=f"only {params.texts} texts are explained again (texts)")
    if len(scores.values) < 2:
        return Measured(skipped="one feature has no rank")
    assert scores.again is not None
    runs = [scores.values]
    for seed in range(1, params.seeds):
        again = yield from scores.again(subject.own_seed + 1_000_003 * seed, None)
        runs.append(again.scores.astype(np.float64))
        if np.array_equal(runs[0].astype(np.float32), again.scores):
            # No seed matters to this method.
            return Measured(1.0)
    pairs = [rank_correlation(runs[a], runs[b]) for a in range(len(runs)) for b in range(a)]
    return Measured(float(np.mean(pairs)))


SENSITIVITY_MAX = Metric(
    name="sensitivity-max",
    summary="The farthest that scores move when the word embeddings move a little, relative to their length.",
    direction="down",
    params=SensitivityParams,
    run=_sensitivity,
    source="Yeh et al., NeurIPS 2019; moves of word embeddings in random directions: ours",
    needs=frozenset({"embeddings"}),
    again=True,
    caveats=("The seed stays the same, so only the text's move counts. Constant scores would be the least sensitive.",),
)

STABILITY = Metric(
    name="stability",
    summary="Mean rank correlation between the scores of different seeds.",
    direction="up",
    params=StabilityParams,
    run=_stability,
    source="ours",
    again=True,
    caveats=("1 for methods without randomness. Says nothing about being right.",),
)
