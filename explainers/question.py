"""What a person asks about one text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asks about one text; None means the default, which the result names with its reason."""

    text: str
    method: str | None = None
    target: object = None
    scale: str | None = None
    granularity: str = "token"
    seed: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
