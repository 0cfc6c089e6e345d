"""What an explainer may ask of a model; `answers.py` has what it gets back, `variants.py` how rows are described.

A method never calls the model: it yields queries, described and not built, and receives answers. Whoever
drives the generator decides when and with whose rows each query is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from saliscope.explainers.answers import Answer, Differentiated, Evaluated, Reduction
from saliscope.explainers.targets.scalar import Kind, Scalar
from saliscope.explainers.texts.encoding import Encoding
from saliscope.explainers.variants import Layer, Reference, Rows


@dataclass(frozen=True, slots=True)
class Outputs:
    """Read the raw outputs at the pooled position: `[B, C]`, with `groups` those outputs instead (see `Scalar`)."""

    kind: Kind
    groups: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """Read one scalar at the pooled position: `[B]`."""

    scalar: Scalar

    @property
    def kind(self) -> Kind:
        """The head that is read."""
        return self.scalar.kind

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The outputs that are made of the head's own."""
        return self.scalar.groups


@dataclass(frozen=True, slots=True)
class Along:
    """Read a scalar at many positions, `[B, P]`; where it `reads_every` output, all at once, `[B, P, C]`.

    A next token without an index is the likeliest one after the last position of the row.
    """

    positions: tuple[int, ...]
    scalar: Scalar

    @property
    def kind(self) -> Kind:
        """The head that is read."""
        return self.scalar.kind

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The outputs that are made of the head's own."""
        return self.scalar.groups


@dataclass(frozen=True, slots=True)
class Moment:
    """Read the sum over rows of (value - about) * noise / its variance, and the displacements E - B: `[2, T, K]`.

    Divided by the rows it estimates the gradient, averaged over the noise (Stein). Rows must be `Moved` with noise.
    """

    scalar: Scalar
    about: float

    @property
    def kind(self) -> Kind:
        """The head that is read."""
        return self.scalar.kind

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The outputs that are made of the head's own."""
        return self.scalar.groups


Read = Outputs | Value | Along | Moment


@dataclass(frozen=True, eq=False)
class Evaluate:
    """Forward rows: the text itself (`rows` None, one row) or variants of it; `read` says what is wanted.

    With `outputs` the raw outputs at the pooled position of the first row come along.
    """

    encoding: Encoding
    read: Read
    rows: Rows | None = None
    outputs: bool = False

    @property
    def num_rows(self) -> int:
        """How many rows go through the model."""
        return 1 if self.rows is None else len(self.rows)


@dataclass(frozen=True, slots=True)
class Decoding:
    """Read positions back through a language-model head: `lens` "head", or "input" for the input embeddings.

    `head` names a model to take the head from; None is the model's own.
    """

    lens: Literal["head", "input"] = "head"
    head: str | None = None


Rule = Literal["cp-lrp", "attn-lrp", "deep-lift"]
"""A gradient that propagates relevance: which functions of the model count as constant, and which share evenly; or,
under "deep-lift", which have the slope between two rows. There rows are pairs: each text is followed by its reference.
"""


@dataclass(frozen=True, eq=False)
class Differentiate:
    """Rows forward and back: the gradient of `scalar` at `layers`, reduced to one number a position.

    `rows` None is the text itself. `reference` is what displacements of word embeddings are measured from; at a layer
    it is the rows' own. Gradients follow the `rule` if there is one; no value changes with it.
    """

    encoding: Encoding
    scalar: Scalar
    layers: tuple[Layer, ...]
    decoding: Decoding | None = None
    reductions: tuple[Reduction, ...] = ("activation",)
    rows: Rows | None = None
    reference: Reference = "mask"
    rule: Rule | None = None

    @property
    def num_rows(self) -> int:
        """How many rows go through the model."""
        return 1 if self.rows is None else len(self.rows)


AttentionForm = Literal["last", "rollout", "gae", "maps"]
"""What the attention maps A_l (rows look at columns, mean over heads) become: the pooled row of the last one, of the
product of all 0.5 (A_l + I), of the product of all I + relu(A_l * gradient), or all the maps.
"""


@dataclass(frozen=True, eq=False)
class Attend:
    """The text forward with its attention watched, for the form "gae" back as well."""

    encoding: Encoding
    scalar: Scalar
    form: AttentionForm

    @property
    def rows(self) -> None:
        """Attention is watched on the text itself."""
        return None

    @property
    def num_rows(self) -> int:
        """How many rows go through the model."""
        return 1


@dataclass(frozen=True, eq=False)
class Solve:
    """Pure computation on the CPU beside the device: `function(*arguments)`, both picklable, no model in it.

    One that `is_fenced` does its work in a process of its own that it starts and waits for.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    is_fenced: bool = False


Query = Evaluate | Differentiate | Attend | Solve
ModelQuery = Evaluate | Differentiate | Attend


def rows_together(query: ModelQuery) -> int:
    """How many rows at a time must stay in one micro-batch: pairs do, others go alone."""
    return 2 if isinstance(query, Differentiate) and query.rule == "deep-lift" else 1


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows `start:stop` of a query: what fits one micro-batch."""

    query: ModelQuery
    start: int
    stop: int

    @property
    def num_tokens(self) -> int:
        """Tokens of these rows, unpadded."""
        return (self.stop - self.start) * len(self.query.encoding)


def join(query: ModelQuery, pieces: list[Answer]) -> Answer:
    """One answer from the answers of a query's pieces, in row order."""
    first = pieces[0]
    if len(pieces) == 1:
        return first
    if isinstance(first, Differentiated):
        gradients = [piece for piece in pieces if isinstance(piece, Differentiated)]
        products = {key: np.concatenate([piece.products[key] for piece in gradients]) for key in first.products}
        return replace(first, values=np.concatenate([piece.values for piece in gradients]), products=products)
    values = [piece.values for piece in pieces if isinstance(piece, Evaluated)]
    if isinstance(query, Evaluate) and isinstance(query.read, Moment):
        moment = np.sum([value[0] for value in values], axis=0, dtype=np.float64)
        return Evaluated(np.stack([moment.astype(np.float32), values[0][1]]))
    outputs = first.outputs if isinstance(first, Evaluated) else None
    return Evaluated(np.concatenate(values), outputs)
