"""Between the front and the actors: takes sockets, and carries the bytes of each to a worker and back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from typing import Any, Final

from ray.exceptions import RayError

from saliscope import __version__
from saliscope.daemon.cluster.news import tell
from saliscope.daemon.cluster.places import Places
from saliscope.daemon.engines.worker import End
from saliscope.protocol.codec import CHUNK

log = logging.getLogger(__name__)

_LOST: Final = End("its Ray actor, or that machine, is gone")


class Driver:
    """Does for the front what a zygote does, and speaks as one: for each descriptor on `control` a worker, and news of
    how it ended.
    """

    def __init__(self, control: socket.socket, places: Places) -> None:
        self._control, self._places = control, places
        self._free: asyncio.Queue[int] = asyncio.Queue()
        for place in range(places.num):
            self._free.put_nowait(place)
        self._num_workers = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until the control socket closes."""
        loop, closed = asyncio.get_running_loop(), asyncio.Event()
        self._control.setblocking(False)
        loop.add_reader(self._control, self._take, closed)
        tell(self._control, ready=os.getpid(), threads=0, places=self._places.num)
        await closed.wait()
        loop.remove_reader(self._control)

    def _take(self, closed: asyncio.Event) -> None:
        try:
            command, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
        except BlockingIOError:
            return
        except ConnectionError:
            command, descriptors = b"", []
        if not command:
            closed.set()
            return
        self._num_workers += 1
        sock = socket.socket(fileno=descriptors[0])
        sock.setblocking(False)
        tell(self._control, forked=self._num_workers)
        task = asyncio.create_task(self._serve(self._num_workers, sock))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, number: int, sock: socket.socket) -> None:
        """One worker from its start to its end, which the front hears of."""
        place = await self._free.get()
        try:
            end = await self._carry(self._places.actor(place), sock)
        except (RayError, OSError) as error:
            log.warning("place %d is lost: %s", place, type(error).__name__)
            self._places.lose(place)
            end = _LOST
        finally:
            self._free.put_nowait(place)
            sock.close()
        with contextlib.suppress(ConnectionError):
            tell(self._control, exited=number, how=end.how, computing=end.computing)

    async def _carry(self, actor: Any, sock: socket.socket) -> End:
        version, host = await actor.open.remote()
        if version != __version__:
            await actor.close.remote()
            return End(f"{host} has saliscope {version}, not {__version__}: install the same there")
        up = asyncio.create_task(_up(sock, actor))
        try:
            while data := await actor.read.remote():
                await asyncio.get_running_loop().sock_sendall(sock, data)
        finally:
            up.cancel()
        how, computing = await actor.ended.remote()
        return End(how, tuple(computing))


async def _up(sock: socket.socket, actor: Any) -> None:
    """What the front says, to the worker; where the front has gone the worker ends."""
    # How it ended is found out on the way down.
    with contextlib.suppress(RayError, OSError):
        while data := await asyncio.get_running_loop().sock_recv(sock, CHUNK):
            await actor.write.remote(data)
        await actor.close.remote()
