"""A model that is no model: word embeddings in float64, and an output that is a known function of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from saliscope.explainers import Attribution, Question, drive
from saliscope.explainers.answers import Answer, Evaluated, Solved
from saliscope.explainers.explaining import explaining
from saliscope.explainers.facts import Constants, ModelFacts
from saliscope.explainers.queries import Evaluate, Moment, Outputs, Query, Solve
from saliscope.explainers.targets.scales import scaled
from saliscope.explainers.texts.encoding import Encoding
from saliscope.explainers.variants import INPUT, Masked, Moved
from tests.explainers.fakes import ENCODER, MASK, FakeModel, table_game

WIDTH = 4
Array = np.ndarray[Any, Any]
Function = Callable[[Array], float]
"""The score of the class "yes" from embeddings `[T, K]`; "no" scores 0."""


@dataclass
class SoftModel:
    """A `ModelView` that answers from `function` without rounding; the word "..." is the mask token."""

    function: Function
    leading: int = 0
    queries: list[Query] = field(default_factory=list)
    constants: Constants = field(default_factory=Constants)

    def __post_init__(self) -> None:
        self.table = np.random.default_rng(0).normal(size=(1000, WIDTH))
        self.words = FakeModel(table_game(1, 0), capabilities=ENCODER, leading=self.leading)

    @property
    def facts(self) -> ModelFacts:
        return self.words.facts

    def encode(self, text: str, most: int | None = None) -> Encoding:
        encoding = self.words.encode(text)
        for token in encoding.tokens:
            if token.text == "...":
                encoding.ids[list(token.positions)] = MASK
        return encoding

    def token_text(self, token_id: int) -> str:
        return f"<{token_id}>"

    def find_token(self, text: str) -> int:
        return 10

    def embeddings(self, text: str) -> Array:
        """`E [T, K]` of a text."""
        return np.asarray(self.table[self.encode(text).ids])

    def reference(self, kind: str = "mask") -> Array:
        """`B [K]`."""
        return {"mask": self.table[MASK], "mean": self.table.mean(axis=0), "zero": np.zeros(WIDTH)}[kind]

    def answer(self, query: Query) -> Answer:
        """What a model would say, in float64."""
        self.queries.append(query)
        if isinstance(query, Solve):
            return Solved(query.function(*query.arguments))
        assert isinstance(query, Evaluate)
        rows, noise = self.build(query)
        outputs = np.asarray([[0.0, self.function(row)] for row in rows])
        if isinstance(query.read, Outputs):
            return Evaluated(outputs, outputs[0] if query.outputs else None)
        assert query.read.scalar.index is not None
        values = scaled(outputs, query.read.scalar.index, query.read.scalar.scale)
        if isinstance(query.read, Moment):
            assert isinstance(query.rows, Moved)
            moment = np.einsum("b,btk->tk", values - query.read.about, noise) / self.deviation(query) ** 2
            away = self.table[query.encoding.ids] - self.reference(query.rows.reference)
            return Evaluated(np.stack([moment, away]))
        return Evaluated(values)

    def build(self, query: Evaluate) -> tuple[Array, Array]:
        """Embeddings and noise of every row, `[B, T, K]`."""
        base, described = self.table[query.encoding.ids], query.rows
        rows = np.repeat(base[None], query.num_rows, axis=0)
        noise = np.zeros_like(rows)
        if isinstance(described, Masked):
            rows[described.hidden(len(base), 0, query.num_rows)] = self.table[MASK]
        if isinstance(described, Moved):
            assert described.layer == INPUT
            away = base - self.reference(described.reference)
            sizes = np.asarray([np.linalg.norm(away[list(group)]) for group in described.groups])
            nu = np.median(sizes) / sizes if described.normalise == "unit" else np.ones_like(sizes)
            for feature, group in enumerate(described.groups):
                rows[:, list(group)] += (described.z[:, feature] * nu[feature])[:, None, None] * away[list(group)]
            noise = self.noise(query, described)
        return rows + noise, noise

    def noise(self, query: Evaluate, rows: Moved) -> Array:
        """Noise of every row, from its seed, with the other sign in every second row of a pair."""
        shape = (query.num_rows, len(query.encoding), WIDTH)
        out = np.zeros(shape)
        if rows.noise is None:
            return out
        inside = [position for group in rows.groups for position in group]
        step = 2 if rows.noise.antithetic else 1
        drawn = np.random.default_rng(rows.noise.seed).normal(size=(-(-shape[0] // step), len(inside), WIDTH))
        drawn *= self.deviation(query)
        out[::step, inside] = drawn
        if step == 2:
            out[1::2, inside] = -drawn[: shape[0] // 2]
        return out

    def deviation(self, query: Evaluate) -> float:
        """The standard deviation of the noise."""
        assert isinstance(query.rows, Moved)
        assert query.rows.noise is not None
        inside = [position for group in query.rows.groups for position in group]
        lengths = np.linalg.norm(self.table[query.encoding.ids][inside], axis=-1)
        return float(query.rows.noise.sigma * lengths.mean() / WIDTH**0.5)

    @property
    def rows(self) -> int:
        """How many rows were asked for so far."""
        return sum(query.num_rows for query in self.queries if isinstance(query, Evaluate))

    def moves(self) -> Array:
        """Every move that was asked for, `[rows, n]`."""
        asked = [
            query.rows.z for query in self.queries if isinstance(query, Evaluate) and isinstance(query.rows, Moved)
        ]
        return np.concatenate(asked).astype(np.float64)

    def explain(self, text: str, method: str, partials: list[Attribution] | None = None, **options: Any) -> Attribution:
        """An explanation of "yes"; `granularity` and `seed` as usual, other `options` are the method's own."""
        usual = {name: options.pop(name) for name in ("granularity", "seed", "scale") if name in options}
        question = Question(text, method, "yes", params=options, **usual)
        return drive(explaining(self, question), self.answer, None if partials is None else partials.append)


def linear(seed: int = 1) -> tuple[Array, Function]:
    """Weights `w [K]` and `sum over positions of <w, E_t>`."""
    w = np.random.default_rng(seed).normal(size=WIDTH)
    return w, lambda embeddings: float((embeddings @ w).sum())


@dataclass
class TanhNet:
    """A smooth function with interactions, `v' tanh(sum over positions of tanh(E W))`, and its gradient."""

    seed: int = 2
    gain: float = 1.0

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        self.inner = rng.normal(size=(WIDTH, WIDTH)) * self.gain
        self.outer = rng.normal(size=WIDTH)

    def __call__(self, embeddings: Array) -> float:
        return float(self.outer @ np.tanh(np.tanh(embeddings @ self.inner).sum(axis=0)))

    def gradient(self, embeddings: Array) -> Array:
        """`dF/dE [T, K]`."""
        hidden = np.tanh(embeddings @ self.inner)
        top = self.outer * (1 - np.tanh(hidden.sum(axis=0)) ** 2)
        return np.asarray(((1 - hidden**2) * top) @ self.inner.T)
