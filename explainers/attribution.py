"""The result of an explanation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from saliscope.explainers.targets.scalar import Target
from saliscope.explainers.texts.encoding import FloatArray, Segment, Token
from saliscope.explainers.texts.features import Feature


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the model says: class probabilities, or the likeliest next tokens; of a regression only its `value`."""

    kind: str
    label: str
    index: int
    probabilities: Mapping[str, float]
    value: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The wire's map."""
        return {
            "kind": self.kind,
            "label": self.label,
            "index": self.index,
            "probabilities": dict(self.probabilities),
            "value": self.value,
        }


@dataclass(frozen=True, slots=True)
class Cost:
    """Rows through the model: counted, and the upper bound that was promised beforehand."""

    forward_rows: int = 0
    backward_rows: int = 0
    promised_forward_rows: int = 0
    promised_backward_rows: int = 0

    def plus(self, forward: int, backward: int) -> Cost:
        """The cost after these rows."""
        return replace(self, forward_rows=self.forward_rows + forward, backward_rows=self.backward_rows + backward)

    def to_dict(self) -> dict[str, int]:
        """The wire's map."""
        return {
            "forward_rows": self.forward_rows,
            "backward_rows": self.backward_rows,
            "promised_forward_rows": self.promised_forward_rows,
            "promised_backward_rows": self.promised_backward_rows,
        }


@dataclass(frozen=True, eq=False)
class Output:
    """Scores for one target: `scores [n]` align with the features; `layer` where they come from, if from one, and the
    `step` of a continuation whose token they explain.
    """

    target: Target
    scores: FloatArray
    layer: int | None = None
    stderr: FloatArray | None = None
    step: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The wire's map."""
        return {
            "target": target_dict(self.target),
            "scores": self.scores.tolist(),
            "layer": self.layer,
            "step": self.step,
            "stderr": None if self.stderr is None else self.stderr.tolist(),
        }


@dataclass(frozen=True, eq=False)
class Attribution:
    """Which features decided: `scores [n]` (float32) align with `features`.

    `value` is the target on the text, `base_value` on the reference where the method has one, and `gap` what an
    additive method fails to distribute.
    """

    text: str
    model: str
    method: str
    params: Mapping[str, Any]
    target: Target
    scale: str
    granularity: str
    prediction: Prediction
    tokens: tuple[Token, ...]
    features: tuple[Feature, ...]
    outputs: tuple[Output, ...]
    value: float
    base_value: float | None
    signed: bool
    additive: bool
    baseline: str | None
    seed: int
    estimate: Literal["partial", "final"]
    cost: Cost
    timing_ms: Mapping[str, float]
    truncated_at: int | None
    fingerprint: str
    why: tuple[str, ...] = ()
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    segments: tuple[Segment, ...] = ()

    @property
    def scores(self) -> FloatArray:
        """The scores of the asked output, `[n]`."""
        return self.outputs[0].scores

    @property
    def stderr(self) -> FloatArray | None:
        """How far the scores of the asked output may be off by the draw, `[n]`, where the method can tell."""
        return self.outputs[0].stderr

    @property
    def gap(self) -> float | None:
        """`value - base_value - sum(scores)` of an additive method, else None."""
        if not self.additive or self.base_value is None:
            return None
        return float(self.value - self.base_value - np.sum(self.scores, dtype=np.float64))

    def top(self, k: int = 5) -> list[tuple[str, float]]:
        """The k features that support the target most, strongest first."""
        order = np.argsort(-self.scores, kind="stable")[:k]
        return [(self.features[i].text, float(self.scores[i])) for i in order]

    def to_dict(self) -> dict[str, Any]:
        """The wire's map: plain types only."""
        return {
            "text": self.text,
            "model": self.model,
            "method": self.method,
            "params": dict(self.params),
            "target": target_dict(self.target),
            "scale": self.scale,
            "granularity": self.granularity,
            "prediction": self.prediction.to_dict(),
            "tokens": [token_dict(token) for token in self.tokens],
            "features": [_feature_dict(feature) for feature in self.features],
            "scores": self.scores.tolist(),
            "outputs": [output.to_dict() for output in self.outputs],
            "value": self.value,
            "base_value": self.base_value,
            "signed": self.signed,
            "additive": self.additive,
            "gap": self.gap,
            "baseline": self.baseline,
            "seed": self.seed,
            "estimate": self.estimate,
            "cost": self.cost.to_dict(),
            "timing_ms": dict(self.timing_ms),
            "truncated_at": self.truncated_at,
            "fingerprint": self.fingerprint,
            "why": list(self.why),
            "diagnostics": dict(self.diagnostics),
            "warnings": list(self.warnings),
            "segments": [segment_dict(segment) for segment in self.segments],
        }

    @property
    def seen_to(self) -> int | None:
        """Where reading ended for good: not where only an earlier segment was cut."""
        return self.truncated_at if not self.segments else self.segments[-1].truncated_at

    def _repr_html_(self) -> str:
        """The text in colours, for notebooks."""
        from saliscope.render.html import fragment
        from saliscope.render.painting import Mark, Painting
        from saliscope.render.panel import Panel

        pairs = zip(self.features, self.scores, strict=True)
        marks = [Mark(feature.start, feature.end, float(score)) for feature, score in pairs]
        painting = Painting(self.text, marks, signed=self.signed, seen_to=self.seen_to)
        return fragment([Panel(painting, title=self.method, target=self.target.label)])


def target_dict(target: Target) -> dict[str, Any]:
    """A target as the wire's map."""
    return {"kind": target.kind, "label": target.label, "index": target.index, "against": target.against}


def token_dict(token: Token) -> dict[str, Any]:
    """A token as the wire's map."""
    return {
        "text": token.text,
        "start": token.start,
        "end": token.end,
        "special": token.special,
        "ids": list(token.ids),
    }


def segment_dict(segment: Segment) -> dict[str, Any]:
    """A segment as the wire's map."""
    return {
        "name": segment.name,
        "start": segment.start,
        "end": segment.end,
        "truncated_at": segment.truncated_at,
    }


def _feature_dict(feature: Feature) -> dict[str, Any]:
    return {"text": feature.text, "start": feature.start, "end": feature.end, "tokens": list(feature.tokens)}
