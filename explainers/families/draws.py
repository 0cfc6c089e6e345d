"""Random moves of the features of a text, and the rows and differences that come of them."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import numpy as np

from saliscope.explainers.answers import Answer, Evaluated
from saliscope.explainers.errors import NonFinite
from saliscope.explainers.families.fits import Wide
from saliscope.explainers.families.layers import check_layer
from saliscope.explainers.families.openings import whole_text
from saliscope.explainers.problem import Asked, Problem, Scored
from saliscope.explainers.queries import Evaluate, Query, Value
from saliscope.explainers.texts.encoding import BoolArray, FloatArray
from saliscope.explainers.variants import INPUT, Moved, Reference

LEAST_ROWS_PER_PARTIAL = 128
MOST_PARTIALS = 8


class Moves(msgspec.Struct):
    """How features move: each along its embedding less the reference, by a random share of mean 0."""

    sigma: Annotated[float, msgspec.Meta(gt=0, le=10, description="spread of a move; 1: to the reference")] = 0.5
    samples: Annotated[int, msgspec.Meta(ge=2, le=100_000, description="rows; null: by the features")] | None = None
    law: Annotated[
        Literal["gaussian", "uniform"], msgspec.Meta(description="distribution of a move; both have spread sigma")
    ] = "gaussian"
    normalize: Annotated[
        Literal["relative", "unit", "sphere"],
        msgspec.Meta(description="relative: to the distance; unit: all alike; sphere: every draw as long as the next"),
    ] = "relative"
    reference: Annotated[Reference, msgspec.Meta(description="what features move away from and towards")] = "mask"
    layer: Annotated[int, msgspec.Meta(ge=0, description="move its states; null: the embeddings")] | None = None
    antithetic: Annotated[bool, msgspec.Meta(description="use every draw with both signs")] = True

    def __post_init__(self) -> None:
        if self.layer is not None and self.reference != "mask":
            raise ValueError("reference: at a layer it is always the masked text; leave it out")


@dataclass(frozen=True, eq=False)
class Draws:
    """Moves `z [S, M, moving]` at S points of a path, which lie at `shifts [S]`, of the `active [n]` features."""

    z: FloatArray
    shifts: FloatArray
    active: BoolArray
    antithetic: bool

    @property
    def num_draws(self) -> int:
        """Draws at each point."""
        return int(self.z.shape[1])

    @property
    def num_rows(self) -> int:
        """Rows at each point."""
        return self.num_draws * (2 if self.antithetic else 1)

    def chunks(self) -> list[tuple[int, int]]:
        """Ranges of draws that give a partial estimate each."""
        rows = len(self.z) * (2 if self.antithetic else 1)
        step = max(-(-LEAST_ROWS_PER_PARTIAL // rows), -(-self.num_draws // MOST_PARTIALS))
        return [(at, min(at + step, self.num_draws)) for at in range(0, self.num_draws, step)]

    def rows(self, start: int, stop: int) -> FloatArray:
        """The moves of draws `start:stop` at every point, `[S * draws * signs, n]`; a pair is two rows in a row."""
        z = self.z[:, start:stop]
        signed = np.stack([z, -z], axis=2) if self.antithetic else z[:, :, None]
        rows = np.zeros((*signed.shape[:3], len(self.active)), dtype=np.float32)
        rows[..., self.active] = signed
        rows += self.shifts[:, None, None, None]
        return rows.reshape(-1, len(self.active))

    def differences(self, values: FloatArray, anchor: float) -> Wide:
        """What the moves changed, `[S, draws]`: half a pair's difference, or a value less the text's own."""
        wide = values.astype(np.float64).reshape(len(self.z), -1, 2 if self.antithetic else 1)
        return (wide[..., 0] - wide[..., 1]) / 2 if self.antithetic else wide[..., 0] - anchor

    def spread_out(self, scores: Wide) -> FloatArray:
        """Numbers of the moving features as numbers of all, `[n]`: 0 for what cannot move."""
        everything = np.zeros(len(self.active), dtype=np.float32)
        everything[self.active] = scores
        return everything


def open_moves(asked: Asked, params: Moves) -> Evaluate:
    """The prediction on the text itself; a layer that the model does not have is refused first."""
    if params.layer is not None:
        check_layer(asked, params.layer)
    return whole_text(asked, params)


def count_draws(params: Moves, rows: int) -> int:
    """How many draws `rows` rows hold, or as many as were asked for."""
    rows = params.samples or rows
    return -(-rows // 2) if params.antithetic else rows


def draw(problem: Problem, params: Moves, num_draws: int, shifts: FloatArray | None = None) -> Draws:
    """All moves of an explanation, from its seed."""
    shifts = np.zeros(1, dtype=np.float32) if shifts is None else shifts
    active = _moving(problem, params)
    rng = np.random.default_rng(problem.asked.seed)
    shape = (len(shifts), num_draws, int(active.sum()))
    edge = 3**0.5
    z = rng.standard_normal(shape) if params.law == "gaussian" else rng.uniform(-edge, edge, shape)
    if params.normalize == "sphere":
        z *= shape[2] ** 0.5 / np.maximum(np.linalg.norm(z, axis=2, keepdims=True), np.finfo(np.float64).tiny)
    return Draws((params.sigma * z).astype(np.float32), shifts, active, params.antithetic)


def evaluate_moves(problem: Problem, params: Moves, z: FloatArray) -> Generator[Query | Scored, Answer, FloatArray]:
    """The target on rows that move by `z [rows, n]`, `[rows]`; a value that is not finite is `NonFinite`."""
    moved = Moved(
        z,
        problem.groups,
        params.reference,
        "unit" if params.normalize == "unit" else "relative",
        INPUT if params.layer is None else params.layer,
    )
    answer = yield Evaluate(problem.encoding, Value(problem.scalar), moved)
    assert isinstance(answer, Evaluated)
    check_finite(answer.values)
    return answer.values


def check_finite(values: FloatArray) -> None:
    """Refuse values that are not finite, of which a fit would make nonsense for every feature."""
    if not np.isfinite(values).all():
        broken = int((~np.isfinite(values)).sum())
        raise NonFinite(f"the output is not finite in {broken} moved rows; try a smaller sigma or float32 weights")


def describe_reference(problem: Problem, params: Moves) -> str:
    """What a feature is that has moved by -1."""
    if params.layer is not None:
        return f"the states of layer {params.layer} with every feature as {problem.facts.mask_text!r}"
    if params.reference == "mask":
        return f"the embedding of {problem.facts.mask_text!r}"
    others = {"mean": "the mean of all embeddings", "pad": "the embedding of the pad token", "zero": "zero embeddings"}
    return others[params.reference]


def _moving(problem: Problem, params: Moves) -> BoolArray:
    """Which features differ from the reference: one that is written as the mask token has nowhere to go."""
    if params.reference != "mask" or (params.layer or 0) > 0:
        return np.ones(len(problem.groups), dtype=np.bool_)
    other = problem.encoding.ids != problem.facts.mask_id
    return np.asarray([other[list(group)].any() for group in problem.groups], dtype=np.bool_)
