"""How the front reaches workers: the one interface that the front knows."""

from __future__ import annotations

from typing import Any, Final, Protocol

from saliscope.protocol.listening import OnNotification
from saliscope.protocol.origin import Origin
from saliscope.protocol.results import MethodInfo

#: The origin of what the front asks for itself.
NOBODY: Final = Origin()


class Engine(Protocol):
    """Runs requests on workers that it starts when the first one needs one."""

    async def call(
        self,
        method: str,
        params: dict[str, Any],
        on_notification: OnNotification | None = None,
        origin: Origin = NOBODY,
    ) -> Any:
        """The worker's result; raises its `SaliscopeError`. Cancelling the awaiting task cancels the request.

        `origin` tells the worker whose request it is.
        """

    async def facts(self) -> list[dict[str, Any]]:
        """What each living worker says of itself (its `status`), at most a moment old; starts none."""

    def catalogue(self) -> list[MethodInfo] | None:
        """The methods that a living worker has announced; None without one."""

    async def close(self) -> None:
        """End the workers."""
