"""Finding the daemon, starting it if nobody listens, replacing it if it is of another version."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from saliscope.protocol import paths
from saliscope.protocol.address import Address, chosen
from saliscope.protocol.client import Client
from saliscope.protocol.errors import DisconnectedError, SaliscopeError, version_mismatch
from saliscope.protocol.light import connected
from saliscope.protocol.processes import start_daemon, start_worker, tail
from saliscope.protocol.token import known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from saliscope.protocol.aclient import AsyncClient

OnStage = Callable[[str], None]

#: A daemon answers `initialize` at once, whatever its workers do; one that does not is stuck.
HANDSHAKE_S: Final = 10.0
#: How often a daemon that ends as soon as it has come up is started.
MAX_STARTS: Final = 3


def connect(
    address: str | None = None,
    *,
    token: str | None = None,
    start: bool = True,
    private: bool = False,
    options: Sequence[str] = (),
    on_stage: OnStage | None = None,
    reconnect: bool = True,
) -> Client:
    """A client of the running daemon of this version; without one, starts it, with command-line `options`.

    With `start=False` raises `unavailable` if none runs and `protocol_mismatch` if another version does. With
    `private=True` no daemon is used: a worker process of its own ends with the client. `on_stage` is told what
    takes time ("starting the daemon"). An `address` "tcp://HOST:PORT" (default: SALISCOPE_CONNECT) is that of a daemon
    on TCP, which is never started and gets the `token` (default: SALISCOPE_TOKEN, else that of this user's file).

    If the daemon is lost (killed, stopped, updated), the client connects in the same way again with its next request,
    and what was in flight is asked again: not `status`, `ping` and `shutdown`, which are about that daemon, and
    not with `reconnect=False`.
    """
    stage = on_stage or (lambda _: None)
    if private:
        return _start_private(stage)
    client = _connect(address, token, start, options, stage)
    if reconnect:
        client.redial = partial(_connect, address, token, start, options, stage)
    return client


def _connect(address: str | None, token: str | None, start: bool, options: Sequence[str], stage: OnStage) -> Client:
    place = chosen() if address is None else Address.parse(address)
    if place is not None:
        return _enter(place, known() if token is None else token)
    client = _greet()
    if client is not None and client.is_current:
        return client
    if not start:
        if client is None:
            raise SaliscopeError(
                "unavailable", f"no daemon listens on {paths.socket_path()}; `saliscope daemon start` starts one"
            )
        client.close()
        raise version_mismatch(client.peer_version)
    if client is not None:
        client.close()
    with _start_lock():
        return _start(stage, options)


async def aconnect(
    address: str | None = None,
    *,
    token: str | None = None,
    start: bool = True,
    private: bool = False,
    on_stage: OnStage | None = None,
    reconnect: bool = True,
) -> AsyncClient:
    """`connect` for asyncio; `on_stage` is called from another thread."""
    from saliscope.protocol.aclient import AsyncClient
    from saliscope.protocol.dialling import dialled

    dial = partial(connect, address, token=token, start=start, private=private, on_stage=on_stage)

    async def redial() -> socket.socket:
        return (await dialled(dial)).detach()[0]

    sock, process = (await dialled(dial)).detach()
    return await AsyncClient.adopt(sock, process=process, redial=redial if reconnect and not private else None)


def stop() -> bool:
    """End the running daemon, of whatever version, after its requests in flight; False if none runs."""
    client = _greet()
    if client is None:
        return False
    _shut_down(client)
    return True


def _enter(address: Address, token: str | None) -> Client:
    """A client of the daemon at this address, of our version."""
    client = Client(address.connect(HANDSHAKE_S))
    try:
        client.initialize(timeout=HANDSHAKE_S, **({} if token is None else {"token": token}))
        if not client.is_current:
            raise version_mismatch(client.peer_version)
    except SaliscopeError:
        client.close()
        raise
    return client


def _greet() -> Client | None:
    """A client with an open session; None if nobody listens. Its version may be another."""
    sock = connected(str(paths.socket_path()), timeout_s=None)
    if sock is None:
        return None
    client = Client(sock)
    try:
        client.initialize(timeout=HANDSHAKE_S)
    except DisconnectedError:
        # It ended between our connect and its answer.
        return None
    except SaliscopeError as error:
        if error.code == "shutting_down":
            # Its successor waits for it.
            client.close()
            return None
        if error.code != "protocol_mismatch":
            client.close()
            raise
    return client


def _start(stage: OnStage, options: Sequence[str]) -> Client:
    """Under the start lock: the daemon that somebody else has started meanwhile, or a new one."""
    client = _greet()
    if client is not None and client.is_current:
        return client
    if client is not None:
        stage(f"stopping the daemon of version {client.peer_version}")
        _shut_down(client)
    stage("starting the daemon")
    client = None
    for _ in range(MAX_STARTS):
        # One that is killed as soon as it listens is replaced as well.
        try:
            start_daemon(options)
        except OSError as error:
            raise SaliscopeError("unavailable", f"cannot start the daemon: {error}") from error
        client = _greet()
        if client is not None:
            break
    if client is None:
        raise SaliscopeError("unavailable", "the daemon came up and ended again; see `saliscope daemon logs`")
    if not client.is_current:
        client.close()
        raise version_mismatch(client.peer_version)
    return client


def _shut_down(client: Client) -> None:
    with client:
        try:
            client.shutdown()
        except DisconnectedError:
            return


def _start_private(stage: OnStage) -> Client:
    stage("starting a private worker")
    ours, process, log = start_worker()
    client = Client(ours, process)
    try:
        client.initialize()
    except BaseException as error:
        client.close()
        if not isinstance(error, DisconnectedError):
            raise
        raise SaliscopeError("unavailable", f"the private worker ended while starting:\n{tail(log)}") from error
    finally:
        log.close()
    return client


@contextmanager
def _start_lock() -> Iterator[None]:
    """Of several clients that find no daemon, one starts it; the others wait here and then find it."""
    path = paths.start_lock_path()
    try:
        lock = open(path, "ab")  # noqa: SIM115 - closed below
    except OSError as error:
        raise SaliscopeError("unavailable", f"cannot write {path} ({error.strerror}); make room there") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
