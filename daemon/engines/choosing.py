"""The engines of one daemon: its own, and those that jobs ask for by name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from saliscope.daemon.engines import NOBODY, Engine
from saliscope.protocol.listening import OnNotification
from saliscope.protocol.origin import Origin
from saliscope.protocol.results import MethodInfo


class Choosing:
    """Hands every request to the engine that its origin names, else to the daemon's own; an engine starts no worker
    before somebody asks it.
    """

    def __init__(self, engines: Mapping[str, Engine], own: str) -> None:
        self._engines, self._own = engines, own

    async def call(
        self,
        method: str,
        params: dict[str, Any],
        on_notification: OnNotification | None = None,
        origin: Origin = NOBODY,
    ) -> Any:
        """See `Engine`."""
        return await self._engines[origin.engine or self._own].call(method, params, on_notification, origin)

    async def facts(self) -> list[dict[str, Any]]:
        """See `Engine`; of all of them, each with the name of its engine."""
        told = await asyncio.gather(*(engine.facts() for engine in self._engines.values()))
        return [{"engine": name, **fact} for name, facts in zip(self._engines, told, strict=True) for fact in facts]

    def catalogue(self) -> list[MethodInfo] | None:
        """See `Engine`; the daemon's own."""
        return self._engines[self._own].catalogue()

    async def close(self) -> None:
        """See `Engine`; all of them."""
        await asyncio.gather(*(engine.close() for engine in self._engines.values()))
