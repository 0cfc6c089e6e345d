"""What the person has chosen: model, method, target and the rest, as the daemon takes it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from saliscope.protocol.targets import read_target
from saliscope.protocol.verbs.documents import RecordOptions


class Choices(Struct, frozen=True):
    """How the text is explained; None is the daemon's choice. `target` is written as for `saliscope explain -t`."""

    model: str | None = None
    method: str | None = None
    target: str | None = None
    granularity: str = "token"
    params: dict[str, Any] = {}
    format: str | None = None

    def options(self) -> RecordOptions:
        """The options of a live document; what was not chosen is left out, so that a `saliscope.toml` may say it."""
        options = RecordOptions()
        if self.model is not None:
            options["model"] = self.model
        if self.method is not None:
            options["method"] = self.method
        if self.target is not None:
            options["target"] = read_target(self.target)
        if self.granularity != "token":
            options["granularity"] = self.granularity
        if self.params:
            options["params"] = self.params
        if self.format is not None:
            options["format"] = self.format
        return options
