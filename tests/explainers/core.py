"""The methods that are checked on every model and on long texts; all the others are on tiny models and short ones."""

from __future__ import annotations

from typing import Any

from saliscope.explainers.registry import fitting

CORE = ("decoded-grad-cam", "sp-pi", "input-x-gradient", "grad-cam", "occlusion", "random")


def core(model: Any, kind: str = "class") -> list[str]:
    """Those of them that fit a model and a kind of target."""
    return [name for name in fitting(model.facts, kind) if name in CORE]
