"""Progressive inference: what a causal model predicts after each prefix.

Kariyappa et al., "Progressive Inference: Explaining Decoder-Only Sequence Classification Models Using Intermediate
Predictions", ICML 2024.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import Annotated, Literal

import msgspec
import numpy as np

from saliscope.explainers.answers import Answer, Evaluated
from saliscope.explainers.families.gaps import fill_gaps
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Along, Evaluate, Query
from saliscope.explainers.registry import Method, Promise, Steps
from saliscope.explainers.targets.scalar import READ_AT_ONCE, Scalar
from saliscope.explainers.texts.encoding import Encoding

Wide = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
EmptyText = Literal["auto", "mask", "zero"]
"""What stands for the text without features: a fixed prefix if there is one, the masked text, or nothing."""


class SpPiParams(msgspec.Struct):
    """`p0` is the prediction before the first feature, which the paper leaves open."""

    p0: Annotated[
        EmptyText,
        msgspec.Meta(description="auto: at the fixed prefix if there is one, else of the fully masked text"),
    ] = "auto"


def feature_ends(asked: Asked) -> tuple[int, ...]:
    """The position where each feature has been read: its last one, with fixed tokens that follow it."""
    special, features = asked.encoding.special, asked.features
    ends = []
    for feature in features:
        end = max(feature.positions)
        while end + 1 < len(special) and special[end + 1]:
            end += 1
        ends.append(end)
    ends[-1] = len(special) - 1
    return tuple(ends)


def prefix_end(asked: Asked) -> int | None:
    """The last position of a fixed prefix (BOS, template), or None if the text begins at once."""
    first = min(asked.features[0].positions)
    return first - 1 if first > 0 and asked.encoding.special[:first].all() else None


def read_along(asked: Asked, params: object) -> Evaluate:
    """The target at the end of the fixed prefix, if there is one, and of every feature: one forward row."""
    prefix = prefix_end(asked)
    ends = feature_ends(asked)
    positions = ends if prefix is None else (prefix, *ends)
    return Evaluate(asked.encoding, Along(positions, asked.scalar), outputs=True)


def empty_text_rows(asked: Asked, p0: EmptyText) -> int:
    """How many rows the prediction before the first feature costs at most."""
    return 0 if p0 == "zero" or (p0 == "auto" and prefix_end(asked) is not None) else 1


def curve_and_start(problem: Problem, p0: EmptyText) -> Generator[Query | Scored, Answer, tuple[Wide, Wide, str]]:
    """The target after each feature, `[n]` or `[n, C]` for a class, before the first one, and what that stands for.

    The opening was `read_along`.
    """
    if not isinstance(problem.opening, Evaluated):
        raise TypeError("the opening was not an evaluation")
    along = problem.opening.values[0].astype(np.float64)
    prefix = prefix_end(problem.asked)
    at_prefix, curve = (None, along) if prefix is None else (along[0], along[1:])
    if p0 == "zero":
        return curve, np.zeros_like(curve[0]), "zero"
    if p0 == "auto" and at_prefix is not None:
        return curve, np.asarray(at_prefix), "the fixed prefix before the text"
    start = yield from _masked_start(problem)
    return curve, start, f"every token masked by {problem.facts.mask_text!r}"


def _open(asked: Asked, params: SpPiParams) -> Evaluate:
    return read_along(fill_gaps(asked)[0], params)


def _promise(asked: Asked, params: SpPiParams) -> Promise:
    return Promise(1 + empty_text_rows(fill_gaps(asked)[0], params.p0))


def _run(problem: Problem, params: SpPiParams) -> Steps:
    # What lies between two features moves the prediction too: its steps are read like theirs, and go to the base.
    filled, places = fill_gaps(problem.asked)
    curve, start, baseline = yield from curve_and_start(replace(problem, asked=filled), params.p0)
    steps = np.diff(np.concatenate([start[None], curve]), axis=0)
    scores, last = steps[list(places)], curve[-1]
    if len(places) < len(steps):
        start = start + (steps.sum(axis=0) - scores.sum(axis=0))
        curve, baseline = curve[list(places)], f"{baseline}, and the steps of the text that is in no feature"
    every = scores if scores.ndim == 2 else None
    own = scores[:, problem.target.index] if every is not None else scores
    value = last[problem.target.index] if every is not None else last
    base = start[problem.target.index] if every is not None else start
    return Scored(
        own.astype(np.float32),
        value=float(value),
        base_value=float(base),
        every=None if every is None else every.astype(np.float32),
        baseline=baseline,
        diagnostics={"curve": (curve[:, problem.target.index] if every is not None else curve).tolist()},
    )


def _masked_start(problem: Problem) -> Generator[Query | Scored, Answer, Wide]:
    """The target on the fully masked text.

    Causality makes one long all-mask row hold the answer for every length, so it is asked once per model. Only when
    fixed tokens follow the text is a row of its own needed.
    """
    encoding, scalar = problem.encoding, problem.scalar
    if encoding.special.any():
        nothing = problem.keep(np.zeros((1, len(problem.features)), dtype=np.bool_))
        answer = yield Evaluate(encoding, Along((len(encoding) - 1,), scalar), nothing)
        assert isinstance(answer, Evaluated)
        return np.asarray(answer.values[0, 0], dtype=np.float64)
    length = 64
    while length < len(encoding):
        length *= 2
    length = min(length, problem.facts.max_tokens)
    key = ("sp-pi p0", length, _every_class(scalar))
    curve = problem.asked.constants.get(key)
    if curve is None:
        ids = np.full(length, problem.facts.mask_id, dtype=np.int64)
        answer = yield Evaluate(Encoding("", ids, ()), Along(tuple(range(length)), scalar))
        assert isinstance(answer, Evaluated)
        curve = answer.values[0].astype(np.float64)
        problem.asked.constants.put(key, curve)
    return np.asarray(curve[len(encoding) - 1])


def _every_class(scalar: Scalar) -> Scalar:
    """All classes come in one answer, so the index does not tell two such answers apart."""
    return replace(scalar, index=None) if scalar.reads_every else scalar


SP_PI = Method(
    name="sp-pi",
    summary="Single-pass progressive inference: how the prediction moves as each token is read.",
    group="progressive inference",
    params=SpPiParams,
    opening=_open,
    run=_run,
    promise=_promise,
    cost="1 forward (one more, once per model, for the empty text)",
    source="Kariyappa et al., ICML 2024, SP-PI",
    formula="φ_i = p_i - p_(i-1);  p_i = F read right after feature i,  p_0 = F of the empty text",
    reading="The paper's: differences of intermediate predictions."
    " Our reading: the empty text, which the paper leaves open, is the fixed prefix or the masked text.",
    needs=frozenset({"causal", "mask"}),
    targets=READ_AT_ONCE,
    additive=True,
    caveats=(
        "Depends on reading order: early tokens take the prior, later ones only what they add.",
        "For a next-token target it says how likely that token is right after each prefix.",
        "Where features leave text out (regex:PATTERN), what that text moves is part of the base value.",
    ),
)
