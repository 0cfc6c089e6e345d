"""`shap-similarity`: the cosine between scores and those of Kernel SHAP.

Kariyappa et al., "Progressive Inference", ICML 2024.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np

from saliscope.explainers.metrics.explained import explain_text
from saliscope.explainers.metrics.registry import Measured, Measuring, Metric
from saliscope.explainers.metrics.subject import Scores, Subject, Wide


class SimilarityParams(msgspec.Struct):
    """How well Kernel SHAP is estimated."""

    samples: Annotated[int, msgspec.Meta(ge=2, le=10_000, description="rows of Kernel SHAP, per feature")] = 16


def cosine(one: Wide, other: Wide) -> float:
    """The cosine of two vectors; 0 where one of them is nothing."""
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / size if size > 0 else 0.0


def _similarity(subject: Subject, scores: Scores, params: SimilarityParams) -> Measuring:
    key = ("shap", params.samples)
    if key not in subject.notes:
        rows = max(2, params.samples * len(subject.features))
        # A seed of its own: Kernel SHAP itself must not be compared with its own draws.
        subject.notes[key] = yield from explain_text(
            subject, "kernel-shap", {"samples": rows}, subject.own_seed + 500_009, subject.scale
        )
    return Measured(cosine(scores.values, subject.notes[key].scores.astype(np.float64)))


SHAP_SIMILARITY = Metric(
    name="shap-similarity",
    summary="Cosine with Kernel SHAP's scores of the same target and scale, from 16 rows a feature.",
    direction="up",
    params=SimilarityParams,
    run=_similarity,
    source="Kariyappa et al., ICML 2024",
    needs=frozenset({"mask"}),
    caveats=("A likeness, not a merit: see the distribution, `percentiles`.",),
)
