"""One text under evaluation, and the scores that a method gave it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from saliscope.explainers.answers import Answer, Evaluated
from saliscope.explainers.attribution import Attribution
from saliscope.explainers.errors import NonFinite, NotCapable
from saliscope.explainers.facts import ModelFacts, ModelView
from saliscope.explainers.queries import Evaluate, Outputs, Query, Value
from saliscope.explainers.targets.scalar import Kind, Scalar, Scale
from saliscope.explainers.targets.scales import scaled
from saliscope.explainers.texts.encoding import BoolArray, Encoding, FloatArray, IntArray, Nudge
from saliscope.explainers.texts.features import Feature
from saliscope.explainers.variants import Hiding, Masked, Moved, Replaced, Rows

Wide = np.ndarray[Any, np.dtype[np.float64]]
Looking = Generator[Query, Answer, Wide]
Erasure = Hiding | Literal["zero", "unk", "random-word"]
"""How features go: as `Masked` hides them, or to the zero embedding, the unknown token, words drawn at random."""
Explaining = Generator[Query, Answer, Attribution]


@dataclass(frozen=True, eq=False)
class Scores:
    """A method's scores `values [n]` of one text, on the `scale` they explain; `ties [n]` order equal ones.

    `again` explains once more with a seed and a nudge, None where the scores were computed elsewhere. `is_random` marks
    the control, which stands for any order.
    """

    name: str
    values: Wide
    ties: Wide | None
    scale: Scale
    again: Callable[[int, Nudge | None], Explaining] | None = None
    is_random: bool = False
    cost: tuple[int, int] | None = None
    seconds: float | None = None


@dataclass(eq=False)
class Subject:
    """A text, its features, its label if there is one, and the explained output `index` of a head.

    Rows that were computed are kept: metrics and methods that hide the same features share them, and `notes` hold
    whatever else is the same for every method. `scale` is the evaluation's own, on which methods are compared.
    """

    model: ModelView
    encoding: Encoding
    features: tuple[Feature, ...]
    kind: Kind
    scale: Scale
    outputs: FloatArray
    index: int
    gold: int | None
    granularity: str
    seed: int
    number: int
    rank: int
    """Where the text stands when texts are taken in an order that spreads over the data."""
    notes: dict[Any, Any] = field(default_factory=dict)
    _seen: dict[tuple[Erasure, bytes], Wide] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind == "class":
            whole = np.ones(len(self.features), dtype=np.bool_)
            self._seen["replace", np.packbits(whole).tobytes()] = self.outputs.astype(np.float64)

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model."""
        return self.model.facts

    @property
    def own_seed(self) -> int:
        """The seed of explanations: texts of one length must not share their draws."""
        return self.seed + self.number

    @property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """The positions of each feature."""
        return tuple(feature.positions for feature in self.features)

    @property
    def sizes(self) -> Wide:
        """How many positions each feature has, `[n]`."""
        return np.asarray([len(feature.positions) for feature in self.features], dtype=np.float64)

    def look(self, keep: BoolArray, hiding: Erasure) -> Looking:
        """What the model says with only the features of each row `keep [B, n]` visible, `[B, C]`; each row once."""
        keys = [("replace" if row.all() else hiding, np.packbits(row).tobytes()) for row in keep]
        missing = {key: row for key, row in zip(keys, keep, strict=True) if key not in self._seen}
        if missing:
            # Rows of like length share a micro-batch where hidden tokens are left out.
            ordered = sorted(missing, key=lambda key: int(missing[key].sum()))
            rows = self._rows(np.stack([missing[key] for key in ordered]), hiding)
            self._seen.update(zip(ordered, (yield from self.read(rows)), strict=True))
        return np.stack([self._seen[key] for key in keys])

    def _rows(self, keep: BoolArray, hiding: Erasure) -> Rows:
        if hiding == "zero":
            return Moved(keep.astype(np.float32) - 1, self.groups, "zero")
        if hiding == "unk" or hiding == "random-word":
            hidden = Masked(keep, self.groups).hidden(len(self.encoding), 0, len(keep))
            return Replaced(np.where(hidden, self._others(hiding), self.encoding.ids))
        return Masked(keep, self.groups, hiding)

    def _others(self, hiding: Literal["unk", "random-word"]) -> IntArray:
        """What stands in for each position, `[T]`: never its own id where words are drawn, and the same for every row,
        so that methods meet the same words.
        """
        ids = self.encoding.ids
        if hiding == "unk":
            assert self.model.unknown_id is not None
            return np.full_like(ids, self.model.unknown_id)
        words = self.model.ordinary_ids
        drawn = np.random.default_rng((self.seed, self.number, 4)).integers(len(words), size=len(ids))
        return np.where(words[drawn] == ids, words[(drawn + 1) % len(words)], words[drawn])

    def read(self, rows: Rows | None) -> Looking:
        """What the model says of rows, `[B, C]`: all class outputs, or the log-probability of the explained token."""
        scalar = Scalar(self.kind, self.index, "logprob")
        answer = yield Evaluate(self.encoding, Outputs("class") if self.kind == "class" else Value(scalar), rows)
        assert isinstance(answer, Evaluated)
        values = answer.values.astype(np.float64)
        if not np.isfinite(values).all():
            raise NonFinite("the model's output is not finite when features are hidden or moved; try float32 weights")
        return values if self.kind == "class" else values[:, None]

    def probability(self, rows: Wide) -> Wide:
        """The explained output's probability in what `read` gave, `[B]`."""
        return self.value(rows, "prob")

    def value(self, rows: Wide, scale: Scale) -> Wide:
        """The explained output on a scale in what `read` gave, `[B]`."""
        if self.kind == "class":
            return np.asarray(scaled(rows, self.index, scale, self.facts.activation))
        logprob = rows[:, 0]
        match scale:
            case "logprob":
                return logprob
            case "prob":
                return np.exp(logprob)
            case "loss":
                return -logprob
            case "margin":
                return np.asarray(logprob - np.log(-np.expm1(np.minimum(logprob, -1e-12))))
        raise NotCapable("a next token is measured on the scales logprob, margin, prob or loss; name one of them")

    def correct(self, rows: Wide) -> Wide:
        """1 where the model's answer is the label, else 0, `[B]`."""
        assert self.gold is not None
        return np.asarray(rows.argmax(axis=1) == self.gold, dtype=np.float64)
