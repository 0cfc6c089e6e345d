"""What the model says, as probabilities."""

from __future__ import annotations

import numpy as np

from saliscope.explainers.attribution import Prediction
from saliscope.explainers.facts import ModelView
from saliscope.explainers.targets.scales import Activation
from saliscope.explainers.texts.encoding import FloatArray


def predict_class(model: ModelView, outputs: FloatArray) -> Prediction:
    """The prediction of a classifier in its raw `outputs [C]`; a regression has a value and no probabilities."""
    labels, best = model.facts.labels, int(np.argmax(outputs))
    if model.facts.activation == "identity":
        return Prediction("class", labels[best], best, {}, float(outputs[best]))
    return Prediction("class", labels[best], best, _named(labels, outputs, model.facts.activation))


def predict_label(labels: tuple[str, ...], outputs: FloatArray) -> Prediction:
    """The likeliest of `labels` that were given in words, in their raw `outputs [C]`."""
    best = int(np.argmax(outputs))
    return Prediction("label-words", labels[best], best, _named(labels, outputs, "softmax"))


def predict_next(model: ModelView, outputs: FloatArray, top: int = 10) -> Prediction:
    """The `top` likeliest next tokens in the raw `outputs [V]`; tokens of one text are added."""
    probabilities, best = _probabilities(outputs, "softmax"), int(np.argmax(outputs))
    likely: dict[str, float] = {}
    for token_id in np.argsort(-probabilities, kind="stable")[:top]:
        text = model.token_text(int(token_id))
        likely[text] = likely.get(text, 0.0) + float(probabilities[token_id])
    return Prediction("next-token", model.token_text(best), best, likely)


def _named(names: tuple[str, ...], outputs: FloatArray, activation: Activation) -> dict[str, float]:
    return {name: float(p) for name, p in zip(names, _probabilities(outputs, activation), strict=True)}


def _probabilities(outputs: FloatArray, activation: Activation) -> FloatArray:
    wide = outputs.astype(np.float64)
    if activation == "sigmoid":
        return np.asarray(1.0 / (1.0 + np.exp(-wide)), dtype=np.float32)
    shifted = np.exp(wide - wide.max())
    return np.asarray(shifted / shifted.sum(), dtype=np.float32)
