"""What reaches the worker: frames from the front and news from its own loader threads, in one queue."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from saliscope.protocol.codec import CHUNK, Decoder
from saliscope.protocol.frames import CLIENT_LIMITS, Frame, FrameError


@dataclass(frozen=True, slots=True)
class Closed:
    """The peer has gone, or sent something that is no frame."""

    reason: str


News = Callable[[], None]
"""Something that another thread wants done on the worker's own."""

Item = Frame | Closed | News


class Inbox:
    """Reads the socket on a thread of its own, so that a busy device never delays a cancel."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def post(self, news: News) -> None:
        """Have `news` called on the worker's thread; safe from any thread."""
        self._items.put(news)

    def take(self, wait_s: float | None) -> Item | None:
        """The next item; None if none comes within `wait_s` seconds (with None waits as long as it takes)."""
        try:
            return self._items.get(timeout=wait_s) if wait_s != 0 else self._items.get_nowait()
        except queue.Empty:
            return None

    def _read(self) -> None:
        decoder = Decoder(CLIENT_LIMITS)
        try:
            while data := self._sock.recv(CHUNK):
                for frame in decoder.frames(data):
                    self._items.put(frame)
            self._items.put(Closed("the peer closed the socket"))
        except (OSError, FrameError) as error:
            self._items.put(Closed(str(error)))
