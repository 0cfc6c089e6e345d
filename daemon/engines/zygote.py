"""The front's end of the process that makes workers: the zygote, which forks them, or the driver of a cluster."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from saliscope.daemon.engines.worker import End
from saliscope.protocol.errors import SaliscopeError

log = logging.getLogger(__name__)

#: The zygote's command line; the number of its control socket follows.
COMMAND: Final = (sys.executable, "-m", "saliscope.daemon.worker.zygote", "--fd")
_END_S: Final = 5.0


class ZygoteChild:
    """A worker by the number that its maker gave it; the maker tells how it ended."""

    def __init__(self, pid: int, *, is_ours: bool) -> None:
        self.pid, self._is_ours = pid, is_ours
        self.end: asyncio.Future[End] = asyncio.get_running_loop().create_future()

    async def ended(self) -> End:
        """Wait for its end and say how it came."""
        return await asyncio.shield(self.end)

    def kill(self) -> None:
        """End it now; the driver of a cluster does so itself when the socket is closed."""
        if self._is_ours and not self.end.done():
            os.kill(self.pid, signal.SIGKILL)


class ZygoteSpawner:
    """Starts the zygote with the first worker, and again if it has died; `forks`: its workers are processes here."""

    def __init__(self, command: Sequence[str] = COMMAND, *, forks: bool = True) -> None:
        self._command, self._forks = command, forks
        self._name = "the zygote" if forks else "the driver of the cluster"
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._listener: asyncio.Task[None] | None = None
        self._children: dict[int, ZygoteChild] = {}
        self._births: list[asyncio.Future[ZygoteChild]] = []
        self._askers: list[asyncio.Future[int]] = []
        self._num_places: int | None = None
        self._refusal = ""

    async def places(self) -> int:
        """For how many workers there is room, one a device; `bad_request` if there is no such place, `internal`."""
        await self._started()
        if self._num_places is not None:
            return self._num_places
        asker: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._askers.append(asker)
        return await asker

    async def spawn(self, sock: socket.socket) -> ZygoteChild:
        """A worker that speaks on `sock`; `internal` if the zygote dies meanwhile."""
        control = await self._started()
        birth: asyncio.Future[ZygoteChild] = asyncio.get_running_loop().create_future()
        self._births.append(birth)
        # One byte carries the descriptor; the zygote reads byte by byte, so that they stay paired.
        socket.send_fds(control, [b"F"], [sock.fileno()])
        return await birth

    async def close(self) -> None:
        """End the zygote, which ends its workers."""
        if self._control is not None and self._listener is not None:
            self._control.shutdown(socket.SHUT_WR)
            done, _ = await asyncio.wait({self._listener}, timeout=_END_S)
            if not done and self._process is not None:
                self._process.kill()
                await asyncio.wait({self._listener})

    async def _started(self) -> socket.socket:
        """The control socket of the one that lives."""
        if self._listener is not None and (self._control is None or _is_closed(self._control)):
            # It died with its worker, and the listener has not come to hear of it, or not told everyone.
            await asyncio.wait({self._listener})
        return self._control or self._start()

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            # A session of its own: Ctrl-C on a daemon in the foreground must first reach the front.
            self._process = subprocess.Popen(
                [*self._command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        ours.setblocking(False)
        self._control, self._num_places, self._refusal = ours, None, ""
        self._listener = asyncio.create_task(self._listen(ours, self._process))
        return ours

    async def _listen(self, control: socket.socket, process: subprocess.Popen[bytes]) -> None:
        """Read the zygote's lines until it ends, then fail whoever still waits for it."""
        loop = asyncio.get_running_loop()
        lines = b""
        try:
            while data := await loop.sock_recv(control, 4096):
                *complete, lines = (lines + data).split(b"\n")
                for line in complete:
                    self._hear(msgspec.json.decode(line))
        except ConnectionError:
            log.error("%s reset its control socket", self._name)
        control.close()
        self._control = None
        status = await asyncio.to_thread(process.wait)
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        log.info("%s ended: %s", self._name, how)
        for child in self._children.values():
            child.end.set_result(End(f"{self._name} ended: {how}"))
        self._children.clear()
        waiting: list[asyncio.Future[Any]] = [*self._births, *self._askers]
        for one in waiting:
            if not one.done() and self._refusal:
                one.set_exception(SaliscopeError("bad_request", self._refusal))
            elif not one.done():
                one.set_exception(
                    SaliscopeError("internal", f"the process that starts workers ended ({how})", {"reason": how})
                )
        self._births.clear()
        self._askers.clear()

    def _hear(self, news: dict[str, Any]) -> None:
        if "forked" in news:
            child = ZygoteChild(news["forked"], is_ours=self._forks)
            self._children[child.pid] = child
            birth = self._births.pop(0)
            if not birth.done():
                birth.set_result(child)
        elif "exited" in news:
            gone = self._children.pop(news["exited"], None)
            if gone is not None:
                gone.end.set_result(End(news["how"], tuple(news["computing"])))
        elif "refused" in news:
            self._refusal = news["refused"]
        else:
            log.info("%s is ready: pid %s, %s threads", self._name, news["ready"], news["threads"])
            self._num_places = num_places = news.get("places", 1)
            for asker in self._askers:
                if not asker.done():
                    asker.set_result(num_places)
            self._askers.clear()


def _is_closed(sock: socket.socket) -> bool:
    """Whether the peer has closed its end, as the kernel sees it now."""
    poll = select.poll()
    poll.register(sock, select.POLLHUP)
    return any(event & select.POLLHUP for _, event in poll.poll(0))
