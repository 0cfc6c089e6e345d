"""`smooth-grad`: gradients averaged over noise on the embeddings.

Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np

from saliscope.explainers.answers import Answer, Differentiated, Reduction
from saliscope.explainers.families.layers import (
    Explained,
    Groups,
    Movable,
    Normalise,
    fixed_scale,
    moving,
    shares,
)
from saliscope.explainers.families.openings import read_value, whole_text
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Differentiate, Query
from saliscope.explainers.registry import Method, Promise, Steps
from saliscope.explainers.targets.scalar import Scale
from saliscope.explainers.texts.encoding import FloatArray
from saliscope.explainers.variants import INPUT, Layer, Moved, Noise

ROWS_PER_PARTIAL = 64
ROUNDING = 1e-4
CANCELLED = (
    "the dimensions of the gradient sum to 0 before this model's LayerNorm: these scores are rounding, not reasons"
)

Wide = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


DrawCount = Annotated[int, msgspec.Meta(ge=1, le=10_000, description="draws of noise")]
Sigma = Annotated[
    float, msgspec.Meta(gt=0.0, le=10.0, description="size of the noise, as a share of the text's range of values")
]


class SmoothGradParams(msgspec.Struct):
    """`reduce` says how a token's mean gradient becomes one number; the preset is that package's settings."""

    samples: DrawCount = 10
    sigma: Sigma = 0.01
    reduce: Annotated[
        Literal["input", "sum", "l2"],
        msgspec.Meta(description="input: times the embedding; sum: over dimensions; l2: mean length of the draws'"),
    ] = "input"
    special: Movable = "keep"
    of: Explained = "target"
    normalise: Normalise = "none"
    preset: Annotated[Literal["allennlp"] | None, msgspec.Meta(description="the settings of that package")] = None


@dataclass(frozen=True, slots=True)
class Cloud:
    """Where noise is added and how much: `samples` draws of `sigma` on `groups` of positions at `layer`."""

    layer: Layer
    groups: Groups
    samples: int
    sigma: float


@dataclass(frozen=True, slots=True)
class Draws:
    """`products [S, T]` of the draws made so far, `total` of them promised; `sizes` are their gradients' l1 norms."""

    products: Wide
    sizes: Wide
    total: int

    @property
    def cancelled(self) -> bool:
        """Whether the products are nothing but the rounding of much larger gradients."""
        return bool(np.abs(self.products).sum() < ROUNDING * self.sizes.sum())

    @property
    def mean(self) -> FloatArray:
        """The mean over the draws, `[T]`."""
        return np.asarray(self.products.mean(axis=0), dtype=np.float32)

    def stderr(self, problem: Problem) -> FloatArray | None:
        """Standard errors `[n]` of the features' means; None for a single draw."""
        return standard_errors(problem, self.products)

    @property
    def progress(self) -> dict[str, int]:
        """How far the draws are."""
        return {"done_rows": len(self.products), "total_rows": self.total}


def standard_errors(problem: Problem, products: Wide) -> FloatArray | None:
    """Standard errors `[n]` of the mean over independent draws `products [S, T]`, summed over each feature."""
    if len(products) < 2:
        return None
    sums = np.stack([products[:, list(group)].sum(axis=1) for group in problem.groups], axis=1)
    return np.asarray(sums.std(axis=0, ddof=1) / np.sqrt(len(products)), dtype=np.float32)


def smooth(
    problem: Problem, cloud: Cloud, reduction: Reduction, report: Callable[[Draws], Scored]
) -> Generator[Query | Scored, Answer, Draws]:
    """Products of noisy gradients; "displacement" holds them against the text's own, clean states."""
    parts: list[FloatArray] = []
    sizes: list[FloatArray] = []
    starts = range(0, cloud.samples, ROWS_PER_PARTIAL)
    seeds = np.random.default_rng(problem.asked.seed).integers(0, 2**31, len(starts))
    for start, seed in zip(starts, seeds, strict=True):
        stop = min(start + ROWS_PER_PARTIAL, cloud.samples)
        still = np.zeros((stop - start, len(cloud.groups)), dtype=np.float32)
        noise = Noise(cloud.sigma, int(seed), "range")
        answer = yield Differentiate(
            problem.encoding,
            problem.scalar,
            (cloud.layer,),
            reductions=(reduction, "l1") if reduction == "sum" else (reduction,),
            rows=Moved(still, cloud.groups, "zero", layer=cloud.layer, noise=noise),
            reference="zero",
        )
        assert isinstance(answer, Differentiated)
        parts.append(answer.products[cloud.layer, reduction])
        sizes.append(answer.products[cloud.layer, "l1" if reduction == "sum" else reduction])
        draws = Draws(np.concatenate(parts).astype(np.float64), np.concatenate(sizes).astype(np.float64), cloud.samples)
        if stop < cloud.samples:
            yield report(draws)
    return draws


def _run(problem: Problem, params: SmoothGradParams) -> Steps:
    reductions: dict[str, Reduction] = {"input": "displacement", "sum": "sum", "l2": "l2"}
    value, plain = read_value(problem), params.normalise == "none"

    def report(draws: Draws) -> Scored:
        return Scored(
            problem.regroup(draws.mean if plain else shares(draws.mean)),
            value=value,
            stderr=draws.stderr(problem) if plain else None,
            signed=plain and params.reduce != "l2",
            diagnostics=draws.progress,
            warnings=(CANCELLED,) if params.reduce == "sum" and draws.cancelled else (),
        )

    cloud = Cloud(INPUT, moving(problem, params.special), params.samples, params.sigma)
    return report((yield from smooth(problem, cloud, reductions[params.reduce], report)))


def _promise(asked: Asked, params: SmoothGradParams) -> Promise:
    return Promise(1 + params.samples, params.samples)


def _scale(params: SmoothGradParams) -> Scale | None:
    return fixed_scale(params.of)


SMOOTH_GRAD = Method(
    name="smooth-grad",
    summary="Gradients averaged over Gaussian noise on the word embeddings.",
    group="gradients",
    params=SmoothGradParams,
    opening=whole_text,
    run=_run,
    promise=_promise,
    cost="samples + 1 forwards, samples backwards",
    source="Smilkov et al. 2017; preset=allennlp as in AllenNLP Interpret (Wallace et al. 2019)",
    formula="φ_i = Σ_(j∈i) ⟨mean_s ∂F/∂E_j(E + ε_s), E_j⟩,  ε_s ~ N(0, (σ · range)²)",
    reading="The paper's: the mean gradient under noise."
    " Ours: the product with the embedding, as the paper leaves the last step to images.",
    needs=frozenset({"gradients"}),
    scale=_scale,
    presets={
        "allennlp": {
            "samples": 10,
            "sigma": 0.01,
            "reduce": "sum",
            "special": "move",
            "of": "loss",
            "normalise": "l1",
        }
    },
    caveats=(
        "The default is gradient times embedding, with signs; the paper leaves the last step open.",
        "A LayerNorm ignores a shift of all dimensions, so that the gradient before it sums to 0 over them.",
        "reduce=sum, and so preset=allennlp, is therefore rounding on BERT or GPT-2; a warning says when.",
        "reduce=l2 is the mean of the draws' lengths, not the length of the mean gradient.",
        "Noise of 0.01 of the range, AllenNLP's, stays close to the plain gradient; try sigma=0.1.",
    ),
)
