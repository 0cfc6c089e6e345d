"""Whose request it is: what the front tells a worker beside a request's own parameters."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from saliscope.protocol.validate import parse

#: Where it travels among the parameters of a request to a worker. The front drops it from what clients send.
FIELD: Final = "$origin"


class Origin(Struct, frozen=True, omit_defaults=True):
    """The number of the session that asks (fairness and `supersede` are by client), whether the request's rows must
    share no micro-batch with another's, and the engine that is to have it (none: the daemon's own).
    """

    client: int = 0
    alone: bool = False
    engine: str = ""

    def added_to(self, params: dict[str, Any]) -> dict[str, Any]:
        """The parameters as a worker gets them."""
        return {**params, FIELD: msgspec.to_builtins(self)}

    @classmethod
    def taken_from(cls, params: dict[str, Any]) -> Origin:
        """The origin that the front has added, removed from the parameters; without one the defaults.

        Raises `bad_request` if it is none.
        """
        return parse(cls, params.pop(FIELD, {}))[0]
