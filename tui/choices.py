"""What the person has chosen: model, method, target and the rest, as the daemon takes it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from saliscope.protocol.requests import RecordOptions
from saliscope.protocol.targets import read_target


class Choices(Struct, frozen=True):
    """How the text is explained; None is the daemon's choice. `target` is written as for `saliscope explain -t`."""

    model: str | None = None
    method: str | None = None
    target: str | None = None
    granularity: str = "token"
    params: dict[str, Any] = {}
    format: str | None = None

    def options(self) -> RecordOptions:
        """The options of a live document."""
        return RecordOptions(
            model=self.model,
            method=self.method,
            target=read_target(self.target),
            granularity=self.granularity,
            params=self.params,
            format=self.format,
        )
