"""`permutation`: how far the target falls when a feature's tokens give way to others, drawn at random."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np

from saliscope.explainers.answers import Evaluated
from saliscope.explainers.errors import NonFinite
from saliscope.explainers.families.hiding import ROWS_PER_PARTIAL
from saliscope.explainers.families.openings import read_value, whole_text
from saliscope.explainers.families.shapley import standard_errors
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Evaluate, Value
from saliscope.explainers.registry import Method, Promise, Steps
from saliscope.explainers.texts.encoding import IntArray
from saliscope.explainers.variants import Replaced


class PermutationParams(msgspec.Struct):
    """`words` are drawn from if they are given, each by its first token; else the tokens of the other features."""

    repeats: Annotated[int, msgspec.Meta(ge=1, le=10_000, description="replacements drawn for each feature")] = 10
    words: Annotated[
        Annotated[tuple[Annotated[str, msgspec.Meta(min_length=1)], ...], msgspec.Meta(min_length=1, max_length=10_000)]
        | None,
        msgspec.Meta(description="words to draw from; by default the tokens of the text"),
    ] = None


def draw_replacements(
    ids: IntArray, groups: tuple[tuple[int, ...], ...], words: tuple[int, ...] | None, repeats: int, seed: int
) -> IntArray:
    """Texts `[repeats * n, T]`: row `r n + i` has other ids at feature i, each drawn on its own.

    They come from the ids `words`, or, with None, from the positions of the other features; a text with one feature
    has no others and stays as it is.
    """
    rng = np.random.default_rng(seed)
    rows = np.tile(ids, (repeats * len(groups), 1))
    for feature, group in enumerate(groups):
        others = [position for index, other in enumerate(groups) if index != feature for position in other]
        pool = ids[others or list(group)] if words is None else np.asarray(words, dtype=np.int64)
        if words is not None or others:
            rows[feature :: len(groups), list(group)] = rng.choice(pool, size=(repeats, len(group)))
    return rows


def _run(problem: Problem, params: PermutationParams) -> Steps:
    count, repeats = len(problem.features), params.repeats
    words = None if params.words is None else tuple(problem.asked.find_token(word) for word in params.words)
    rows = draw_replacements(problem.encoding.ids, problem.groups, words, repeats, problem.asked.seed)
    value = read_value(problem)
    falls = np.zeros((repeats, count))
    step = max(1, ROWS_PER_PARTIAL["replace"] // count)
    for start in range(0, repeats, step):
        stop = min(start + step, repeats)
        inner = rows[start * count : stop * count]
        answer = yield Evaluate(problem.encoding, Value(problem.scalar), Replaced(inner))
        assert isinstance(answer, Evaluated)
        _check_finite(problem, answer.values)
        falls[start:stop] = value - answer.values.astype(np.float64).reshape(-1, count)
        scored = _scored(problem, params, falls[:stop], value)
        if stop < repeats:
            yield scored
    return scored


def _check_finite(problem: Problem, values: Any) -> None:
    broken = np.flatnonzero(~np.isfinite(values))
    if len(broken):
        feature = problem.features[broken[0] % len(problem.features)]
        raise NonFinite(f"the model's output is not finite with {feature.text!r} replaced; try float32 weights")


def _scored(problem: Problem, params: PermutationParams, falls: Any, value: float) -> Scored:
    alone = params.words is None and len(problem.features) == 1
    return Scored(
        falls.mean(axis=0).astype(np.float32),
        value=value,
        stderr=standard_errors(falls, antithetic=False),
        baseline="other tokens of the text" if params.words is None else f"{len(params.words)} given words",
        diagnostics={"done_repeats": len(falls), "total_repeats": params.repeats},
        warnings=("the text has one feature and nothing to replace it with; give words",) if alone else (),
    )


def _promise(asked: Asked, params: PermutationParams) -> Promise:
    return Promise(1 + params.repeats * len(asked.features))


PERMUTATION = Method(
    name="permutation",
    summary="How far the target falls on average when a feature's tokens are replaced by random others.",
    group="perturbation",
    params=PermutationParams,
    opening=whole_text,
    run=_run,
    promise=_promise,
    cost="10 n + 1 forwards",
    source="Breiman 2001; Fisher et al., JMLR 2019",
    formula="φ_i = F(x) - mean_r F(x with random tokens at i)",
    reading="The papers': importance by replacement, over a data set."
    " Our reading: for one text, with its own tokens or given words.",
    caveats=(
        "A reading for one text: the papers permute a column over a data set, which a single text has not.",
        "Tokens are drawn one by one, so what replaces a word of several tokens is seldom a word.",
        "A token may be drawn in its own place if the text repeats it or the words hold it.",
    ),
)
