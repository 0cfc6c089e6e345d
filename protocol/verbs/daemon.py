"""The daemon itself: how it is, what it can do, what it keeps, and its end."""

from __future__ import annotations

from typing import Any

from saliscope.protocol.results import Cleared, MethodInfo, Methods, Status
from saliscope.protocol.validate import read
from saliscope.protocol.verbs.verb import Call, answer, verb


class DaemonVerbs:
    """Ask the daemon about itself."""

    @verb
    def status(self) -> Call[Status]:
        """How the daemon is; never starts a worker."""
        return Call("status", answer(Status))

    @verb
    def methods(self) -> Call[list[MethodInfo]]:
        """The catalogue of explanation methods."""
        return Call("methods/list", lambda told: read(told, Methods).methods)

    @verb
    def clear_cache(self) -> Call[Cleared]:
        """Have the daemon forget all results that it keeps: the bytes that this has freed."""
        return Call("cache/clear", answer(Cleared))

    @verb
    def ping(self) -> Call[dict[str, Any]]:
        """`{pong: true, version}`."""
        return Call("ping", answer(dict[str, Any]))

    @verb
    def shutdown(self) -> Call[dict[str, Any]]:
        """End the daemon after the requests in flight."""
        return Call("shutdown", answer(dict[str, Any]))
