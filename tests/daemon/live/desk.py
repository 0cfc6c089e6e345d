"""The documents of one connection, with a model that answers when the test says so."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from tests.daemon.fake_worker import explanation

from saliscope.daemon.front.limits import FrontLimits
from saliscope.daemon.front.live.documents import Documents
from saliscope.protocol.documents import (
    ChangeDocument,
    CloseDocument,
    ConfigureDocument,
    DocumentChanged,
    DocumentState,
    FocusDocument,
    OpenDocument,
)
from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.frames import Notification
from saliscope.protocol.listening import OnNotification


def explained(params: dict[str, Any], estimate: str = "final", positive: float = 0.9) -> dict[str, Any]:
    """What a model might say of a text, or of a pair: each word is a token and a feature."""
    texts = [params["text"], *([params["pair"]] if params.get("pair") else [])]
    text = "\n".join(texts)
    words = [(found.group(), *found.span()) for found in re.finditer(r"\S+", text)]
    tokens = [{"text": word, "start": start, "end": end, "special": False} for word, start, end in words]
    features = [{"text": w, "start": start, "end": end, "tokens": [n]} for n, (w, start, end) in enumerate(words)]
    segments, at = [], 0
    for name, part in zip(("text", "pair"), texts, strict=False):
        segments.append({"name": name, "start": at, "end": at + len(part), "truncated_at": None})
        at += len(part) + 1
    label = "positive" if positive >= 0.5 else "negative"
    return {
        **explanation(text, [float(len(word)) for word, _, _ in words], estimate),
        "method": params.get("method") or "quick",
        "prediction": {
            "label": label,
            "index": int(positive >= 0.5),
            "probabilities": {"negative": 1 - positive, "positive": positive},
        },
        "tokens": tokens,
        "features": features,
        "segments": segments if len(texts) > 1 else [],
    }


class Question:
    """One request to the model that waits for its answer."""

    def __init__(self, method: str, params: dict[str, Any], listen: OnNotification) -> None:
        self.method, self.params = method, params
        self._listen = listen
        self.answered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    @property
    def text(self) -> str:
        return str(self.params["texts" if self.method == "predict" else "text"])

    @property
    def is_cancelled(self) -> bool:
        return self.answered.cancelled()

    def partial(self, **changes: Any) -> None:
        said = {**explained(self.params, "partial"), **changes}
        self._listen(Notification("explain/partial", {"explanation": said}))

    def answer(self, **changes: Any) -> None:
        said = {**explained({**self.params, "text": self.text}), **changes}
        self.answered.set_result({"predictions": [said["prediction"]]} if self.method == "predict" else said)

    def fail(self, code: str) -> None:
        self.answered.set_exception(SaliscopeError(code, "as the test said"))


class Desk:
    """Opens and edits documents, and shows what the model was asked and the client was told."""

    def __init__(self, **limits: Any) -> None:
        #: Requests for explanations, and for the prediction alone.
        self.asked: list[Question] = []
        self.predictions: list[Question] = []
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.keys: list[Hashable] = []
        self.reads = asyncio.Event()
        self.reads.set()
        bounds = FrontLimits(**limits)
        self.documents = Documents(self._ask, self._push, self._has_room, bounds, lambda: self.documents.num_characters)

    async def _ask(self, method: str, params: dict[str, Any], listen: OnNotification) -> dict[str, Any]:
        question = Question(method, params, listen)
        (self.predictions if method == "predict" else self.asked).append(question)
        return await question.answered

    def _push(self, method: str, params: dict[str, Any], key: Hashable) -> None:
        self.told.append((method, params))
        self.keys.append(key)

    async def _has_room(self) -> None:
        await self.reads.wait()

    async def open(self, text: str, document: str = "a.txt", **options: Any) -> DocumentState:
        return await self._do(OpenDocument(document=document, text=text, **options))

    async def change(self, base: int, *edits: tuple[int, int, str], document: str = "a.txt") -> DocumentChanged:
        return await self._do(ChangeDocument(document, base, base + 1, [Edit(*edit) for edit in edits]))

    async def focus(self, at: int, version: int = 0, document: str = "a.txt") -> DocumentState:
        return await self._do(FocusDocument(document, version, at))

    async def configure(self, document: str = "a.txt", **options: Any) -> DocumentState:
        return await self._do(ConfigureDocument(document=document, **options))

    async def close(self, document: str = "a.txt") -> DocumentState:
        return await self._do(CloseDocument(document))

    async def _do(self, params: Any) -> Any:
        answer = await self.documents.handle(params)
        await settle()
        return answer

    @property
    def waiting(self) -> list[Question]:
        """What the model was asked and has not answered."""
        return [question for question in (*self.predictions, *self.asked) if not question.answered.done()]

    async def answer_all(self) -> None:
        """Let the model answer until it is asked nothing more."""
        while self.waiting:
            for question in self.waiting:
                question.answer()
            await settle()

    def take(self, method: str) -> list[dict[str, Any]]:
        """What was told by this notification since the last time."""
        found = [params for name, params in self.told if name == method]
        self.told = [(name, params) for name, params in self.told if name != method]
        return found


async def settle() -> None:
    """Let everything happen that waits for nothing."""
    for _ in range(100):
        await asyncio.sleep(0)


def on_a_desk(test: Callable[[Desk], Coroutine[Any, Any, None]], **limits: Any) -> None:
    """Run a test on an event loop, and close its documents."""

    async def run() -> None:
        desk = Desk(**limits)
        try:
            await test(desk)
        finally:
            desk.documents.close()
            await settle()
            assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())
