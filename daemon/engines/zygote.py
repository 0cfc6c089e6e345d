"""The front's end of the zygote: a process that has imported torch and forks workers in no time."""

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
    """A forked worker; the zygote, its parent, tells how it ended."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.end: asyncio.Future[End] = asyncio.get_running_loop().create_future()

    async def ended(self) -> End:
        """Wait for its end and say how it came."""
        return await asyncio.shield(self.end)

    def kill(self) -> None:
        """End it now."""
        if not self.end.done():
            os.kill(self.pid, signal.SIGKILL)


class ZygoteSpawner:
    """Starts the zygote with the first worker, and again if it has died."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._listener: asyncio.Task[None] | None = None
        self._children: dict[int, ZygoteChild] = {}
        self._births: list[asyncio.Future[ZygoteChild]] = []

    async def spawn(self, sock: socket.socket) -> ZygoteChild:
        """A worker that speaks on `sock`; `internal` if the zygote dies meanwhile."""
        if self._control is not None and self._listener is not None and _is_closed(self._control):
            # It died with its worker, and the listener has not come to hear of it.
            await asyncio.wait({self._listener})
        control = self._control or self._start()
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
        self._control = ours
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
            log.error("the zygote reset its control socket")
        control.close()
        self._control = None
        status = await asyncio.to_thread(process.wait)
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        log.info("the zygote ended: %s", how)
        for child in self._children.values():
            child.end.set_result(End(f"the zygote ended: {how}"))
        self._children.clear()
        for birth in self._births:
            if not birth.done():
                birth.set_exception(
                    SaliscopeError("internal", f"the process that starts workers ended ({how})", {"reason": how})
                )
        self._births.clear()

    def _hear(self, news: dict[str, Any]) -> None:
        if "forked" in news:
            child = ZygoteChild(news["forked"])
            self._children[child.pid] = child
            birth = self._births.pop(0)
            if not birth.done():
                birth.set_result(child)
        elif "exited" in news:
            gone = self._children.pop(news["exited"], None)
            if gone is not None:
                gone.end.set_result(End(news["how"], tuple(news["computing"])))
        else:
            log.info("the zygote is ready: pid %s, %s threads", news["ready"], news["threads"])


def _is_closed(sock: socket.socket) -> bool:
    """Whether the peer has closed its end, as the kernel sees it now."""
    poll = select.poll()
    poll.register(sock, select.POLLHUP)
    return any(event & select.POLLHUP for _, event in poll.poll(0))
