"""A straight path from a reference to the text, and the integral of gradients along it.

Sundararajan, Taly & Yan, "Axiomatic Attribution for Deep Networks", ICML 2017.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np

from saliscope.explainers.answers import Answer, Differentiated, Evaluated
from saliscope.explainers.families.layers import Groups
from saliscope.explainers.families.openings import read_value
from saliscope.explainers.problem import Problem, Scored
from saliscope.explainers.queries import Differentiate, Evaluate, Query, Value
from saliscope.explainers.variants import Layer, Moved, Reference

ROWS_PER_PARTIAL = 64

Wide = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Nodes = Literal["midpoint", "gauss-legendre", "left"]


PointCount = Annotated[int, msgspec.Meta(ge=1, le=1024, description="points of the first try")]
Placing = Annotated[Nodes, msgspec.Meta(description="where the points are, and their weights")]
Tolerance = Annotated[
    float, msgspec.Meta(ge=0.0, le=1.0, description="largest share of the target's change that may be missing")
]
MostPoints = Annotated[int, msgspec.Meta(ge=1, le=1024, description="no try has more points by doubling")]


@dataclass(frozen=True, slots=True)
class Path:
    """A straight line of `groups` of positions from a reference to the text, at the word embeddings or a layer."""

    layer: Layer
    reference: Reference
    groups: Groups

    def rows(self, alphas: Wide) -> Moved:
        """One row for each of `alphas [S]`: 0 is the reference, 1 the text."""
        z = np.repeat((alphas - 1.0).astype(np.float32)[:, None], len(self.groups), axis=1)
        return Moved(z, self.groups, self.reference, layer=self.layer)

    def products(self, problem: Problem, rows: Moved) -> Generator[Query | Scored, Answer, Wide]:
        """Gradient times the way from the reference, `[S, T]`, in each of `rows`; 0 where nothing moves."""
        answer = yield Differentiate(
            problem.encoding,
            problem.scalar,
            (self.layer,),
            reductions=("displacement",),
            rows=rows,
            reference=self.reference,
        )
        assert isinstance(answer, Differentiated)
        products = np.zeros((len(rows), len(problem.encoding)))
        positions = [position for group in self.groups for position in group]
        products[:, positions] = answer.products[self.layer, "displacement"][:, positions]
        return products

    def base_value(self, problem: Problem) -> Generator[Query | Scored, Answer, float]:
        """The target at the reference."""
        answer = yield Evaluate(problem.encoding, Value(problem.scalar), self.rows(np.zeros(1)))
        assert isinstance(answer, Evaluated)
        return float(answer.values[0])


@dataclass(frozen=True, slots=True)
class Rule:
    """How an integral is taken: `steps` points, doubled up to `max_steps` while more than `tolerance` is missing."""

    steps: int
    nodes: Nodes
    tolerance: float
    max_steps: int

    @property
    def tries(self) -> list[int]:
        """The numbers of points of every try that may be made."""
        tries = [self.steps]
        while 2 * tries[-1] <= self.max_steps:
            tries.append(2 * tries[-1])
        return tries

    def missed(self, integral: Integral) -> tuple[str, ...]:
        """A warning if the products do not add up."""
        if not integral.missing > self.tolerance:
            return ()
        missing = f"after {integral.steps} steps the scores miss {integral.missing:.0%} of the target's change"
        return (f"{missing}: more steps, or a nearer reference",)


@dataclass(frozen=True, slots=True)
class Integral:
    """`products [T]`: what each position adds on the way from `base_value` to `value`, from `steps` points."""

    products: Wide
    value: float
    base_value: float
    steps: int

    @property
    def missing(self) -> float:
        """The share of the target's change that the products fail to add up to."""
        change = self.value - self.base_value
        # A change below float32's resolution of the value is no change.
        return float(abs(change - self.products.sum()) / max(abs(change), 1e-6 * max(1.0, abs(self.value))))


def quadrature(nodes: Nodes, steps: int) -> tuple[Wide, Wide]:
    """Points `[S]` in [0, 1] and their weights `[S]`, which sum to 1."""
    if nodes == "gauss-legendre":
        points, weights = np.polynomial.legendre.leggauss(steps)
        return np.asarray((points + 1.0) / 2.0), np.asarray(weights / 2.0)
    offset = 0.5 if nodes == "midpoint" else 0.0
    return (np.arange(steps) + offset) / steps, np.full(steps, 1.0 / steps)


def integrate(
    problem: Problem, path: Path, rule: Rule, report: Callable[[Integral], Scored]
) -> Generator[Query | Scored, Answer, Integral]:
    """The integral along `path`, refined until it is complete; estimates so far are reported on the way."""
    value = read_value(problem)
    base_value = yield from path.base_value(problem)
    for steps in rule.tries:
        points, weights = quadrature(rule.nodes, steps)
        chunks = -(-steps // ROWS_PER_PARTIAL)
        total, used = np.zeros(len(problem.encoding)), 0.0
        for first in range(chunks):
            # Each query takes points from all along the path, so that an estimate before the last means something.
            own = slice(first, None, chunks)
            total += weights[own] @ (yield from path.products(problem, path.rows(points[own])))
            used += float(weights[own].sum())
            integral = Integral(total / used, value, base_value, steps)
            if first + 1 < chunks:
                yield report(integral)
        if steps == rule.tries[-1] or not integral.missing > rule.tolerance:
            break
        yield report(integral)
    return integral
