"""What a person asks about one text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saliscope.explainers.texts.inputs import Input, Windows


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asks about one text; None means the default, which the result names with its reason."""

    text: str | None
    method: str | None = None
    target: object = None
    scale: str | None = None
    granularity: str = "token"
    seed: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    pair: str | None = None
    messages: Any = None
    add_generation_prompt: bool | None = None
    windows: Windows = "cut"

    @property
    def input(self) -> Input:
        """What is explained."""
        return Input(self.text, self.pair, self.messages, self.add_generation_prompt)
