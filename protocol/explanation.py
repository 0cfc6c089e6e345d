"""One explanation and its parts: tokens and features of the text, the prediction, the scores, the cost."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from saliscope.protocol.terms import PROTOCOL_VERSION


# A long document has 100,000s of these two: they hold nothing that could hold them, and are not looked at for cycles.
class Token(Struct, gc=False):
    """One piece of the source text: `text == source[start:end]`, in code points.

    Byte-level pieces that share a character are one token with several `ids`.
    """

    text: str
    start: int
    end: int
    special: bool
    ids: list[int] = field(default_factory=list)


class Segment(Struct):
    """One text of a pair or message of a chat: `source[start:end]`, where the texts are joined by a line break.

    `truncated_at` is the first code point of it that the model does not see.
    """

    name: str
    start: int
    end: int
    truncated_at: int | None = None


class Prediction(Struct):
    """The model's answer: labels (or next tokens) with their probabilities, likeliest first for next tokens.

    A regression has no probabilities, but a `value`.
    """

    label: str
    index: int
    probabilities: dict[str, float]
    kind: Literal["class", "next-token", "label-words"] = "class"
    value: float | None = None


class Feature(Struct, gc=False):
    """What is scored: a group of `tokens` (indices) that covers `source[start:end]`."""

    text: str
    start: int
    end: int
    tokens: list[int]


class Cost(Struct):
    """Rows through the model, counted; `promised_*` was said before the run (an upper bound where it adapts)."""

    forward_rows: int
    backward_rows: int
    promised_forward_rows: int = 0
    promised_backward_rows: int = 0


class TargetInfo(Struct):
    """The target as resolved: `index` is the class or token id, `label` its name, `against` what it is held against."""

    kind: str
    label: str
    index: int
    against: str | None = None


class Output(Struct):
    """Scores for one target (and layer, and token of a continuation): `scores[i]` belongs to `features[i]`."""

    target: TargetInfo
    scores: list[float]
    layer: int | None = None
    stderr: list[float] | None = None
    step: int | None = None


class Explanation(Struct):
    """One finished (or partial) explanation; `scores` is the asked output's and aligns with `features`.

    `cached`: it is that of an earlier request, whose cost and timing it tells.
    `segments` says where the texts of a pair or the messages of a chat lie in `text`; features never cross them.
    """

    text: str
    model: str
    method: str
    params: dict[str, Any]
    target: TargetInfo
    scale: str
    granularity: str
    prediction: Prediction
    tokens: list[Token]
    features: list[Feature]
    scores: list[float]
    outputs: list[Output]
    value: float
    base_value: float | None
    signed: bool
    additive: bool
    gap: float | None
    baseline: str | None
    seed: int
    estimate: Literal["partial", "final"]
    cost: Cost
    timing_ms: dict[str, float]
    truncated_at: int | None
    fingerprint: str
    why: list[str] = field(default_factory=list)
    diagnostics: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    protocol: int = PROTOCOL_VERSION
    segments: list[Segment] = field(default_factory=list)
    cached: bool = False

    @property
    def stderr(self) -> list[float] | None:
        """How far the scores may be off by the draw, one number a feature, where the method can tell."""
        return self.outputs[0].stderr
