"""The laws of coalitions and passes, against enumeration of every subset."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saliscope.explainers.families.coalitions import (
    class_law,
    classes,
    conditional,
    log_choose,
    log_inclusion,
    pass_lengths,
    size_law,
    visited_law,
    visits,
    visits_adjoint,
)
from saliscope.explainers.families.passes import (
    draw_passes,
    every_pass,
    kernel_weights,
    visit_counts,
    weigh,
)

SIZES = (2, 3, 4, 6, 7)
exact = settings(deadline=None, derandomize=True, max_examples=25)
Coalition = tuple[int, ...]


def subsets(n: int, k: int, last: int) -> list[Coalition]:
    """Every subset of 1..n of size k whose last member is `last`."""
    return [(*head, last) for head in combinations(range(1, last), k - 1)]


def visited(n: int, start: Coalition, tails: bool = True) -> list[Coalition]:
    """What the pass of a coalition visits, by definition."""
    kept = [*start, *range(start[-1] + 1, n + 1)] if tails else list(start)
    return [tuple(kept[: k + 1]) for k in range(len(kept))]


def random_law(n: int, seed: int) -> Any:
    law = np.zeros((n, n))
    sizes, lasts = classes(n)
    law[sizes - 1, lasts - 1] = np.random.default_rng(seed).random(len(sizes))
    return law / law.sum()


def expected(n: int, law: Any) -> dict[Coalition, float]:
    """Expected visits to each coalition by a pass from `law`, by enumeration."""
    found: dict[Coalition, float] = defaultdict(float)
    for size, last in zip(*classes(n), strict=True):
        starts = subsets(n, size, last)
        for start in starts:
            for coalition in visited(n, start):
                found[coalition] += law[size - 1, last - 1] / len(starts)
    return found


# -- Shapley's kernel -----------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, *SIZES, 40])
def test_there_are_as_many_classes_as_there_should_be(n: int) -> None:
    sizes, lasts = classes(n)
    assert len(sizes) == (n - 1) * (n + 2) // 2
    assert len(set(zip(sizes.tolist(), lasts.tolist(), strict=True))) == len(sizes)


@pytest.mark.parametrize("n", [*SIZES, 40, 300])
def test_the_law_of_classes_sums_to_the_law_of_sizes(n: int) -> None:
    sizes = np.arange(1, n)
    kernel = 1.0 / (sizes * (n - sizes))
    np.testing.assert_allclose(size_law(n)[:-1], kernel / kernel.sum(), rtol=1e-12)
    np.testing.assert_allclose(class_law(n).sum(axis=1), size_law(n), atol=1e-12)
    assert class_law(n).sum() == pytest.approx(1.0, abs=1e-11)


def test_one_feature_has_no_coalition_between_nothing_and_everything() -> None:
    assert (size_law(1).tolist(), class_law(1).tolist()) == ([0.0], [[0.0]])


@exact
@given(whole=st.integers(-2, 20), part=st.integers(-2, 22))
def test_binomials_are_zero_outside_the_triangle(whole: int, part: int) -> None:
    want = math.comb(whole, part) if 0 <= part <= whole else 0
    assert np.exp(log_choose(whole, part)) == pytest.approx(want, rel=1e-12)


# -- equations 14 and 17 --------------------------------------------------------------------------


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("tails", [False, True])
def test_the_corrected_conditional_law_is_that_of_enumeration(n: int, tails: bool) -> None:
    sizes, lasts = classes(n)
    column = {pair: at for at, pair in enumerate(zip(sizes.tolist(), lasts.tolist(), strict=True))}
    column[n, n] = len(sizes)
    want = np.zeros((len(sizes), len(sizes) + 1))
    for row, (size, last) in enumerate(zip(sizes, lasts, strict=True)):
        starts = subsets(n, size, last)
        for start in starts:
            seen = visited(n, start, tails)
            for coalition in seen:
                want[row, column[len(coalition), coalition[-1]]] += 1.0 / len(seen) / len(starts)
    np.testing.assert_allclose(conditional(n, tails), want, atol=1e-14)


@pytest.mark.parametrize("n", [*SIZES, 20])
@pytest.mark.parametrize("tails", [False, True])
def test_the_rows_of_the_corrected_law_sum_to_one(n: int, tails: bool) -> None:
    np.testing.assert_allclose(conditional(n, tails).sum(axis=1), 1.0, atol=1e-11)


@pytest.mark.parametrize("n", [3, 4, 6, 7])
def test_the_rows_of_the_printed_laws_do_not(n: int) -> None:
    sizes, lasts = classes(n)
    np.testing.assert_allclose(conditional(n, tails=False, printed=True).sum(axis=1), lasts / sizes, rtol=1e-12)
    assert conditional(n, printed=True).sum(axis=1).max() == pytest.approx({3: 1.25, 4: 1.5, 6: 2.0, 7: 2.25}[n])
    wrong = np.abs(conditional(n, printed=True) - conditional(n)).max()
    assert wrong == pytest.approx({3: 1 / 4, 4: 1 / 3, 6: 2 / 5, 7: 5 / 12}[n])


# -- the recursion --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, *SIZES, 30])
def test_the_recursion_is_the_matrix(n: int) -> None:
    law = random_law(n, n) if n > 1 else np.zeros((1, 1))
    sizes, lasts = classes(n)
    flat = (law * pass_lengths(n))[sizes - 1, lasts - 1] @ conditional(n)
    want = np.zeros((n, n))
    want[sizes - 1, lasts - 1], want[-1, -1] = flat[:-1], flat[-1]
    np.testing.assert_allclose(visits(law)[0], want, atol=1e-12)


@pytest.mark.parametrize("n", SIZES)
def test_the_recursion_counts_visits_as_enumeration_does(n: int) -> None:
    law = random_law(n, 3 * n)
    want = np.zeros((n, n))
    for coalition, mass in expected(n, law).items():
        want[len(coalition) - 1, coalition[-1] - 1] += mass
    np.testing.assert_allclose(visits(law)[0], want, atol=1e-13)


@exact
@given(n=st.integers(1, 40), seed=st.integers(0, 99))
def test_the_adjoint_is_the_transpose(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    law, weights = np.triu(rng.normal(size=(n, n))), rng.normal(size=(n, n))
    law[-1] = 0.0
    left, right = (visits(law)[0] * weights).sum(), (law * visits_adjoint(weights)).sum()
    assert left == pytest.approx(right, abs=1e-10 * n * n)


@pytest.mark.parametrize("n", [6, 20])
def test_the_paper_draws_one_coalition_from_each_pass(n: int) -> None:
    law = random_law(n, 1)
    sizes, lasts = classes(n)
    for printed in (False, True):
        want = law[sizes - 1, lasts - 1] @ conditional(n, printed=printed)[:, :-1]
        got = visited_law(law, printed)
        np.testing.assert_allclose(got[sizes - 1, lasts - 1], want, atol=1e-12)
        assert not got[-1].any()


# -- inclusion probability ------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 4, 6])
@pytest.mark.parametrize("law", ["shapley", "other", "few"])
def test_a_coalitions_expected_visits_are_those_of_enumeration(n: int, law: str) -> None:
    masses = class_law(n) if law == "shapley" else random_law(n, n)
    if law == "few":
        masses = np.where(masses > np.median(masses), masses, 0.0)
    want = expected(n, masses)
    keep = every_pass(n, np.random.default_rng(0)).keep
    logs = log_inclusion(keep, masses)
    assert (logs[~keep] == -np.inf).all()
    for row, last in np.argwhere(keep):
        coalition = tuple(int(i) + 1 for i in np.flatnonzero(keep[row, : last + 1]))
        assert np.exp(logs[row, last]) == pytest.approx(want[coalition], abs=1e-14)


def test_long_texts_neither_overflow_nor_lose_their_coalitions() -> None:
    n = 1500
    keep = draw_passes(class_law(n), 4, np.random.default_rng(0)).keep
    logs = log_inclusion(keep, class_law(n))
    assert np.isfinite(logs[keep]).all()
    assert (logs[keep] <= 1e-9).all()


# -- passes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 5])
def test_every_pass_reads_every_coalition(n: int) -> None:
    passes = every_pass(n, np.random.default_rng(1))
    assert passes.keep[0].all()
    assert len(passes.keep) == 2 ** (n - 1) == len({row.tobytes() for row in passes.keep})
    seen = {tuple(np.flatnonzero(row[: at + 1])) for row in passes.keep for at in np.flatnonzero(row)}
    assert len(seen) == 2**n - 1


@exact
@given(n=st.integers(2, 9), most=st.integers(1, 30), seed=st.integers(0, 99), antithetic=st.booleans())
def test_passes_are_distinct_keep_their_tail_and_start_with_the_text(
    n: int, most: int, seed: int, antithetic: bool
) -> None:
    passes = draw_passes(class_law(n), most, np.random.default_rng(seed), antithetic)
    assert passes.keep[0].all()
    assert passes.keep[:, -1].all()
    assert len({row.tobytes() for row in passes.keep}) == len(passes.keep) <= most
    assert passes.times.sum() == len(passes.drawn)
    assert (passes.times[1:] >= 1).all()
    for rows in range(1, len(passes.keep) + 1):
        early = passes.first(rows)
        assert len(early.keep) == rows == len(early.times)
        assert (early.times[1:] >= 1).all()


@pytest.mark.parametrize("antithetic", [False, True])
def test_passes_follow_their_law(antithetic: bool) -> None:
    n, most = 5, 16
    total, draws = np.zeros(2**n), 0
    law = class_law(n)
    for seed in range(300):
        passes = draw_passes(law, most, np.random.default_rng(seed), antithetic)
        total += np.bincount(passes.keep @ (1 << np.arange(n)), passes.times, minlength=2**n)
        draws += len(passes.drawn)
    want = np.zeros(2**n)
    for size, last in zip(*classes(n), strict=True):
        for start in subsets(n, size, last):
            kept = visited(n, start)[-1]
            want[sum(1 << (i - 1) for i in kept)] += law[size - 1, last - 1] / len(subsets(n, size, last))
    np.testing.assert_allclose(total / draws, want, atol=0.01)


@exact
@given(n=st.integers(1, 8), most=st.integers(1, 40), seed=st.integers(0, 99))
def test_repeated_coalitions_are_counted_across_passes(n: int, most: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    keep = np.unique(rng.random((most, n)) < 0.5, axis=0)
    rng.shuffle(keep)
    want: dict[Coalition, int] = defaultdict(int)
    for row in keep:
        for at in np.flatnonzero(row):
            want[tuple(np.flatnonzero(row[: at + 1]))] += 1
    got = visit_counts(keep)
    for r, row in enumerate(keep):
        for at in range(n):
            assert got[r, at] == (want[tuple(np.flatnonzero(row[: at + 1]))] if row[at] else 0)


# -- weights --------------------------------------------------------------------------------------


def test_uniform_weights_count_each_coalition_once() -> None:
    passes = draw_passes(class_law(7), 20, np.random.default_rng(3))
    weights = weigh(passes, "uniform")
    total: dict[Coalition, float] = defaultdict(float)
    for row, at in np.argwhere(passes.keep):
        total[tuple(np.flatnonzero(passes.keep[row, : at + 1]))] += weights[row, at]
    assert total.pop(tuple(range(7))) == 0.0
    assert list(total.values()) == pytest.approx([1.0] * len(total))
    assert not weights[~passes.keep].any()


def test_kernel_weights_over_all_coalitions_are_shapleys() -> None:
    n = 5
    keep = every_pass(n, np.random.default_rng(0)).keep
    weights = kernel_weights(keep)
    total = np.zeros(n + 1)
    for row, at in np.argwhere(keep):
        total[keep[row, : at + 1].sum()] += weights[row, at]
    np.testing.assert_allclose(total[1:n] / total.sum(), size_law(n)[:-1], rtol=1e-12)


@pytest.mark.parametrize("law", ["shapley", "other"])
def test_exact_weights_give_each_coalition_its_share_on_average(law: str) -> None:
    n, most = 4, 5
    masses = class_law(n) if law == "shapley" else random_law(n, 2)
    # Unbiased for a fixed number of draws, so compare ratios within that: share over expected visits.
    visits_of = expected(n, masses)
    passes = draw_passes(masses, most, np.random.default_rng(5))
    weights, draws, kept = weigh(passes, "exact"), len(passes.drawn), passes.keep
    times = passes.times + (np.arange(len(kept)) == 0)
    ratios = []
    for row, at in np.argwhere(kept):
        coalition = tuple(int(i) + 1 for i in np.flatnonzero(kept[row, : at + 1]))
        if len(coalition) == n:
            assert weights[row, at] == 0.0
            continue
        share = size_law(n)[len(coalition) - 1] / math.comb(n, len(coalition))
        often = visits_of[coalition] * draws + (coalition == tuple(range(1, at + 2)))
        ratios.append(weights[row, at] / times[row] / (share / often))
    assert ratios == pytest.approx([ratios[0]] * len(ratios), rel=1e-10)


def test_class_weights_are_the_ratio_of_the_two_laws() -> None:
    n = 6
    passes = draw_passes(random_law(n, 4), 9, np.random.default_rng(5))
    for printed in (False, True):
        weights, law = weigh(passes, "class", printed), visited_law(passes.law, printed)
        ratios = []
        for row, at in np.argwhere(passes.keep):
            size = passes.keep[row, : at + 1].sum()
            if size < n and passes.times[row]:
                share = class_law(n)[size - 1, at] / law[size - 1, at]
                ratios.append(weights[row, at] / passes.times[row] / share)
        assert ratios == pytest.approx([ratios[0]] * len(ratios), rel=1e-10)
        if not passes.times[0]:
            assert not weights[0].any()
