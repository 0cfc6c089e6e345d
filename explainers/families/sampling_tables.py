"""Which classes of passes make the coalitions that are read fall as Shapley's kernel wants them (equation 16).

Minimises |P* - P^D|_1 over the law of the passes. The matrix of the conditional law has n^4 / 4 numbers; the recursion
of `coalitions.visits`, written as constraints with at most four numbers each, says the same.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse

from saliscope.explainers.families.coalitions import Wide, class_law, classes, conditional, pass_lengths

LARGEST_SHIPPED = 64
DUST = 1e-9
"""Classes below this share of the largest one are what a solver leaves behind."""


class Optimum(NamedTuple):
    """The best law `[n, n]` of passes, its mass free as solved; its distance |P* - P^D|_1; the dual `[n, n]`."""

    law: Wide
    distance: float
    dual: Wide


def solve(num_features: int) -> Optimum:
    """The optimum by the sparse programme; about 2 n^2 variables, HiGHS (n = 100: seconds, 200: a quarter minute)."""
    n = num_features
    sizes, lasts = classes(n)
    many = len(sizes)
    number = np.full((n + 2, n + 2), -1)
    number[sizes, lasts] = np.arange(many)
    start, waiting, tail, over, under = (block * many for block in range(5))
    entries = _Entries()
    below = lasts + 1

    # waiting(k, l): mass of "a uniform k-subset of the first l" = what starts, hits or passes by one feature later.
    row = np.arange(many)
    entries.add(row, waiting + row, 1.0)
    entries.add(row, start + number[sizes + 1, below], -1.0, number[sizes + 1, below] >= 0)
    entries.add(row, waiting + number[sizes + 1, below], -(sizes + 1) / below, number[sizes + 1, below] >= 0)
    entries.add(row, waiting + number[sizes, below], -(1 - sizes / below), number[sizes, below] >= 0)
    # tail(k, l): what starts or goes on one feature earlier.
    before = number[sizes - 1, lasts - 1]
    entries.add(many + row, tail + row, 1.0)
    entries.add(many + row, start + before, -1.0, before >= 0)
    entries.add(many + row, tail + before, -1.0, before >= 0)
    # starts + hits + tails - over + under = P*.
    entries.add(2 * many + row, start + row, 1.0)
    entries.add(2 * many + row, waiting + row, sizes / lasts)
    entries.add(2 * many + row, tail + row, 1.0)
    entries.add(2 * many + row, over + row, -1.0)
    entries.add(2 * many + row, under + row, 1.0)

    matrix = entries.matrix(3 * many, 5 * many)
    wanted = class_law(n)[sizes - 1, lasts - 1]
    found = _minimise(matrix, np.concatenate([np.zeros(2 * many), wanted]), slacks=2 * many, simplex=n <= 50)
    law, dual = np.zeros((n, n)), np.zeros((n, n))
    law[sizes - 1, lasts - 1] = found.x[:many]
    dual[sizes - 1, lasts - 1] = found.eqlin.marginals[2 * many :]
    return Optimum(law * pass_lengths(n), float(found.fun), dual)


def solve_matrix(num_features: int, printed: bool = False) -> Optimum:
    """The optimum by the whole matrix, with the paper's `printed` formula if asked; memory grows as n^4."""
    n = num_features
    sizes, lasts = classes(n)
    many = len(sizes)
    seen = conditional(n, printed=printed)[:, :-1].T
    matrix = sparse.csr_array(np.hstack([seen, -np.eye(many), np.eye(many)]))
    found = _minimise(matrix, class_law(n)[sizes - 1, lasts - 1], slacks=2 * many, simplex=n <= 50)
    law, dual = np.zeros((n, n)), np.zeros((n, n))
    law[sizes - 1, lasts - 1] = found.x[:many]
    dual[sizes - 1, lasts - 1] = found.eqlin.marginals
    return Optimum(law, float(found.fun), dual)


def solve_law(num_features: int, printed: bool = False) -> Wide:
    """The best law of passes `[n, n]`, summing to one, without what the solver left behind; slow for large n."""
    optimum = solve_matrix(num_features, printed=True) if printed else solve(num_features)
    return tidy(optimum.law)


def tidy(law: Wide) -> Wide:
    """The law without dust, summing to one."""
    kept = np.where(law > DUST * law.max(), law, 0.0)
    return np.asarray(kept / kept.sum(), dtype=np.float64)


def shipped_law(num_features: int) -> Wide | None:
    """The best law `[n, n]` from the tables that come with the package, 2 <= n <= 64; None outside."""
    if not 2 <= num_features <= LARGEST_SHIPPED:
        return None
    tables = _tables()
    rows = tables["features"] == num_features
    law = np.zeros((num_features, num_features))
    law[tables["size"][rows].astype(int) - 1, tables["last"][rows].astype(int) - 1] = tables["share"][rows]
    return np.asarray(law / law.sum(), dtype=np.float64)


def pack(laws: dict[int, Wide]) -> dict[str, npt.NDArray[Any]]:
    """Laws by number of features as the columns of the shipped table, one row a class."""
    counts, sizes, lasts, shares = [], [], [], []
    for n, law in sorted(laws.items()):
        size, last = np.nonzero(law)
        counts.append(np.full(len(size), n))
        sizes.append(size + 1)
        lasts.append(last + 1)
        shares.append(law[size, last])
    whole = {"features": counts, "size": sizes, "last": lasts}
    columns = {name: np.concatenate(parts).astype(np.uint8) for name, parts in whole.items()}
    return {**columns, "share": np.concatenate(shares)}


@cache
def _tables() -> dict[str, npt.NDArray[Any]]:
    place = resources.files("saliscope.explainers.families") / "sampling_tables.npz"
    with place.open("rb") as file, np.load(file) as stored:
        return dict(stored)


class _Entries:
    """Numbers of a sparse matrix, collected block by block."""

    def __init__(self) -> None:
        self._rows: list[Any] = []
        self._columns: list[Any] = []
        self._values: list[Any] = []

    def add(self, rows: Any, columns: Any, values: Any, where: Any = True) -> None:
        """Put `values` at (rows, columns); arrays broadcast, only entries `where` count."""
        rows, columns, values, where = np.broadcast_arrays(rows, columns, values, where)
        self._rows.append(rows[where])
        self._columns.append(columns[where])
        self._values.append(values[where])

    def matrix(self, num_rows: int, num_columns: int) -> Any:
        """The matrix, compressed by rows."""
        places = (np.concatenate(self._rows), np.concatenate(self._columns))
        return sparse.csr_array((np.concatenate(self._values), places), shape=(num_rows, num_columns))


def _minimise(matrix: Any, wanted: Wide, slacks: int, simplex: bool) -> Any:
    """Minimise the sum of the last `slacks` variables, all nonnegative, where `matrix @ x = wanted`."""
    cost = np.zeros(matrix.shape[1])
    cost[-slacks:] = 1.0
    # The solver's tolerances are absolute and the law spreads over thousands of classes.
    unit = float(np.max(wanted))
    way = "highs" if simplex else "highs-ipm"
    found = optimize.linprog(cost, A_eq=matrix, b_eq=wanted / unit, bounds=(0, None), method=way)
    if found.status != 0:
        raise ArithmeticError(f"the sampling law could not be solved: {found.message}")
    found.x *= unit
    found.fun *= unit
    return found
