"""What an explainer may ask of a model, and what it gets back.

A method never calls the model: it yields queries, described and not built, and receives answers. Whoever
drives the generator decides when and with whose rows each query is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from saliscope.explainers.encoding import BoolArray, Encoding, FloatArray, IntArray
from saliscope.explainers.targets import Kind, Scalar

Layer = int
"""0 is what enters the first block, l the output of block l; `INPUT` are the word embeddings themselves."""

INPUT: Layer = -1


Hiding = Literal["replace", "drop", "attention"]
"""What hiding a feature means: another id in its place, its tokens left out, or nobody may look at them."""

Reference = Literal["mask", "mean", "zero", "pad"]
"""What a word embedding is compared with: the mask token's, the vocabulary's mean, nothing, or the pad token's."""


@dataclass(frozen=True, eq=False)
class Masked:
    """Rows with hidden features: `keep [B, n]` over the `groups` of positions.

    Under "drop" and "attention" a row ends at its last visible token, so no output depends on what is hidden; a row
    with nothing left is one mask token. "drop" rows can be read at their end only.
    """

    keep: BoolArray
    groups: tuple[tuple[int, ...], ...]
    hiding: Hiding = "replace"

    def __len__(self) -> int:
        return len(self.keep)

    def hidden(self, num_positions: int, start: int, stop: int) -> BoolArray:
        """Which positions rows `start:stop` hide, `[rows, T]`."""
        hidden = np.zeros((stop - start, num_positions), dtype=np.bool_)
        for feature, positions in enumerate(self.groups):
            hidden[:, list(positions)] = ~self.keep[start:stop, feature, None]
        return hidden


@dataclass(frozen=True, slots=True)
class Noise:
    """Gaussian noise on every position of the features, drawn row by row from `seed` and the row's number.

    `unit` gives `sigma` its size: "range" (largest less smallest embedding value of the text), "norm" (mean length of
    its embeddings over sqrt(K)). With `antithetic` row 2k+1 has the noise of row 2k with the other sign.
    """

    sigma: float
    seed: int
    unit: Literal["range", "norm"] = "norm"
    antithetic: bool = False


@dataclass(frozen=True, eq=False)
class Moved:
    """Rows whose features move away from or towards a reference B: `E_i + z_i D_i`, `D_i = nu_i (E_i - B_i)`.

    `z [B, n]` over the `groups`; z = -1 is the reference itself. nu is 1 ("relative") or gives every feature the median
    length ("unit"). `layer` says where: the word embeddings, or a layer's states; there B is what the referenced text
    gives, its special tokens kept, and "zero" no state at all.
    """

    z: FloatArray
    groups: tuple[tuple[int, ...], ...]
    reference: Reference = "mask"
    normalise: Literal["relative", "unit"] = "relative"
    layer: Layer = INPUT
    noise: Noise | None = None

    def __len__(self) -> int:
        return len(self.z)


@dataclass(frozen=True, eq=False)
class Replaced:
    """Rows with other ids: `ids [B, T]`, as long as the text."""

    ids: IntArray

    def __len__(self) -> int:
        return len(self.ids)


Rows = Masked | Moved | Replaced


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


Reduction = Literal["activation", "displacement", "sum", "l1", "l2", "l2-activation"]
"""What a gradient g at a position becomes: <g, h>, <g, E - B>, the sum of g, |g|_1, |g|_2, |g * h|_2.

E is the unmoved text; above the word embeddings only rows that are `Moved` at that layer have an E - B. In the pairs of
the rule "deep-lift" E - B is the way from the second row to the first, for both.
"""


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
    """Pure computation on the CPU beside the device: `function(*arguments)`, both picklable, no model in it."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


Query = Evaluate | Differentiate | Attend | Solve
ModelQuery = Evaluate | Differentiate | Attend


def rows_together(query: ModelQuery) -> int:
    """How many rows at a time must stay in one micro-batch: pairs do, others go alone."""
    return 2 if isinstance(query, Differentiate) and query.rule == "deep-lift" else 1


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
