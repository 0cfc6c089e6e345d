"""Both clients against a peer that follows a script, over a socket pair."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from saliscope.protocol.aclient import AsyncClient
from saliscope.protocol.client import Client
from saliscope.protocol.codec import CHUNK, Decoder, encode_notification, encode_response
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.evaluations import Evaluation
from saliscope.protocol.frames import CLIENT_LIMITS, Frame, Notification, Request
from saliscope.protocol.parameters import Target
from saliscope.protocol.results import Progress


class Peer:
    """The other end; `script` runs in a thread and what it read is kept in `frames`."""

    def __init__(self) -> None:
        self.theirs, self.socket = socket.socketpair()
        self.frames: list[Frame] = []
        self._decoder = Decoder(CLIENT_LIMITS)
        self._ahead: list[Frame] = []
        self._threads: list[threading.Thread] = []

    def script(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run)
        thread.start()
        self._threads.append(thread)

    def read(self) -> Frame:
        while not self._ahead:
            self._ahead += self._decoder.frames(self.socket.recv(CHUNK))
        self.frames.append(self._ahead.pop(0))
        return self.frames[-1]

    def request(self) -> Request:
        frame = self.read()
        assert isinstance(frame, Request)
        return frame

    def answer(self, id: int, result: object) -> None:
        self.socket.sendall(encode_response(id, None, result))

    def fail(self, id: int, *error: object) -> None:
        self.socket.sendall(encode_response(id, list(error), None))

    def notify(self, method: str, **params: object) -> None:
        self.socket.sendall(encode_notification(method, params))

    def close(self) -> None:
        for thread in self._threads:
            thread.join()
        self.socket.close()
        self.theirs.close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


def test_options_left_out_are_left_to_the_daemon(peer: Peer) -> None:
    peer.script(lambda: peer.fail(peer.request().id, "unknown_model", "no such model", {"models": ["a"]}))
    with Client(peer.theirs) as client, pytest.raises(SaliscopeError) as caught:
        client.explain("a", target=Target(label="positive"), method=None, seed=3)
    assert (caught.value.code, caught.value.data) == ("unknown_model", {"models": ["a"]})
    (request,) = peer.frames
    assert isinstance(request, Request)
    assert request.params == {"text": "a", "stream": False, "seed": 3, "target": {"label": "positive"}}


def test_a_misspelt_option_is_a_type_error(peer: Peer) -> None:
    with Client(peer.theirs) as client, pytest.raises(TypeError, match="modle"):
        client.explain("a", modle="b")  # type: ignore[call-overload]


TABLE = {
    "model_name": "demo-encoder", "fingerprint": "f", "target": "gold", "scale": "logit", "granularity": "token",
    "seed": 0, "interval": "", "cheap": 1.0, "cost_unit": "", "background": None, "metrics": {}, "directions": {},
    "accuracy": None, "num_texts": 3, "num_done": 3, "rows": [], "model": {},
}  # fmt: skip
ROWS = ["a dull film", ("funny", 1), {"text": "warm", "label": "positive"}]


@pytest.mark.parametrize("is_async", [False, True])
def test_texts_with_labels_are_evaluated_in_a_folder_of_the_clients(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_async: bool
) -> None:
    def daemon() -> None:
        request = peer.request()
        peer.notify("$/progress", id=request.id, stage="evaluating", done=1, total=3)
        peer.answer(request.id, TABLE)

    async def ask() -> Evaluation:
        async with await AsyncClient.adopt(peer.theirs) as client:
            return await client.evaluate(ROWS, on_progress=heard.append, target="gold", scale=None, out="results")

    monkeypatch.chdir(tmp_path)
    heard: list[Progress] = []
    peer.script(daemon)
    if is_async:
        found = asyncio.run(ask())
    else:
        with Client(peer.theirs) as client:
            found = client.evaluate(ROWS, on_progress=heard.append, target="gold", scale=None, out="results")
    assert found.num_done == 3
    assert [(progress.done, progress.total) for progress in heard] == [(1, 3)]
    request = peer.frames[0]
    assert isinstance(request, Request)
    assert request.method == "evaluate"
    texts = ["a dull film", {"text": "funny", "label": 1}, {"text": "warm", "label": "positive"}]
    assert request.params == {"texts": texts, "target": "gold", "out": str(tmp_path / "results")}


def test_a_misspelt_option_of_evaluate_is_a_type_error(peer: Peer) -> None:
    with Client(peer.theirs) as client, pytest.raises(TypeError, match="metric"):
        client.evaluate(ROWS, metric=["cost"])  # type: ignore[call-arg]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupted_call_cancels_its_request_and_the_next_one_works(
    peer: Peer, interrupt: type[BaseException]
) -> None:
    def script() -> None:
        first = peer.request()
        peer.notify("$/progress", id=first.id, stage="loading")
        assert peer.read() == Notification("$/cancel", {"id": first.id})
        peer.fail(first.id, "cancelled", "as asked", {})
        peer.answer(peer.request().id, {"pong": True})

    def stop(_: object) -> None:
        raise interrupt

    peer.script(script)
    with Client(peer.theirs) as client:
        with pytest.raises(interrupt):
            client.explain("a", on_progress=stop)
        assert client.ping() == {"pong": True}


def test_notifications_of_other_requests_do_not_reach_a_call(peer: Peer) -> None:
    def script() -> None:
        id = peer.request().id
        peer.notify("worker/ready", pid=1)
        peer.notify("$/progress", id=id + 1, stage="of another")
        peer.notify("$/progress", id=id, stage="loading", done=1.0)
        peer.answer(id, {"name": "m", "state": "ready"})

    stages: list[str] = []
    peer.script(script)
    with Client(peer.theirs) as client:
        assert client.load_model("m", on_progress=lambda progress: stages.append(progress.stage)).state == "ready"
    assert stages == ["loading"]


def test_a_lost_connection_is_unavailable_and_stays_so(peer: Peer) -> None:
    def script() -> None:
        peer.request()
        peer.socket.close()

    peer.script(script)
    client = Client(peer.theirs)
    for _ in range(2):
        with pytest.raises(SaliscopeError) as caught:
            client.ping()
        assert caught.value.code == "unavailable"


def test_the_reason_for_which_the_daemon_closes_a_connection_is_told(peer: Peer) -> None:
    def script() -> None:
        peer.request()
        peer.notify("$/error", code="too_large", message="a frame of more than 8 bytes")
        peer.socket.close()

    peer.script(script)
    with Client(peer.theirs) as client, pytest.raises(SaliscopeError, match="more than 8 bytes") as caught:
        client.ping()
    assert caught.value.code == "too_large"


def test_a_silent_peer_is_a_timeout_where_one_was_set(peer: Peer) -> None:
    with Client(peer.theirs) as client, pytest.raises(SaliscopeError) as caught:
        client.initialize(timeout=0.01)
    assert caught.value.code == "timeout"


def test_an_answer_of_another_shape_is_a_protocol_mismatch(peer: Peer) -> None:
    peer.script(lambda: peer.answer(peer.request().id, {"models": 5}))
    with Client(peer.theirs) as client, pytest.raises(SaliscopeError, match=r"\$.models") as caught:
        client.models()
    assert caught.value.code == "protocol_mismatch"


def test_calls_of_one_async_client_are_answered_in_any_order(peer: Peer) -> None:
    def script() -> None:
        first, second = peer.request(), peer.request()
        peer.notify("$/progress", id=second.id, stage="second")
        peer.answer(second.id, {"unloaded": True})
        peer.answer(first.id, {"pong": True})

    async def run() -> None:
        stages: list[object] = []
        async with await AsyncClient.adopt(peer.theirs) as client:
            ping = client.ping()
            unload = client.call("models/unload", {"model": "m"}, stages.append)
            assert await asyncio.gather(ping, unload) == [{"pong": True}, {"unloaded": True}]
        assert stages == [Notification("$/progress", {"id": 2, "stage": "second"})]

    peer.script(script)
    asyncio.run(run())


def test_cancelling_the_awaiting_task_cancels_the_request(peer: Peer) -> None:
    def script() -> None:
        first = peer.request()
        peer.notify("$/progress", id=first.id, stage="loading")
        assert peer.read() == Notification("$/cancel", {"id": first.id})
        peer.fail(first.id, "cancelled", "as asked", {})
        peer.answer(peer.request().id, {"pong": True})

    async def run() -> None:
        async with await AsyncClient.adopt(peer.theirs) as client:
            begun = asyncio.Event()
            task = asyncio.create_task(client.explain("a", on_progress=lambda _: begun.set()))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await client.ping() == {"pong": True}

    peer.script(script)
    asyncio.run(run())


def test_an_error_in_an_async_callback_fails_its_call_only(peer: Peer) -> None:
    def script() -> None:
        first, second = peer.request(), peer.request()
        peer.notify("$/progress", id=first.id, stage="loading")
        assert peer.read() == Notification("$/cancel", {"id": first.id})
        peer.answer(second.id, {"pong": True})

    def stop(_: object) -> None:
        raise ZeroDivisionError

    async def run() -> None:
        async with await AsyncClient.adopt(peer.theirs) as client:
            results = await asyncio.gather(client.explain("a", on_progress=stop), client.ping(), return_exceptions=True)
        assert isinstance(results[0], ZeroDivisionError)
        assert results[1] == {"pong": True}

    peer.script(script)
    asyncio.run(run())


def test_every_waiting_async_call_fails_when_the_connection_is_lost(peer: Peer) -> None:
    def script() -> None:
        peer.request()
        peer.request()
        peer.socket.close()

    async def run() -> None:
        async with await AsyncClient.adopt(peer.theirs) as client:
            results = await asyncio.gather(client.ping(), client.status(), return_exceptions=True)
            assert [getattr(error, "code", None) for error in results] == ["unavailable"] * 2
            with pytest.raises(SaliscopeError):
                await client.ping()
            assert not client.is_open

    peer.script(script)
    asyncio.run(run())
