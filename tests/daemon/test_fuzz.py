"""Frames of strangers by the hundred thousand: nothing crashes, nothing grows, nobody else notices.

Plain `make test` runs a small part; `make test-load` all of it, by SALISCOPE_FUZZ_FRAMES and SALISCOPE_FUZZ_SOCKET.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.daemon.fake_worker import explanation
from tests.daemon.fuzz import frame

from saliscope.daemon.front.jobs.desk import JobDesk
from saliscope.daemon.front.limits import FrontLimits
from saliscope.daemon.front.options import Options
from saliscope.daemon.front.router import Router
from saliscope.daemon.front.session import Session
from saliscope.protocol.codec import CHUNK, Decoder
from saliscope.protocol.errors import ERRORS
from saliscope.protocol.frames import SERVER_LIMITS, FrameError

SMALL = {"codec": 10_000, "session": 5_000, "socket": 1_000}
FULL = {
    "codec": int(os.environ.get("SALISCOPE_FUZZ_FRAMES", 1_000_000)) // 2,
    "session": int(os.environ.get("SALISCOPE_FUZZ_FRAMES", 1_000_000)) // 2,
    "socket": int(os.environ.get("SALISCOPE_FUZZ_SOCKET", 50_000)),
}
SIZES = [pytest.param(SMALL, id="some"), pytest.param(FULL, id="all", marks=[pytest.mark.load])]
#: What the fuzzed process may grow by: caches and allocators settle, sixteen times a million frames would not fit.
ROOM = 64 << 20


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Lines of the log are kept by pytest: a million of them would look like a leak."""
    caplog.set_level(logging.CRITICAL, "saliscope")


class Echo:
    """An engine that answers whatever it is asked."""

    async def call(self, method: str, params: dict[str, Any], *_: Any) -> Any:
        return explanation("a", [1.0]) if method == "explain" else {"methods": [], "models": []}

    async def facts(self) -> list[dict[str, Any]]:
        return []

    def catalogue(self) -> None:
        return None

    async def close(self) -> None:
        return None


async def no_job(sock: socket.socket, engine: str) -> None:
    raise AssertionError("a job was started, of which none may run")


class Pipe(asyncio.Transport):
    """A transport that keeps nothing but what kinds of answers went through."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: Counter[str] = Counter()
        self.closing = False

    def write(self, data: Any) -> None:
        # Each write is one frame.
        got = msgspec.msgpack.decode(data)
        if got[0] == 1:
            error = got[2][0] if isinstance(got[2], list) else str(got[2]).partition(":")[0]
            self.codes["ok" if got[2] is None else error] += 1

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        return None

    def get_write_buffer_size(self) -> int:
        return 0

    def abort(self) -> None:
        self.closing = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def feed(router: Router, frames: list[bytes], limits: FrontLimits) -> Counter[str]:
    """One connection, in one process: the session reads the frames and the end; the codes of its answers."""
    reader, pipe = asyncio.StreamReader(), Pipe()
    protocol = asyncio.StreamReaderProtocol(reader)
    writer = asyncio.StreamWriter(pipe, protocol, reader, asyncio.get_running_loop())
    session = Session(reader, writer, router, limits, router.new_peer(), Options())
    running = asyncio.create_task(session.run())
    for one in frames:
        reader.feed_data(one)
        await asyncio.sleep(0)
    # The stub answers within a few turns of the loop: what is in flight at the end of the stream is cancelled.
    for _ in range(5):
        await asyncio.sleep(0)
    reader.feed_eof()
    await asyncio.wait_for(running, 20)
    assert pipe.closing
    return pipe.codes


def apart(count: Callable[[int], Any], number: int) -> tuple[Any, int]:
    """What a function gives, and by how many bytes a process that does nothing else has grown with it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        return alone.submit(grown, count, number).result()


def grown(count: Callable[[int], Any], number: int) -> tuple[Any, int]:
    before = resident()
    found = count(number)
    return found, resident() - before


def refused_frames(number: int) -> int:
    """How many of so many frames the codec refuses."""
    rng, refused = random.Random(1), 0
    decoder = Decoder(SERVER_LIMITS)
    for _ in range(number):
        data, goes_on = frame(rng)
        try:
            for start in range(0, len(data), CHUNK):
                list(decoder.frames(data[start : start + CHUNK]))
        except FrameError:
            refused += 1
            goes_on = False
        if not goes_on:
            decoder = Decoder(SERVER_LIMITS)
    return refused


def answered_codes(number: int) -> Counter[str]:
    """What sessions answer to so many frames."""

    async def run() -> Counter[str]:
        limits = FrontLimits()
        router = Router(Echo(), "none", limits, JobDesk(no_job, most_running=0))
        rng, codes = random.Random(2), Counter[str]()
        left = number
        while left > 0:
            frames, goes_on = [], True
            while goes_on and len(frames) < 50:
                data, goes_on = frame(rng)
                frames.append(data)
            left -= len(frames)
            codes += await feed(router, frames, limits)
        assert router.traffic.idle_s >= 0
        assert router.traffic.summary() == "0 connections, 0 requests in flight"
        return codes

    return asyncio.run(run())


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.timeout(3600)
def test_the_codec_gives_frames_or_refuses(sizes: dict[str, int]) -> None:
    refused, more = apart(refused_frames, sizes["codec"])
    assert refused > sizes["codec"] // 20
    assert more < ROOM


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.timeout(3600)
def test_a_session_answers_or_closes_whatever_comes(sizes: dict[str, int], home: Path) -> None:
    codes, more = apart(answered_codes, sizes["session"])
    assert {*codes} <= {*ERRORS, "ok"}
    assert codes["internal"] == 0
    assert codes["ok"] > 0
    assert codes["bad_request"] > 0
    assert more < ROOM


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.timeout(3600)
def test_on_a_socket_another_client_notices_nothing(sizes: dict[str, int], start: Callable[..., Any]) -> None:
    daemon = start()
    other, rng = daemon.client(), random.Random(3)
    before = other.explain("a") and other.status().memory["front_rss"]
    stop, failures, answered = threading.Event(), [], 0

    def go_on_asking() -> None:
        nonlocal answered
        while not stop.is_set():
            try:
                assert len(other.explain("a").scores) == 3
                answered += 1
            except Exception as error:
                failures.append(error)
                return
            time.sleep(0.01)

    asking = threading.Thread(target=go_on_asking)
    asking.start()
    left = sizes["socket"]
    while left > 0:
        wire, goes_on = daemon.wire(), True
        sent = 0
        try:
            while goes_on and sent < 50:
                data, goes_on = frame(rng)
                wire.send(data)
                sent += 1
        except OSError:
            # It was closed upon what came before.
            goes_on = False
        left -= max(sent, 1)
        daemon.part(wire)
    stop.set()
    asking.join()
    assert not failures
    assert answered > 0
    assert daemon.process.poll() is None
    assert other.status().memory["front_rss"] - before < ROOM
    assert other.ping()["pong"] is True
