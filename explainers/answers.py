"""What an explainer gets back for its queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from saliscope.explainers.texts.encoding import FloatArray, IntArray
from saliscope.explainers.variants import Layer

Reduction = Literal["activation", "displacement", "sum", "l1", "l2", "l2-activation"]
"""What a gradient g at a position becomes: <g, h>, <g, E - B>, the sum of g, |g|_1, |g|_2, |g * h|_2.

E is the unmoved text; above the word embeddings only rows that are `Moved` at that layer have an E - B. In the pairs of
the rule "deep-lift" E - B is the way from the second row to the first, for both.
"""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Answers `Evaluate`: float32 `values`, shaped as its `read` says.

    `outputs [C]` are the raw outputs at the pooled position of the first row, if the query asked for them.
    """

    values: FloatArray
    outputs: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class Decoded:
    """How much of each input id lies in each position: `share [U, T]` for the ids `unique [U]`.

    `rate` is the mean share of a position's own id over the tokens of the text; `head` names the source.
    """

    unique: IntArray
    share: FloatArray
    rate: float
    head: str


@dataclass(frozen=True, eq=False)
class Differentiated:
    """Answers `Differentiate`: raw `outputs [C]` of the first row, the scalar's output `index`, `values [B]`, and
    `products [B, T]` by layer and reduction; `decoded` belongs to the first row.
    """

    outputs: FloatArray
    index: int
    values: FloatArray
    products: Mapping[tuple[Layer, Reduction], FloatArray]
    decoded: Mapping[Layer, Decoded] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The scalar on the first row."""
        return float(self.values[0])

    @property
    def inner(self) -> Mapping[Layer, FloatArray]:
        """`<gradient, activation>` of the first row, `[T]` by layer."""
        return {layer: rows[0] for (layer, kind), rows in self.products.items() if kind == "activation"}


@dataclass(frozen=True, eq=False)
class Attended:
    """Answers `Attend`: raw `outputs [C]`, the scalar's output `index` and `value`, the weight `pooled [T]` with which
    the output reads each position of the last layer, and `weights`: `[T]`, or `[L, T, T]` for the form "maps".
    """

    outputs: FloatArray
    index: int
    value: float
    pooled: FloatArray
    weights: FloatArray


@dataclass(frozen=True, eq=False)
class Solved:
    """Answers `Solve`: what the function returned."""

    result: Any


Answer = Evaluated | Differentiated | Attended | Solved
