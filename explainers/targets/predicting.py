"""What the model says, as probabilities."""

from __future__ import annotations

import numpy as np

from saliscope.explainers.attribution import Prediction
from saliscope.explainers.facts import ModelView
from saliscope.explainers.texts.encoding import FloatArray


def predict(model: ModelView, names: tuple[str, ...] | None, outputs: FloatArray, top: int = 10) -> Prediction:
    """The prediction in raw `outputs [C]`: every one of `names`, or, with None, the `top` likeliest next tokens.

    A regression has a value and no probabilities.
    """
    best = int(np.argmax(outputs))
    activation = model.facts.activation if names == model.facts.labels else "softmax"
    if names is not None and activation == "identity":
        return Prediction("class", names[best], best, {}, float(outputs[best]))
    probabilities = _probabilities(outputs, activation)
    if names is not None:
        named = {names[i]: float(p) for i, p in enumerate(probabilities)}
        return Prediction("class" if names == model.facts.labels else "label-words", names[best], best, named)
    order = np.argsort(-probabilities, kind="stable")[:top]
    likely: dict[str, float] = {}
    for token_id in order:
        text = model.token_text(int(token_id))
        likely[text] = likely.get(text, 0.0) + float(probabilities[token_id])
    return Prediction("next-token", model.token_text(best), best, likely)


def _probabilities(outputs: FloatArray, activation: str) -> FloatArray:
    wide = outputs.astype(np.float64)
    if activation == "sigmoid":
        return np.asarray(1.0 / (1.0 + np.exp(-wide)), dtype=np.float32)
    shifted = np.exp(wide - wide.max())
    return np.asarray(shifted / shifted.sum(), dtype=np.float32)
