"""The methods that are checked on every model and on long texts; all the others are on tiny models and short ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from saliscope.explainers import Attribution, Question, drive, explain
from saliscope.explainers.explaining import explaining
from saliscope.explainers.registry import fitting

TEXT = "the plot is a mess but the cast is wonderful"
NAMES = ["demo-encoder", "demo-decoder", "bert", "roberta", "albert", "modernbert", "gpt2", "llama", "gemma2"]
CORE = ("decoded-grad-cam", "sp-pi", "input-x-gradient", "grad-cam", "occlusion", "random")


def core(model: Any, kind: str = "class") -> list[str]:
    """Those of them that fit a model and a kind of target."""
    return [name for name in fitting(model.facts, kind) if name in CORE]


def every_explanation(model: Any, text: str = TEXT, **options: Any) -> dict[tuple[str, str], Attribution]:
    """By method and kind of target, whatever of the core fits."""
    return {
        (method, kind): explain(model, text, method=method, target=None if kind == "class" else kind, **options)
        for kind in model.facts.kinds
        for method in core(model, kind)
    }


def same_with_another_seed(model: Any, method: str, params: dict[str, Any]) -> bool:
    """Assert that neither micro-batches nor a second run change scores; whether another seed leaves them too."""
    text = "so so dull, but so warm"
    alone, together = (
        drive(explaining(model, Question(text, method, 1, params=params)), lambda q, b=budget: model.answer(q, b))
        for budget in (1, 4096)
    )
    np.testing.assert_allclose(alone.scores, together.scores, atol=1e-5)
    np.testing.assert_array_equal(together.scores, explain(model, text, method=method, target=1, **params).scores)
    other = explain(model, text, method=method, target=1, seed=1, **params).scores
    return bool(np.array_equal(other, together.scores))
