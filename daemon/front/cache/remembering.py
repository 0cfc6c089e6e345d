"""An engine in front of the engine: what was explained before is not computed again."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, NamedTuple

import msgspec

from saliscope.daemon.engines import NOBODY, Engine
from saliscope.daemon.front.cache.keys import Keys, KnownModel, may_be_kept
from saliscope.daemon.front.cache.results import Results
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import Notification
from saliscope.protocol.listening import OnNotification
from saliscope.protocol.messages import BUNDLED
from saliscope.protocol.origin import Origin
from saliscope.protocol.parameters import Explain
from saliscope.protocol.results import MethodInfo
from saliscope.protocol.validate import parse

#: Before an old answer is given, the model behind the name must have been seen within so many seconds.
TRUSTED_S: Final = 2.0


class _Place(NamedTuple):
    """Where a name stands for a model: the engine may have its workers elsewhere."""

    model: str
    engine: str


class Remembering:
    """Answers `explain` from `results` where the same was asked of the same model; everything else is the engine's."""

    def __init__(self, engine: Engine, results: Results) -> None:
        self._engine, self.results = engine, results
        self._keys = Keys()
        self._models: dict[_Place, tuple[KnownModel, float]] = {}
        self._learning: set[asyncio.Task[None]] = set()

    async def call(
        self,
        method: str,
        params: dict[str, Any],
        on_notification: OnNotification | None = None,
        origin: Origin = NOBODY,
    ) -> Any:
        """See `Engine`."""
        if method == "explain":
            asked, _ = parse(Explain, params)
            if may_be_kept(asked):
                return await self._explain(asked, params, on_notification, origin)
        if method not in ("models/load", "models/unload"):
            return await self._engine.call(method, params, on_notification, origin)
        # Whatever was known of the name may be over now.
        place = _Place(params["model"], origin.engine)
        self._models.pop(place, None)
        answer = await self._engine.call(method, params, on_notification, origin)
        if method == "models/load":
            self._learn(place, answer)
        return answer

    async def facts(self) -> list[dict[str, Any]]:
        """See `Engine`."""
        return await self._engine.facts()

    def catalogue(self) -> list[MethodInfo] | None:
        """See `Engine`."""
        return self._engine.catalogue()

    async def close(self) -> None:
        """See `Engine`; what waits is written."""
        for task in self._learning:
            task.cancel()
        await self._engine.close()
        await self.results.close()

    async def _explain(
        self, asked: Explain, params: dict[str, Any], listen: OnNotification | None, origin: Origin
    ) -> Any:
        place = _Place(asked.model or BUNDLED[0], origin.engine)
        known = self._models.get(place)
        keys = [] if known is None else self._keys.of(asked, known[0])
        found: dict[bytes, dict[str, Any]] = {}
        if keys and asked.keep_alive is None:
            found = await self.results.get(keys)
            if found and not await self._is_still(place, known):
                found = {}
        if not isinstance(asked.text, list):
            if found:
                return {**found[keys[0]], "cached": True}
            answer = await self._engine.call("explain", params, listen, origin)
            self._keep(place, asked, [answer])
            return answer
        left = [at for at in range(len(asked.text)) if not keys or keys[at] not in found]
        explanations = {at: {**found[key], "cached": True} for at, key in enumerate(keys) if key in found}
        warnings: list[str] = []
        if left or not asked.text:
            fewer = params if len(left) == len(asked.text) else _only(params, asked, left)
            try:
                answer = await self._engine.call("explain", fewer, _renumbered(listen, left), origin)
            except SaliscopeError as error:
                if fewer is params:
                    raise
                raise error.numbered(left) from error
            explanations |= zip(left, answer["explanations"], strict=True)
            warnings = answer.get("warnings", [])
            some = msgspec.convert(fewer, Explain)
            self._keep(place, some, answer["explanations"])
        return {"explanations": [explanations[at] for at in range(len(asked.text))], "warnings": warnings}

    def _keep(self, place: _Place, asked: Explain, answers: list[dict[str, Any]]) -> None:
        """Keep what is final; of a model that is not known yet, when it is."""
        final = [at for at, answer in enumerate(answers) if answer.get("estimate") == "final"]
        fingerprint = answers[0].get("fingerprint") if final else None
        if not fingerprint:
            return
        known = self._models.get(place)
        if known is None or known[0].fingerprint != fingerprint:
            # Warnings about this very request may be added to what we have given.
            answers = [{**answer} for answer in answers]
            task = asyncio.create_task(self._ask(place))
            self._learning.add(task)
            task.add_done_callback(self._learning.discard)
            task.add_done_callback(lambda _: self._put(place, asked, answers, final))
        else:
            self._models[place] = (known[0], time.monotonic())
            self._put(place, asked, answers, final)

    def _put(self, place: _Place, asked: Explain, answers: list[dict[str, Any]], final: list[int]) -> None:
        known = self._models.get(place)
        if known is None:
            return
        keys = self._keys.of(asked, known[0])
        for at in final:
            if answers[at]["fingerprint"] == known[0].fingerprint:
                self.results.put(keys[at], answers[at])

    async def _is_still(self, place: _Place, known: tuple[KnownModel, float] | None) -> bool:
        """Whether the name still stands for the model that the keys were made of."""
        assert known is not None
        if time.monotonic() - known[1] > TRUSTED_S:
            await self._ask(place)
        now = self._models.get(place)
        return now is not None and now[0] == known[0]

    async def _ask(self, place: _Place) -> None:
        """Have the engine say which model a name stands for, loading it if need be."""
        try:
            fields = {"model": place.model, "download": False}
            self._learn(place, await self._engine.call("models/load", fields, None, Origin(engine=place.engine)))
        except SaliscopeError:
            # Whoever asks about a text is told why.
            self._models.pop(place, None)

    def _learn(self, place: _Place, info: dict[str, Any]) -> None:
        if info.get("fingerprint"):
            self._models[place] = (KnownModel(info["fingerprint"], info.get("device", "")), time.monotonic())


def _only(params: dict[str, Any], asked: Explain, left: list[int]) -> dict[str, Any]:
    """The same request about some of its texts."""
    assert isinstance(asked.text, list)
    fewer: dict[str, Any] = {**params, "text": [asked.text[at] for at in left]}
    if isinstance(asked.pair, list):
        fewer["pair"] = [asked.pair[at] for at in left]
    return fewer


def _renumbered(listen: OnNotification | None, left: list[int]) -> OnNotification | None:
    """The listener of a request about some texts, for one about all of them."""
    if listen is None:
        return None

    def hear(notification: Notification) -> None:
        params = notification.params
        if notification.method == "explain/partial" and params is not None:
            notification = Notification(notification.method, {**params, "index": left[params["index"]]})
        listen(notification)

    return hear
