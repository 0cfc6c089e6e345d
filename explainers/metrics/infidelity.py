"""`infidelity`: how badly a sum of scores foretells what perturbations do.

Yeh et al., "On the (In)fidelity and Sensitivity of Explanations", NeurIPS 2019.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Annotated, Literal

import msgspec
import numpy as np

from saliscope.explainers.answers import Answer
from saliscope.explainers.facts import Capability
from saliscope.explainers.metrics.registry import Measured, Measuring, Metric
from saliscope.explainers.metrics.subject import Scores, Subject, Wide
from saliscope.explainers.queries import Query
from saliscope.explainers.texts.encoding import BoolArray
from saliscope.explainers.variants import Moved

Normalise = Literal["none", "scale"]


class InfidelityParams(msgspec.Struct):
    """The law of the perturbations I, and whether scores are brought to the best scale first."""

    law: Annotated[
        Literal["nlgp", "mask", "occlusion"],
        msgspec.Meta(
            description="nlgp: features move along the line to the mask embedding, normally distributed;"
            " mask: each is hidden with probability p; occlusion: each is hidden once"
        ),
    ] = "nlgp"
    samples: Annotated[int, msgspec.Meta(ge=2, le=100_000, description="draws; occlusion has n")] = 200
    sigma: Annotated[float, msgspec.Meta(gt=0, le=10, description="nlgp: 1 is the distance to the mask")] = 0.5
    reference: Annotated[Literal["mask", "mean", "zero"], msgspec.Meta(description="nlgp: where 1 leads to")] = "mask"
    p: Annotated[float, msgspec.Meta(gt=0, lt=1, description="mask: how likely a feature is hidden")] = 0.5
    normalise: Annotated[
        Normalise, msgspec.Meta(description="scale: multiply the scores by the best one number, so units do not matter")
    ] = "scale"


def error_of(scores: Wide, perturbations: Wide, changes: Wide, normalise: Normalise = "none") -> Wide:
    """(I' scores - (F(x) - F(x - I)))^2 of each draw, `[N]`, from `perturbations [N, n]` and `changes [N]`."""
    foretold = perturbations @ scores
    if normalise == "scale":
        size = float(foretold @ foretold)
        foretold = foretold * (float(foretold @ changes) / size if size > 0 else 0.0)
    return np.asarray((foretold - changes) ** 2)


def _measure(subject: Subject, scores: Scores, params: InfidelityParams) -> Measuring:
    key = ("infidelity", params.law, params.samples, params.sigma, params.reference, params.p)
    if key not in subject.notes:
        subject.notes[key] = yield from _draw(subject, params)
    perturbations, rows = subject.notes[key]
    # Brought to the best scale, scores of whatever scalar are held against the same one.
    scale = scores.scale if params.normalise == "none" else subject.scale
    values = subject.value(rows, scale)
    errors = error_of(scores.values, perturbations, values[0] - values[1:], params.normalise)
    whole = float(((values[0] - values[1:]) ** 2).mean())
    parts = {"stderr": float(errors.std(ddof=1) / len(errors) ** 0.5) if len(errors) > 1 else 0.0}
    if whole > 0:
        parts["relative"] = float(errors.mean()) / whole
    return Measured(float(errors.mean()), parts)


def _draw(subject: Subject, params: InfidelityParams) -> Generator[Query, Answer, tuple[Wide, Wide]]:
    """Perturbations `[N, n]` and what the model says of the text and of each perturbed one, `[1 + N, C]`.

    They are drawn from the evaluation's seed, independent of any that a method fitted itself to.
    """
    count, rng = len(subject.features), np.random.default_rng((subject.seed, subject.number, 2))
    whole = np.ones((1, count), dtype=np.bool_)
    if params.law == "nlgp":
        z = rng.normal(scale=params.sigma, size=(params.samples, count)).astype(np.float32)
        unmoved = yield from subject.look(whole, "replace")
        moved = yield from subject.read(Moved(z, subject.groups, params.reference))
        return -z.astype(np.float64), np.concatenate([unmoved, moved])
    hidden: BoolArray = np.eye(count, dtype=np.bool_)
    if params.law == "mask":
        hidden = rng.random((params.samples, count)) < params.p
    rows = yield from subject.look(np.concatenate([whole, ~hidden]), "replace")
    return hidden.astype(np.float64), rows


def _needs(params: InfidelityParams) -> frozenset[Capability]:
    return frozenset({"embeddings", "mask"}) if params.law == "nlgp" else frozenset({"mask"})


INFIDELITY = Metric(
    name="infidelity",
    summary="Mean squared error of what the scores foretell of perturbed texts.",
    direction="down",
    params=InfidelityParams,
    run=_measure,
    source="Yeh et al., NeurIPS 2019; the laws over features: ours",
    requires=_needs,
    caveats=(
        "In squared units of the explained scalar; `relative` is its share of the mean squared change.",
        "A method that fits the same law is at an advantage: change the law to see by how much.",
    ),
)
