"""The methods that are checked on every model and on long texts; all the others are on tiny models and short ones."""

from __future__ import annotations

from typing import Any

from saliscope.explainers import Attribution, explain
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
