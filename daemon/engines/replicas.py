"""The engine of several devices: the same worker on each, and every request goes to the one with least to do."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter, OrderedDict
from collections.abc import Iterator
from typing import Any, Final

from saliscope.daemon.engines import NOBODY
from saliscope.daemon.engines.local import LocalEngine
from saliscope.daemon.engines.trial import Trial, stage, until_answered
from saliscope.daemon.engines.zygote import ZygoteSpawner
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.listening import OnNotification
from saliscope.protocol.origin import Origin
from saliscope.protocol.results import MethodInfo

log = logging.getLogger(__name__)

#: What every living worker is told, and how their answers are one.
_TOLD_ALL: Final = frozenset({"models/unload", "cache/clear"})
_URGENCY: Final = {"interactive": 0, "request": 1, "bulk": 2}
#: So many keys of `supersede` are remembered with the worker that they went to.
_MOST_KEPT: Final = 4096


class Replica:
    """One device: its engine, the texts that are with it by urgency, and the models that it cannot load."""

    def __init__(self, spawner: ZygoteSpawner) -> None:
        self.engine = LocalEngine(spawner)
        self.unable: set[str] = set()
        self._loading: Counter[str] = Counter()
        self._texts: Counter[int] = Counter()

    def knows(self, model: str) -> bool:
        """Whether it has the model, is about to, or never will by itself."""
        return self.engine.has(model) or model in self._loading or model in self.unable

    async def load_model(self, fields: dict[str, Any], origin: Origin) -> None:
        """Load a model (`fields` of `models/load`); where that fails it is noted."""
        model = fields["model"]
        self._loading[model] += 1
        try:
            await self.engine.call("models/load", fields, None, origin)
            self.unable.discard(model)
        except SaliscopeError as error:
            log.warning("a model is not on every device: %s", error.code)
            # Whose worker only ended may try again.
            if error.code != "internal":
                self.unable.add(model)
        finally:
            self._loading -= Counter([model])

    def load(self, urgency: int) -> tuple[int, int]:
        """Texts that go before one of this urgency, or beside it; and all texts."""
        return sum(count for one, count in self._texts.items() if one <= urgency), self._texts.total()

    @contextlib.contextmanager
    def busy(self, urgency: int, num_texts: int) -> Iterator[None]:
        """It has so many texts more, inside."""
        self._texts[urgency] += num_texts
        try:
            yield
        finally:
            self._texts[urgency] -= num_texts


class Replicas:
    """As many workers as `spawner` has places; one that dies is replaced, and its requests go to the others.

    A model that is asked for is loaded everywhere. Requests go where it is loaded, to the worker with the fewest texts
    of their urgency; those with the same `supersede` (versions of one text) go where the last one went.
    """

    def __init__(self, spawner: ZygoteSpawner) -> None:
        self._spawner = spawner
        self._opening: asyncio.Task[None] | None = None
        self._replicas: list[Replica] = []
        self._last: OrderedDict[tuple[int, str], Replica] = OrderedDict()
        self._chores: set[asyncio.Task[Any]] = set()

    async def call(
        self,
        method: str,
        params: dict[str, Any],
        on_notification: OnNotification | None = None,
        origin: Origin = NOBODY,
    ) -> Any:
        """See `Engine`; the answer to `models/load` comes with the first worker that has it, with their number."""
        await self._opened(on_notification)
        if method in _TOLD_ALL:
            return await self._tell_all(method, params, origin)
        urgency = _URGENCY[params.get("priority") or "request"]
        texts = params.get("text", params.get("texts"))
        num_texts = len(texts) if isinstance(texts, list) else 1
        key = (origin.client, params["supersede"]) if params.get("supersede") else None

        async def attempt(trial: Trial, listen: OnNotification) -> Any:
            replica = self._choose(trial.model, urgency, key)
            if method == "models/load":
                self._load_on(self._replicas, params, origin, besides=replica)
            elif trial.model is not None:
                lacking = [one for one in self._replicas if not one.knows(trial.model)]
                fields = {"model": trial.model, "download": params.get("download", False)}
                self._load_on(lacking, fields, origin, besides=replica)
            with replica.busy(urgency, num_texts):
                return await replica.engine.attempt(trial, params, listen, origin)

        answer = await until_answered(method, params, on_notification, attempt)
        return {**answer, "replicas": len(self._replicas)} if method == "models/load" else answer

    async def facts(self) -> list[dict[str, Any]]:
        """See `Engine`."""
        told = await asyncio.gather(*(replica.engine.facts() for replica in self._replicas))
        return [fact for facts in told for fact in facts]

    def catalogue(self) -> list[MethodInfo] | None:
        """See `Engine`."""
        known = (replica.engine.catalogue() for replica in self._replicas)
        return next((methods for methods in known if methods is not None), None)

    async def close(self) -> None:
        """See `Engine`."""
        for task in (*self._chores, *([self._opening] if self._opening else ())):
            task.cancel()
        await asyncio.gather(*(replica.engine.retire() for replica in self._replicas))
        await self._spawner.close()

    async def _opened(self, on_notification: OnNotification | None) -> None:
        """Wait until it is known how many places there are."""
        if self._replicas:
            return
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open())
        if on_notification is not None:
            on_notification(stage("starting the cluster"))
        await asyncio.shield(self._opening)

    async def _open(self) -> None:
        self._replicas = [Replica(self._spawner) for _ in range(await self._spawner.places())]

    def _choose(self, model: str | None, urgency: int, key: tuple[int, str] | None) -> Replica:
        last = None if key is None else self._last.get(key)
        if last is not None and last.engine.has(model):
            chosen = last
        else:
            chosen = min(
                self._replicas,
                key=lambda one: (not one.engine.has(model), model in one.unable, *one.load(urgency)),
            )
        if key is not None:
            self._last[key] = chosen
            self._last.move_to_end(key)
            if len(self._last) > _MOST_KEPT:
                self._last.popitem(last=False)
        return chosen

    def _load_on(self, replicas: list[Replica], fields: dict[str, Any], origin: Origin, *, besides: Replica) -> None:
        """Have a model loaded while nobody waits for it."""
        for replica in replicas:
            if replica is not besides:
                task = asyncio.create_task(replica.load_model(fields, origin))
                self._chores.add(task)
                task.add_done_callback(self._chores.discard)

    async def _tell_all(self, method: str, params: dict[str, Any], origin: Origin) -> dict[str, Any]:
        """Have all living workers do it (or the first, if none lives); what they have freed is added up."""
        living = [one for one in self._replicas if one.engine.has(None)] or self._replicas[:1]
        told = await asyncio.gather(*(one.engine.call(method, params, None, origin) for one in living))
        whole: dict[str, Any] = {}
        for answer in told:
            whole = _added(whole, answer)
        return whole


def _added(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two answers as one: numbers are added, a truth of either is true."""
    whole = dict(one)
    for name, value in other.items():
        before = whole.get(name)
        if isinstance(value, dict):
            whole[name] = _added(before or {}, value)
        elif isinstance(value, bool | list):
            whole[name] = before or value
        else:
            whole[name] = (before or 0) + value
    return whole
