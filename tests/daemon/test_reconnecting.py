"""Clients whose daemon is killed or stopped under them."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from saliscope.protocol import aconnect, connect, paths, processes
from saliscope.protocol.aclient import AsyncClient
from saliscope.protocol.client import Client
from saliscope.protocol.errors import DisconnectedError, SaliscopeError

FAKE_DAEMON = Path(__file__).with_name("fake_daemon_detached.py")
Gone = Callable[[int], None]
Until = Callable[[Callable[[], Any]], Any]


@pytest.fixture(autouse=True)
def fake_workers(real_daemons: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Daemons that clients start here have fake workers."""
    monkeypatch.setattr(processes, "DAEMON", [str(FAKE_DAEMON)])


def in_flight(client: Client) -> int:
    return client.status().requests["in_flight"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_next_request_finds_the_next_daemon(gone: Gone, number: signal.Signals) -> None:
    with connect() as client:
        client.initialize(floats="f32")
        first = client.status().pid
        os.kill(first, number)
        gone(first)
        found = client.explain("a")
        assert client.status().pid != first
        assert found.scores[2] != 1 / 3, "the wish for float32 was forgotten"


def test_a_request_in_flight_is_asked_again_and_told_so(until: Until, tmp_path: Path) -> None:
    answer = tmp_path / "answer"
    stages: list[str] = []
    with connect() as watcher, connect() as client:
        found: list[Any] = []

        def ask() -> None:
            found.append(client.explain(f"until {answer}", on_progress=lambda each: stages.append(each.stage)))

        thread = threading.Thread(target=ask)
        thread.start()
        until(lambda: in_flight(watcher) == 1)
        answer.touch()
        os.kill(watcher.status().pid, signal.SIGKILL)
        thread.join()
    assert found[0].estimate == "final"
    assert "the daemon ended, asking again" in stages


def test_many_calls_at_once_share_one_new_connection(until: Until, tmp_path: Path) -> None:
    answer = tmp_path / "answer"

    async def run() -> None:
        async with await aconnect() as client:
            pid = (await client.status()).pid
            calls = [asyncio.create_task(client.explain(f"until {answer}")) for _ in range(5)]
            while (await client.status()).requests["in_flight"] < 5:
                pass
            answer.touch()
            os.kill(pid, signal.SIGKILL)
            found = await asyncio.gather(*calls)
            assert [each.estimate for each in found] == ["final"] * 5
            status = await client.status()
            assert status.pid != pid
            assert status.sessions == 1

    asyncio.run(run())


def test_a_stopping_daemon_answers_what_is_in_flight_and_its_successor_the_rest(until: Until, tmp_path: Path) -> None:
    answer = tmp_path / "answer"

    async def run() -> None:
        async with await aconnect() as client:
            pid = (await client.status()).pid
            before = asyncio.create_task(client.explain(f"until {answer}"))
            while (await client.status()).requests["in_flight"] < 1:
                pass
            os.kill(pid, signal.SIGTERM)
            await asyncio.to_thread(until, lambda: not paths.socket_path().exists())
            heard = asyncio.Event()
            after = asyncio.create_task(client.explain("a", on_progress=lambda _: heard.set()))
            # Refused by the old one, it waits for its end.
            await heard.wait()
            assert not after.done()
            before.cancel()
            assert (await after).estimate == "final"
            assert (await client.status()).pid != pid

    asyncio.run(run())


def test_what_is_about_this_very_daemon_is_not_asked_again(gone: Gone) -> None:
    with connect() as client:
        pid = client.status().pid
        os.kill(pid, signal.SIGKILL)
        gone(pid)
        for ask in (client.ping, client.status, client.shutdown):
            with pytest.raises(DisconnectedError):
                ask()


def test_without_leave_it_stays_lost_with_the_next_step(gone: Gone) -> None:
    with connect(reconnect=False) as client, connect() as other:
        pid = client.status().pid
        os.kill(pid, signal.SIGKILL)
        gone(pid)
        with pytest.raises(SaliscopeError, match="run the command again") as caught:
            client.explain("a")
        assert caught.value.code == "unavailable"
        other.explain("a")


def test_who_may_not_start_a_daemon_says_how_one_is_started(gone: Gone) -> None:
    with connect(), connect(start=False) as client:
        pid = client.status().pid
        os.kill(pid, signal.SIGKILL)
        gone(pid)
        with pytest.raises(SaliscopeError, match="saliscope daemon start"):
            client.explain("a")


def test_a_closed_client_stays_closed() -> None:
    client = connect()
    client.close()
    with pytest.raises(DisconnectedError, match="this client is closed"):
        client.explain("a")

    async def run() -> None:
        client: AsyncClient = await aconnect()
        await client.close()
        with pytest.raises(DisconnectedError):
            await client.explain("a")

    asyncio.run(run())
