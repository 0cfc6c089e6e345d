"""The daemon's main loop: sockets, a session for each connection, and its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from saliscope import __version__
from saliscope.daemon.engines import Engine
from saliscope.daemon.front import logs
from saliscope.daemon.front.cache.remembering import Remembering
from saliscope.daemon.front.cache.results import Results
from saliscope.daemon.front.jobs.desk import JobDesk
from saliscope.daemon.front.limits import FrontLimits
from saliscope.daemon.front.listening import BACKLOG, is_own_user
from saliscope.daemon.front.metrics import Exposition
from saliscope.daemon.front.options import Options
from saliscope.daemon.front.router import Router
from saliscope.daemon.front.session import Session
from saliscope.daemon.front.systemd import Notifier
from saliscope.daemon.front.traffic import Traffic
from saliscope.protocol import paths
from saliscope.protocol.address import Address
from saliscope.protocol.paths import RESULTS
from saliscope.protocol.token import make

log = logging.getLogger(__name__)

#: How often the size of the log is looked at.
_LOG_EVERY_S = 60.0


class Server:
    """Accepts on the Unix socket, and on TCP where it was asked for, until the router says that it ends."""

    def __init__(self, engine: Engine, options: Options, limits: FrontLimits) -> None:
        self._engine = engine
        self._options = options
        self._limits = limits
        self._sessions: set[Session] = set()
        self._token = make() if options.tcp else None
        self._num_entering = 0

    async def serve(
        self, local: socket.socket, remote: socket.socket | None, notifier: Notifier, on_ready: Callable[[], None],
        *, owns_path: bool,
    ) -> None:  # fmt: skip
        """Serve until `shutdown`, SIGTERM or idleness; the socket's file is gone afterwards if we `owns_path`."""
        path = local.getsockname()
        tcp = None if remote is None else Address(*remote.getsockname()[:2])
        results = Results(paths.cache_dir() / RESULTS, self._options.cache) if self._options.cache else None
        engine: Engine = self._engine if results is None else Remembering(self._engine, results)
        jobs = JobDesk(self._accept_job, self._limits.jobs)
        self.router = router = Router(engine, path, self._limits, jobs, tcp, results)
        traffic = router.traffic
        servers = [await asyncio.start_unix_server(self._accept_local, sock=local, backlog=BACKLOG)]
        if remote is not None:
            servers.append(await asyncio.start_server(self._accept_remote, sock=remote, backlog=BACKLOG))
        exposition = Exposition(self._options.metrics, router) if self._options.metrics else None
        if exposition is not None:
            log.info("it serves metrics on http://%s/metrics", str(exposition.address).removeprefix("tcp://"))
        end_on_signals(traffic)
        log.info("saliscope %s listens on %s, pid %d", __version__, path, os.getpid())
        if tcp is not None:
            log.info("clients with the token reach it at %s too", tcp)
        on_ready()
        jobs.start()
        notifier.tell(READY="1", STATUS=traffic.summary())
        chores = [
            asyncio.create_task(chore)
            for chore in (
                notifier.watch(router.traffic.summary),
                end_when_idle(router.traffic, self._options.idle_s),
                bound_the_log(),
            )
        ]
        await traffic.closing.wait()
        notifier.tell(STOPPING="1", STATUS="answering the last requests")
        # From here on clients find no socket, and start a successor that waits for our lock.
        if owns_path:
            remove(Path(path))
        for server in servers:
            server.close()
        # Their requests are not waited for: the next daemon goes on with them.
        await jobs.stop()
        await traffic.stopped.wait()
        await asyncio.gather(*(session.finish() for session in self._sessions))
        for chore in chores:
            chore.cancel()
        if exposition is not None:
            await asyncio.to_thread(exposition.close)
        await engine.close()
        log.info("ended")

    async def _accept_local(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not is_own_user(writer.get_extra_info("socket")):
            self._refuse(writer, "a connection of another user")
            return
        await self._run(Session(reader, writer, self.router, self._limits, self.router.new_peer(), self._options))

    async def _accept_remote(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._num_entering >= self._limits.entering:
            self._refuse(writer, f"a connection beside {self._num_entering} that have shown no token")
            return
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        peer = self.router.new_peer(self._token, self._options.roots)
        session = Session(reader, writer, self.router, self._limits, peer, self._options)
        self._num_entering += 1
        try:
            rest = await session.enter()
        finally:
            self._num_entering -= 1
        if rest is None:
            self.router.figures.connections["refused"] += 1
        else:
            await self._run(session, rest)

    async def _accept_job(self, sock: socket.socket, engine: str) -> None:
        """Serve the process of a job at the other end of `sock`, a client as any other, but with as many requests in
        flight as its engine may need.
        """
        reader, writer = await asyncio.open_connection(sock=sock)
        peer = self.router.new_peer()
        peer = replace(peer, origin=replace(peer.origin, engine=engine))
        limits = replace(self._limits, requests=self._limits.all_requests)
        await self._run(Session(reader, writer, self.router, limits, peer, self._options))

    async def _run(self, session: Session, rest: bytes = b"") -> None:
        if len(self._sessions) >= self._limits.sessions:
            self.router.figures.connections["refused"] += 1
            await session.refuse(f"{len(self._sessions)} connections are open; close one, or wait")
            return
        self.router.figures.connections["accepted"] += 1
        self._sessions.add(session)
        self.router.traffic.num_sessions = len(self._sessions)
        try:
            await session.run(rest)
        finally:
            self._sessions.discard(session)
            self.router.traffic.num_sessions = len(self._sessions)
            self.router.traffic.was_used()

    def _refuse(self, writer: asyncio.StreamWriter, what: str) -> None:
        self.router.figures.connections["refused"] += 1
        log.warning("refused %s", what)
        writer.close()


def remove(path: Path) -> None:
    """Take the socket's file away, unless somebody has done so."""
    path.unlink(missing_ok=True)


async def end_when_idle(traffic: Traffic, idle_s: float) -> None:
    """Shut down after `idle_s` seconds without a connection and without a request; 0: never."""
    while idle_s:
        left = idle_s - traffic.idle_s
        if left <= 0:
            log.info("idle for %g s: ending", idle_s)
            traffic.shut_down()
            return
        await asyncio.sleep(left)


async def bound_the_log() -> None:
    """Keep the log file bounded, until cancelled."""
    while True:
        if logs.bound_log():
            log.info("the log was full; what it held is beside it")
        await asyncio.sleep(_LOG_EVERY_S)


def end_on_signals(traffic: Traffic) -> None:
    """SIGTERM and SIGINT: the first lets requests finish, the second does not."""
    loop = asyncio.get_running_loop()

    def end() -> None:
        if traffic.closing.is_set():
            traffic.hurry()
        traffic.shut_down()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
