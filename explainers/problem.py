"""What a method is given to work on, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from saliscope.explainers.answers import Answer
from saliscope.explainers.facts import Constants, ModelFacts
from saliscope.explainers.targets.scalar import Scalar, Target
from saliscope.explainers.texts.encoding import Encoding, FloatArray
from saliscope.explainers.texts.features import Feature
from saliscope.explainers.variants import Hiding, Masked


@dataclass(frozen=True, slots=True)
class Asked:
    """A text and a question, before the model has said anything: `scalar.index` may still be None."""

    facts: ModelFacts
    constants: Constants
    encoding: Encoding
    features: tuple[Feature, ...]
    scalar: Scalar
    seed: int
    find_token: Callable[[str], int]
    """The first id of a word; one that gives no token is `BadRequest`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """The question with its target resolved, and the answer to the method's opening query."""

    asked: Asked
    target: Target
    scalar: Scalar
    opening: Answer

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model."""
        return self.asked.facts

    @property
    def encoding(self) -> Encoding:
        """The text as the model sees it."""
        return self.asked.encoding

    @property
    def features(self) -> tuple[Feature, ...]:
        """What is to be scored."""
        return self.asked.features

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The positions of each feature."""
        return tuple(feature.positions for feature in self.asked.features)

    def keep(self, rows: np.ndarray[Any, np.dtype[np.bool_]], hiding: Hiding = "replace") -> Masked:
        """Rows `[B, n]` that keep these features and hide the others."""
        return Masked(rows, self.groups, hiding)

    def regroup(self, per_position: FloatArray) -> FloatArray:
        """Sum scores `[T]` of positions into scores `[n]` of features."""
        sums = [per_position[list(group)].sum(dtype=np.float64) for group in self.groups]
        return np.asarray(sums, dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores `[n]` of a method, with what belongs to them.

    `every [n, C]` are those of every class at once, `layers` those of other layers by number; `signed` and `additive`
    say otherwise than the method where parameters make it so.
    """

    scores: FloatArray
    value: float | None = None
    base_value: float | None = None
    layer: int | None = None
    every: FloatArray | None = None
    layers: Mapping[int, FloatArray] = field(default_factory=dict)
    signed: bool | None = None
    additive: bool | None = None
    stderr: FloatArray | None = None
    baseline: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
