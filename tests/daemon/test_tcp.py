"""The daemon on TCP: a token first, little said to strangers, and only the folders that were allowed."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest

from saliscope.daemon.front.listening import is_own_user
from saliscope.protocol import aconnect, connect, glance, paths, token
from saliscope.protocol.address import Address
from saliscope.protocol.codec import encode_request
from saliscope.protocol.errors import SaliscopeError

Start = Callable[..., Any]
Until = Callable[[Callable[[], Any]], Any]


def place(daemon: Any) -> Address:
    return Address.parse(daemon.client().status().tcp)


def sent(address: Address, data: bytes) -> bytes:
    """What comes back until the daemon closes the connection."""
    with socket.create_connection(address, 30) as sock:
        sock.sendall(data)
        got = b""
        try:
            while more := sock.recv(65536):
                got += more
        except ConnectionResetError:
            pass
        return got


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_with_the_token_every_client_works(start: Start, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address = place(start("--tcp", f"{host}:0"))
    with connect(str(address)) as client:
        assert client.explain("a").scores
    monkeypatch.setenv("SALISCOPE_CONNECT", str(address))
    assert (glance() or {})["tcp"] == str(address)

    async def run() -> None:
        async with await aconnect() as client:
            assert (await client.explain("a")).scores

    asyncio.run(run())


@pytest.mark.parametrize("wrong", ["", "f" * 64, "é"])
def test_a_wrong_token_is_answered_after_a_while_and_the_connection_closed(start: Start, wrong: str) -> None:
    address = place(start("--tcp", "127.0.0.1:0", refusal_s=0.05))
    with pytest.raises(SaliscopeError, match="initialize") as caught:
        connect(str(address), token=wrong)
    assert caught.value.code == "unauthorized"
    frames = encode_request(1, "initialize", {"token": wrong}) + encode_request(2, "ping", {})
    assert [row[:2] for row in msgpack.Unpacker(_stream(sent(address, frames)))] == [[1, 1]]


def test_nothing_is_served_before_the_token(start: Start) -> None:
    address = place(start("--tcp", "127.0.0.1:0", refusal_s=0.05))
    (row,) = msgpack.Unpacker(_stream(sent(address, encode_request(1, "status", {}))))
    assert row[2].startswith("unauthorized: ")


@pytest.mark.parametrize(
    "first", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST /", b"\x16\x03\x01\x02\x00\x01", b"\x80" * 65536, b"\xc1"]
)
def test_browsers_and_other_strangers_are_closed_upon_their_first_bytes(start: Start, first: bytes) -> None:
    # A handshake may take longer than this test.
    daemon = start("--tcp", "127.0.0.1:0", handshake_s=3600)
    assert sent(place(daemon), first) == b""
    assert daemon.client().status().figures["connections"]["refused"] == 1


def test_a_stranger_has_little_time_little_room_and_few_connections(start: Start, until: Until) -> None:
    slow = place(start("--tcp", "127.0.0.1:0", handshake_s=0.05))
    assert sent(slow, b"\x94\x00") == b""


def test_strangers_do_not_crowd_out_others(start: Start, until: Until) -> None:
    daemon = start("--tcp", "127.0.0.1:0", entering=2, handshake_s=3600)
    address, client = place(daemon), daemon.client()
    waiting = [socket.create_connection(address, 30) for _ in range(3)]
    until(lambda: client.status().figures["connections"]["refused"] == 1)
    assert client.ping()["pong"] is True
    for sock in waiting:
        sock.close()


def test_a_large_first_frame_is_refused_before_it_is_read(start: Start) -> None:
    address = place(start("--tcp", "127.0.0.1:0", handshake_s=3600))
    assert sent(address, encode_request(1, "initialize", {"client": "x" * 100_000})) == b""


def test_over_tcp_paths_lie_within_the_roots(start: Start, home: Path) -> None:
    allowed = home / "allowed"
    (allowed / "model").mkdir(parents=True)
    (home / "secret").mkdir()
    (allowed / "link").symlink_to(home / "secret")
    # The daemon has our working directory; where it has another, a name in that one is meant.
    relative = min(name for name in os.listdir() if not name.startswith("."))
    address = place(start("--tcp", "127.0.0.1:0", f"--root={allowed}"))
    with connect(str(address)) as client:
        assert client.load_model(str(allowed / "model")).name == str(allowed / "model")
        assert client.load_model("some/hub-id").name == "some/hub-id"
        for path in (str(home / "secret"), str(allowed / "link"), f"{allowed}/../secret", "~", "./x", relative):
            for ask in (
                lambda path=path: client.call("models/load", {"model": path}),
                lambda path=path: client.call("explain", {"text": "a", "params": {"lm_head_from": path}}),
                lambda path=path: client.call("document/open", {"document": "a", "text": "a", "model": path}),
                lambda path=path: client.call("evaluate", {"texts": ["a"], "out": path}),
                lambda path=path: client.call(
                    "evaluate", {"texts": ["a"], "methods": [{"method": "m", "params": {"lm_head_from": path}}]}
                ),
            ):
                with pytest.raises(SaliscopeError, match="folder that was allowed") as caught:
                    ask()
                assert caught.value.code == "unauthorized"


def test_over_tcp_nobody_ends_the_daemon(start: Start) -> None:
    address = place(start("--tcp", "127.0.0.1:0"))
    with connect(str(address)) as client, pytest.raises(SaliscopeError, match="own user"):
        client.shutdown()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--tcp", "0.0.0.0:0"], "TLS proxy"),
        (["--tcp", "[::]:0"], "--allow-remote"),
        (["--tcp", "127.0.0.1"], "HOST:PORT"),
        (["--tcp", "::1:7"], "brackets"),
        (["--metrics", "0.0.0.0:0"], "TLS proxy"),
        (["--root", "/no/such/folder"], "no such folder"),
        (["--idle-timeout", "soon"], "no time"),
        (["--prefix-cache", "much"], "--prefix-cache: 'much' is no size"),
    ],
)
def test_what_is_dangerous_or_wrong_is_refused_at_the_start(home: Path, options: list[str], words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "saliscope.daemon", *options], capture_output=True, text=True)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_said(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = ["--tcp", f"127.0.0.1:{taken.getsockname()[1]}"]
        done = subprocess.run([sys.executable, "-m", "saliscope.daemon", *options], capture_output=True, text=True)
    assert done.returncode == 14
    assert "cannot listen on" in done.stderr


def test_the_token_is_made_once_for_the_user_alone(home: Path) -> None:
    made = token.make()
    assert len(bytes.fromhex(made)) == token.NUM_BYTES
    assert token.make() == token.known() == made
    assert paths.token_path().stat().st_mode & 0o777 == 0o600
    assert [path.name for path in paths.cache_dir().iterdir()] == ["tcp-token"]


def test_a_token_that_others_could_have_read_or_made_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token.make()
    paths.token_path().chmod(0o644)
    with pytest.raises(SaliscopeError, match="open to other users"):
        token.make()
    paths.token_path().unlink()
    (home / "elsewhere").write_text("0" * 64)
    paths.token_path().symlink_to(home / "elsewhere")
    with pytest.raises(SaliscopeError, match="cannot read the token"):
        token.make()
    paths.token_path().unlink()
    paths.token_path().touch(0o600)
    with pytest.raises(SaliscopeError, match="holds no token"):
        token.make()


def test_a_peer_of_another_user_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert is_own_user(ours)
        uid = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: uid + 1)
        assert not is_own_user(ours)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_another_user_is_refused_even_where_modes_let_it_in(daemon: Any, home: Path) -> None:
    for path, mode in ((home, 0o711), (paths.runtime_dir(), 0o711), (paths.socket_path(), 0o666)):
        path.chmod(mode)
    socket_path = str(home / "run" / "daemon.sock")
    code = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({socket_path!r}); print(s.recv(1) == b'')"
    done = subprocess.run(["/usr/bin/env", "python3", "-c", code], capture_output=True, text=True, user=65534, cwd="/")
    if "Permission denied" in done.stderr and not done.stdout:
        pytest.skip("another user cannot run this Python")
    assert done.stdout == "True\n"
    home.joinpath("run").chmod(0o700)


def _stream(data: bytes) -> Any:
    import io

    return io.BytesIO(data)
