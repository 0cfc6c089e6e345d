"""`shapley-sampling`: Shapley values as mean marginal contributions over random orders of the features."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from saliscope.explainers.families.hiding import (
    ROWS_PER_PARTIAL,
    Mask,
    Wide,
    named_baseline,
    nothing_kept,
    open_hiding,
    values_of,
)
from saliscope.explainers.families.openings import read_value
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.registry import Method, Promise, Steps
from saliscope.explainers.texts.encoding import BoolArray

Orders = np.ndarray[Any, np.dtype[np.int64]]


class ShapleySamplingParams(msgspec.Struct):
    """`permutations` orders; with `antithetic` every second one is the reverse of the one before."""

    preset: Annotated[
        Literal["thermostat"] | None, msgspec.Meta(description="thermostat: permutations=25, antithetic=false")
    ] = None
    permutations: Annotated[int, msgspec.Meta(ge=1, le=10_000, description="random orders of the features")] = 26
    antithetic: Annotated[bool, msgspec.Meta(description="follow each order by its reverse")] = True
    mask: Mask = "replace"


def draw_orders(num_features: int, count: int, antithetic: bool, seed: int) -> Orders:
    """Random orders `[count, n]`: of an antithetic pair the second is the first reversed."""
    rng = np.random.default_rng(seed)
    if not antithetic:
        return np.stack([rng.permutation(num_features) for _ in range(count)])
    halves = [rng.permutation(num_features) for _ in range((count + 1) // 2)]
    return np.stack([order for half in halves for order in (half, half[::-1])])[:count]


def _run(problem: Problem, params: ShapleySamplingParams) -> Steps:
    count = len(problem.features)
    orders = draw_orders(count, params.permutations, params.antithetic, problem.asked.seed)
    full, empty = read_value(problem), (yield from nothing_kept(problem, params.mask))
    # What a coalition is worth, by its packed bits: none is evaluated twice.
    worth = {
        np.packbits(np.ones(count, dtype=np.bool_)).tobytes(): full,
        np.packbits(np.zeros(count, dtype=np.bool_)).tobytes(): empty,
    }
    gains = np.zeros((len(orders), count))
    step = 2 * max(1, ROWS_PER_PARTIAL[params.mask] // (2 * max(1, count - 1)))
    for start in range(0, len(orders), step):
        chunk = orders[start : start + step]
        keys, keep = _coalitions(chunk)
        new: dict[bytes, BoolArray] = {}
        for key, row in zip(keys, keep, strict=True):
            if key not in worth:
                new.setdefault(key, row)
        if new:
            values = yield from values_of(problem, np.stack(list(new.values())), params.mask)
            worth.update(zip(new, values.tolist(), strict=True))
        path = np.asarray([worth[key] for key in keys]).reshape(len(chunk), count + 1)
        np.put_along_axis(gains[start : start + len(chunk)], chunk, np.diff(path, axis=1), axis=1)
        done = start + len(chunk)
        scored = _scored(problem, params, gains[:done], len(orders), full, empty)
        if done < len(orders):
            yield scored
    return scored


def _coalitions(orders: Orders) -> tuple[list[bytes], BoolArray]:
    """Every prefix of every order, empty and full ones too: keys and rows `[orders * (n + 1), n]`."""
    rank = np.argsort(orders, axis=1)
    keep = rank[:, None, :] < np.arange(orders.shape[1] + 1)[None, :, None]
    rows = keep.reshape(-1, orders.shape[1])
    return [bits.tobytes() for bits in np.packbits(rows, axis=1)], rows


def _scored(
    problem: Problem, params: ShapleySamplingParams, gains: Wide, total: int, full: float, empty: float
) -> Scored:
    return Scored(
        gains.mean(axis=0).astype(np.float32),
        value=full,
        base_value=empty,
        stderr=standard_errors(gains, params.antithetic),
        baseline=named_baseline(problem, params.mask),
        diagnostics={"done_permutations": len(gains), "total_permutations": total},
    )


def standard_errors(gains: Wide, antithetic: bool) -> np.ndarray[Any, np.dtype[np.float32]] | None:
    """Standard errors `[n]` of the mean of `gains [R, n]`, of pairs if these belong together; None from under two."""
    if antithetic:
        gains = gains[: len(gains) // 2 * 2].reshape(-1, 2, gains.shape[1]).mean(axis=1)
    if len(gains) < 2:
        return None
    return np.asarray(gains.std(axis=0, ddof=1) / np.sqrt(len(gains)), dtype=np.float32)


def _promise(asked: Asked, params: ShapleySamplingParams) -> Promise:
    count = len(asked.features)
    inner = params.permutations * (count - 1)
    if count < 32:
        inner = min(inner, 2**count - 2)
    return Promise(2 + inner)


SHAPLEY_SAMPLING = Method(
    name="shapley-sampling",
    summary="Shapley values of the features: mean gain of adding each to the masked text in random orders.",
    group="perturbation",
    params=ShapleySamplingParams,
    opening=open_hiding,
    run=_run,
    promise=_promise,
    cost="26 (n - 1) + 2 forwards",
    source="Castro et al. 2009; Štrumbelj & Kononenko 2010; reversed orders: Mitchell et al., JMLR 2022",
    formula="φ_i = mean over orders of F(x with i and all before it) - F(x with all before it)",
    reading="The papers': random orders, and each with its reverse. Ours: no coalition is computed twice.",
    needs=frozenset({"mask"}),
    additive=True,
    presets={"thermostat": {"permutations": 25, "antithetic": False}},
    caveats=(
        "The sum of the scores is exact whatever the number of orders; the single scores are not: see stderr.",
        "The preset takes over the number of orders; the original hides behind the padding token.",
    ),
)
