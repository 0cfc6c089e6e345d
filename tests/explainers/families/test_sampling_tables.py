"""The optimal law of passes: two programmes, one optimum, and a proof that trusts neither."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest
from bench.sampling_tables import lower_bound

from saliscope.explainers.families.coalitions import class_law, visited_law
from saliscope.explainers.families.sampling_tables import (
    LARGEST_SHIPPED,
    pack,
    shipped_law,
    solve,
    solve_law,
    solve_matrix,
    tidy,
)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 20])
def test_the_sparse_programme_finds_the_optimum_of_the_matrix(n: int) -> None:
    sparse, dense = solve(n), solve_matrix(n)
    assert sparse.distance == pytest.approx(dense.distance, abs=1e-9)
    for optimum in (sparse, dense):
        assert np.abs(visited_law(optimum.law) - class_law(n)).sum() == pytest.approx(optimum.distance, abs=1e-6)
        assert (optimum.law >= 0).all()


@pytest.mark.parametrize("n", [3, 10, 40, 60])
def test_the_dual_proves_the_optimum(n: int) -> None:
    optimum = solve(n)
    assert optimum.distance - lower_bound(optimum) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("n", "distance"), [(2, 0.0), (3, 1 / 6), (4, 5 / 22), (5, 0.3), (10, 0.524), (20, 0.624), (30, 0.660)]
)
def test_no_law_of_passes_reaches_the_kernel_beyond_two_features(n: int, distance: float) -> None:
    assert solve(n).distance == pytest.approx(distance, abs=5e-4)


def test_the_mass_of_the_optimum_is_free_and_the_law_sums_to_one() -> None:
    assert solve(5).law.sum() == pytest.approx(0.79)
    assert solve_law(5).sum() == pytest.approx(1.0)
    assert np.count_nonzero(solve_law(5)) == 8


def test_the_printed_formula_has_another_optimum() -> None:
    assert solve_matrix(4).distance == pytest.approx(5 / 22)
    assert solve_matrix(4, printed=True).distance == pytest.approx(0.25974, abs=1e-5)
    law = solve_law(10, printed=True)
    assert law.sum() == pytest.approx(1.0)
    assert np.abs(law - solve_law(10)).sum() > 0.01


@pytest.mark.parametrize("n", [2, 3, 17, 64])
def test_the_shipped_laws_are_optimal(n: int) -> None:
    law = shipped_law(n)
    assert law is not None
    assert law.sum() == pytest.approx(1.0)
    assert not law[-1].any()
    assert not np.tril(law, -1).any()
    # A law sums to one, the optimum has its own mass: the best multiple must be as good as a fresh solution.
    wanted, found = class_law(n), visited_law(law)
    masses = np.linspace(0.3, 1.6, 1301)
    best = min(np.abs(mass * found - wanted).sum() for mass in masses)
    assert best == pytest.approx(solve(n).distance, abs=1e-3)


def test_tables_end_where_they_are_said_to_end() -> None:
    assert shipped_law(1) is None
    assert shipped_law(LARGEST_SHIPPED) is not None
    assert shipped_law(LARGEST_SHIPPED + 1) is None
    assert all(shipped_law(n) is not None for n in range(2, LARGEST_SHIPPED + 1))


def test_the_table_is_small_and_comes_with_the_package() -> None:
    place = resources.files("saliscope.explainers.families") / "sampling_tables.npz"
    assert len(place.read_bytes()) < 100_000


def test_packed_laws_keep_every_class() -> None:
    laws = {n: tidy(solve(n).law) for n in (3, 5)}
    table = pack(laws)
    for n, law in laws.items():
        rows = table["features"] == n
        again = np.zeros((n, n))
        again[table["size"][rows] - 1, table["last"][rows] - 1] = table["share"][rows]
        np.testing.assert_array_equal(again, law)
