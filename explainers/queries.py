"""What an explainer may ask of a model, and what it gets back.

A method never calls the model: it yields queries, described and not built, and receives answers. Whoever
drives the generator decides when and with whose rows each query is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from saliscope.explainers.encoding import BoolArray, Encoding, FloatArray, IntArray
from saliscope.explainers.targets import Kind, Scalar

Layer = int
"""0 is what enters the first block, l the output of block l; `INPUT` are the word embeddings themselves."""

INPUT: Layer = -1


@dataclass(frozen=True, eq=False)
class Masked:
    """Rows with hidden features: `keep [B, n]` over the `groups` of positions; hidden ones hold the mask id."""

    keep: BoolArray
    groups: tuple[tuple[int, ...], ...]

    def ids(self, encoding: Encoding, mask_id: int, start: int, stop: int) -> IntArray:
        """Materialise rows `start:stop` as ids `[rows, T]`."""
        rows = np.repeat(encoding.ids[None, :], stop - start, axis=0)
        for feature, positions in enumerate(self.groups):
            hidden = ~self.keep[start:stop, feature]
            rows[np.ix_(hidden, np.asarray(positions))] = mask_id
        return rows


@dataclass(frozen=True, slots=True)
class Outputs:
    """Read the raw outputs at the pooled position: `[B, C]`."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class Value:
    """Read one scalar at the pooled position: `[B]`."""

    scalar: Scalar

    @property
    def kind(self) -> Kind:
        """The output that is read."""
        return self.scalar.kind


@dataclass(frozen=True, slots=True)
class Along:
    """Read a scalar at many positions, `[B, P]`; for the kind "class" every class at once, `[B, P, C]`.

    A next token without an index is the likeliest one after the last position of the row.
    """

    positions: tuple[int, ...]
    scalar: Scalar

    @property
    def kind(self) -> Kind:
        """The output that is read."""
        return self.scalar.kind


Read = Outputs | Value | Along


@dataclass(frozen=True, eq=False)
class Evaluate:
    """Forward rows: the text itself (`rows` None, one row) or variants of it; `read` says what is wanted.

    With `outputs` the raw outputs at the pooled position of the first row come along.
    """

    encoding: Encoding
    read: Read
    rows: Masked | None = None
    outputs: bool = False

    @property
    def num_rows(self) -> int:
        """How many rows go through the model."""
        return 1 if self.rows is None else len(self.rows.keep)


@dataclass(frozen=True, slots=True)
class Decoding:
    """Read positions back through a language-model head: `lens` "head", or "input" for the input embeddings.

    `head` names a model to take the head from; None is the model's own.
    """

    lens: Literal["head", "input"] = "head"
    head: str | None = None


@dataclass(frozen=True, eq=False)
class Differentiate:
    """One row forward and back: the gradient of `scalar` at `layers`, reduced to `<gradient, activation>`."""

    encoding: Encoding
    scalar: Scalar
    layers: tuple[Layer, ...]
    decoding: Decoding | None = None

    @property
    def num_rows(self) -> int:
        """How many rows go through the model."""
        return 1


Query = Evaluate | Differentiate


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
    """Answers `Differentiate`: raw `outputs [C]`, the scalar's `value` at output `index`, products
    `[T]` by layer."""

    outputs: FloatArray
    index: int
    value: float
    inner: Mapping[Layer, FloatArray]
    decoded: Mapping[Layer, Decoded] = field(default_factory=dict)


Answer = Evaluated | Differentiated


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows `start:stop` of a query: what fits one micro-batch."""

    query: Query
    start: int
    stop: int

    @property
    def num_tokens(self) -> int:
        """Tokens of these rows, unpadded."""
        return (self.stop - self.start) * len(self.query.encoding)


def join(pieces: list[Answer]) -> Answer:
    """One answer from the answers of a query's pieces, in row order."""
    if len(pieces) == 1:
        return pieces[0]
    values: list[npt.NDArray[np.float32]] = [piece.values for piece in pieces if isinstance(piece, Evaluated)]
    if len(values) != len(pieces):
        raise TypeError("only Evaluate is cut into pieces")
    first = pieces[0]
    return Evaluated(np.concatenate(values), first.outputs)
