"""The outcome of one unit, a text and a method, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from saliscope.explainers.errors import ExplainerError


@dataclass(frozen=True, slots=True)
class Record:
    """What came of entry `name` on text number `text`; a table is made of nothing but these.

    `metrics` holds by name what a metric measured (`Measured.to_dict()`) or `{"error": …}`; `error` says why there are
    no scores at all. `label` is the class or token that was explained.
    """

    text: int
    name: str
    num_features: int = 0
    label: str | None = None
    predicted: str | None = None
    correct: bool | None = None
    forward_rows: int | None = None
    backward_rows: int | None = None
    seconds: float | None = None
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    error: str | None = None
    code: str | None = None

    @property
    def unit(self) -> tuple[int, str]:
        """What makes it unique."""
        return self.text, self.name

    def to_dict(self) -> dict[str, Any]:
        """Plain types only."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Record:
        """The record that `to_dict` made the map of."""
        return msgspec.convert(found, cls)


def described(error: Exception) -> tuple[str, str]:
    """What a failure says to a person, and its code."""
    if isinstance(error, ExplainerError):
        return error.message, error.code
    return f"{type(error).__name__}: {error}", "internal"
