"""A session whose daemon is in this process: the real front of documents, and a model that knows a few words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Hashable
from typing import Any

import msgspec

from saliscope.daemon.front.limits import FrontLimits
from saliscope.daemon.front.live.documents import Documents
from saliscope.protocol.documents import (
    ChangeDocument,
    CloseDocument,
    ConfigureDocument,
    FocusDocument,
    OpenDocument,
)
from saliscope.protocol.errors import DisconnectedError, SaliscopeError
from saliscope.protocol.explanation import Explanation, Prediction
from saliscope.protocol.frames import Notification
from saliscope.protocol.listening import OnNotification
from saliscope.protocol.live import LiveSession
from saliscope.protocol.parameters import Mask
from saliscope.protocol.results import MethodInfo, ModelInfo, Predictions, Progress
from saliscope.protocol.watching import Watcher
from tests.daemon.fake_worker import explanation

SCORES = {"wonderful": 2.0, "good": 1.0, "fun": 0.5, "bad": -1.0, "dull": -2.0}
MOST = 40


def explained(params: dict[str, Any]) -> dict[str, Any]:
    """Each word is a token and a feature; the model reads 40 words."""
    parts = [params["text"], *([params["pair"]] if params.get("pair") else [])]
    text = "\n".join(parts)
    found = list(re.finditer(r"\w+", text))
    seen = found[:MOST]
    scores = [SCORES.get(word.group().casefold(), 0.01) for word in seen]
    positive = min(max(0.5 + sum(scores) / 5, 0.01), 0.99)
    label = "positive" if positive >= 0.5 else "negative"
    wish = params.get("target")
    contrast = wish if isinstance(wish, dict) and wish.get("kind") == "contrast" else None
    aim = wish if isinstance(wish, str) else contrast["label"] if contrast else label
    scores = scores if aim == "positive" else [-score for score in scores]
    base = explanation(text, scores)
    segments, at = [], 0
    for name, part in zip(("text", "pair"), parts, strict=False):
        segments.append({"name": name, "start": at, "end": at + len(part), "truncated_at": None})
        at += len(part) + 1
    return {
        **base,
        "model": params.get("model") or "fake",
        "method": params.get("method") or "quick",
        "target": {
            "kind": "contrast" if contrast else "class",
            "label": aim,
            "index": int(aim == "positive"),
            "against": contrast["against"] if contrast else None,
        },
        "signed": True,
        "prediction": {
            "label": label,
            "index": int(positive >= 0.5),
            "probabilities": {"negative": 1 - positive, "positive": positive},
        },
        "tokens": [
            {"text": one.group(), "start": one.start(), "end": one.end(), "special": False, "ids": [1]} for one in seen
        ],
        "features": [
            {"text": one.group(), "start": one.start(), "end": one.end(), "tokens": [n]} for n, one in enumerate(seen)
        ],
        "truncated_at": found[MOST].start() if len(found) > MOST else None,
        "segments": segments if len(parts) > 1 else [],
        "timing_ms": {"total": 7.0},
    }


class FakeDaemon:
    """What outlives its connections: `down` refuses them, models may be unknown.

    Texts with a word of `held` wait; those with one of `unexplained` are predicted, and wait for an explanation.
    """

    def __init__(self) -> None:
        self.down = False
        self.held: set[str] = set()
        self.unexplained: set[str] = set()
        self.unknown: dict[str, str] = {}
        self.loaded: set[str] = set()
        self.slow = asyncio.Event()
        self.slow.set()
        self.asked: list[dict[str, Any]] = []
        self.events: list[str] = []
        self.client: FakeClient | None = None
        self.sessions: list[FakeSession] = []

    def session(self, **options: Any) -> FakeSession:
        """As `LiveSession(...)`."""
        self.sessions.append(FakeSession(self, **options))
        return self.sessions[-1]

    def holds(self, text: str, *, is_prediction: bool) -> bool:
        """Whether a question about a text waits."""
        return any(word in text for word in (self.held if is_prediction else self.held | self.unexplained))

    def die(self) -> None:
        """All connections are lost."""
        if self.client is not None:
            self.client.lose()


class FakeClient:
    """As much of an `AsyncClient` as the language server uses."""

    def __init__(self, daemon: FakeDaemon) -> None:
        self._daemon = daemon
        self._gone = asyncio.Event()
        self._watchers: dict[str, Watcher] = {}
        self._documents = Documents(
            self._ask, self._push, self._has_room, FrontLimits(), lambda: self._documents.num_characters
        )
        daemon.client = self

    @property
    def is_open(self) -> bool:
        return not self._gone.is_set()

    async def closed(self) -> None:
        await self._gone.wait()

    async def close(self) -> None:
        self.lose()

    @property
    def open_documents(self) -> int:
        return len(self._watchers)

    def lose(self) -> None:
        if self.is_open:
            self._gone.set()
            self._documents.close()

    async def open_document(
        self, document: str, text: str, *, on_attribution: Any, on_findings: Any, on_failed: Any, on_settled: Any,
        **options: Any,
    ) -> Any:  # fmt: skip
        self._watchers[document] = Watcher(on_attribution, on_findings, on_failed, on_settled)
        return await self._do(OpenDocument(document=document, text=text, **options))

    async def change_document(self, document: str, base: int, version: int, edits: Any) -> Any:
        return await self._do(ChangeDocument(document, base, version, list(edits)))

    async def focus_document(self, document: str, version: int, at: int) -> Any:
        return await self._do(FocusDocument(document, version, at))

    async def configure_document(self, document: str, **options: Any) -> Any:
        return await self._do(ConfigureDocument(document=document, **options))

    async def close_document(self, document: str) -> Any:
        self._watchers.pop(document, None)
        return await self._do(CloseDocument(document))

    async def explain(self, text: str, **options: Any) -> Explanation:
        return msgspec.convert(explained({**options, "text": text}), Explanation)

    async def predict(
        self, texts: str, *, model: str, mask: Mask, pair: str | None = None, messages: None = None
    ) -> Predictions:
        for start, end in mask.spans:
            texts = texts[:start] + " " * (end - start) + texts[end:]
        found = explained({"text": texts, "pair": pair})
        return Predictions(model, [msgspec.convert(found["prediction"], Prediction)])

    async def models(self) -> list[ModelInfo]:
        self._check()
        return [ModelInfo(name, "ready") for name in ("fake", *self._daemon.loaded)]

    async def methods(self) -> list[MethodInfo]:
        self._check()
        return []

    async def load_model(self, model: str, *, download: bool = False, on_progress: Any = None) -> ModelInfo:
        self._check()
        if model in self._daemon.unknown and not download:
            raise SaliscopeError("unknown_model", self._daemon.unknown[model])
        on_progress(Progress(1, "loading", 1.0, 2.0))
        self._daemon.events.append(f"loading {model}")
        try:
            await self._daemon.slow.wait()
        except asyncio.CancelledError:
            self._daemon.events.append(f"stopped {model}")
            raise
        self._daemon.unknown.pop(model, None)
        self._daemon.loaded.add(model)
        return ModelInfo(model, "ready")

    async def status(self) -> dict[str, Any]:
        return {"version": "0"}

    async def shutdown(self) -> dict[str, Any]:
        self.lose()
        return {}

    async def _do(self, params: Any) -> Any:
        self._check()
        return await self._documents.handle(params)

    def _check(self) -> None:
        if not self.is_open:
            raise DisconnectedError()

    async def _ask(self, method: str, params: dict[str, Any], listen: OnNotification) -> dict[str, Any]:
        daemon, is_prediction = self._daemon, method == "predict"
        if is_prediction:
            params = {**params, "text": params["texts"]}
        else:
            daemon.asked.append(params)
            daemon.events.append("asked")
        await asyncio.sleep(0)
        if params["model"] in daemon.unknown:
            raise SaliscopeError("unknown_model", daemon.unknown[params["model"]])
        while daemon.holds(str(params["text"]), is_prediction=is_prediction):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        found = explained(params)
        return {"predictions": [found["prediction"]]} if is_prediction else found

    def _push(self, method: str, params: dict[str, Any], key: Hashable) -> None:
        watcher = self._watchers.get(params["document"])
        if watcher is not None and self.is_open:
            # As over a socket: later, and as plain data.
            plain = msgspec.msgpack.decode(msgspec.msgpack.encode(params))
            asyncio.get_running_loop().call_soon(watcher.hear, Notification(method, plain))

    async def _has_room(self) -> None:
        return


class FakeSession(LiveSession):
    """A session that connects to a daemon in this process."""

    def __init__(self, daemon: FakeDaemon, **options: Any) -> None:
        super().__init__(**options)
        self._daemon = daemon

    async def _keep(self) -> None:
        while True:
            self._enter("connecting", "")
            if self._daemon.down:
                self._enter("failed", "no daemon answers")
                await asyncio.sleep(0.01)
                continue
            client: Any = FakeClient(self._daemon)
            self.client = client
            self._enter("connected", "")
            for courier in self._couriers.values():
                self._send_out(courier)
            await client.closed()
            await self._call_back()
            self.client = None
            self._enter("lost", "the connection to the daemon was lost")
            await asyncio.sleep(0.01)
