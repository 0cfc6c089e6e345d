"""The daemon's answers in the shapes of `--json`."""

from __future__ import annotations

from typing import Final

from saliscope.cli.shapes import (
    CostShape,
    ExplainShape,
    PredictShape,
    ScoredFeature,
    ScoredToken,
    TextPrediction,
    TokenizeShape,
)
from saliscope.protocol.explanation import Explanation
from saliscope.protocol.results import Predictions, Tokenized

_SAME: Final = tuple(name for name in ExplainShape.__struct_fields__ if name not in ("tokens", "features", "cost"))


def explain_shape(explanation: Explanation) -> ExplainShape:
    """An explanation of the wire as `--json` shows it: scores beside what they belong to."""
    stderr = explanation.outputs[0].stderr if explanation.outputs else None
    by_token = {
        token: score
        for feature, score in zip(explanation.features, explanation.scores, strict=True)
        for token in feature.tokens
    }
    features = [
        ScoredFeature(feature.text, feature.start, feature.end, score, None if stderr is None else stderr[index])
        for index, (feature, score) in enumerate(zip(explanation.features, explanation.scores, strict=True))
    ]
    tokens = [
        ScoredToken(token.text, token.start, token.end, token.special, by_token.get(index))
        for index, token in enumerate(explanation.tokens)
    ]
    same = {name: getattr(explanation, name) for name in _SAME}
    cost = CostShape(explanation.cost.forward_rows, explanation.cost.backward_rows)
    return ExplainShape(tokens=tokens, features=features, cost=cost, **same)


def predict_shape(texts: list[str], answer: Predictions) -> PredictShape:
    """Predictions of the wire beside their texts."""
    cuts = answer.truncated_at or [None] * len(texts)
    masked = answer.masked or [[] for _ in texts]
    rows = [
        TextPrediction(text, found.label, found.index, found.kind, found.probabilities, found.value, cut, hidden)
        for text, found, cut, hidden in zip(texts, answer.predictions, cuts, masked, strict=True)
    ]
    return PredictShape(answer.model, rows, answer.warnings)


def tokenize_shape(text: str, answer: Tokenized) -> TokenizeShape:
    """Tokens of the wire beside their text."""
    return TokenizeShape(text, answer.model, answer.tokens, answer.truncated_at, answer.max_tokens, answer.warnings)
