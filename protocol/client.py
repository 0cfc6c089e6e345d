"""The synchronous client: one connection, one call at a time, light to import."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from saliscope.protocol.codec import CHUNK, Decoder, encode_notification, encode_request
from saliscope.protocol.errors import DisconnectedError, SaliscopeError
from saliscope.protocol.frames import CLIENT_LIMITS, FrameError, Notification, Response
from saliscope.protocol.listening import OnNotification, failure_of, is_about
from saliscope.protocol.processes import end_process
from saliscope.protocol.repeating import asked_again, may_repeat
from saliscope.protocol.results import Initialized
from saliscope.protocol.validate import read
from saliscope.protocol.verbs import Verbs
from saliscope.protocol.verbs.verb import Call
from saliscope.protocol.watching import Watcher, watcher_of

if TYPE_CHECKING:
    import subprocess

T = TypeVar("T")


class Client(Verbs):
    """Speaks to a daemon (or to a private worker, whose process then ends with the client) over a socket.

    Every verb raises `SaliscopeError`; interrupting one (Ctrl-C, or an error in a callback) cancels its request.
    With `redial`, a client that has lost its daemon takes the connection of the one that `redial` makes, and asks
    there again what may be asked again.
    """

    def __init__(self, sock: socket.socket, process: subprocess.Popen[bytes] | None = None) -> None:
        self._socket = sock
        self._process = process
        self.redial: Callable[[], Client] | None = None
        self._wishes: dict[str, Any] = {}
        self._watchers: dict[str, Watcher] = {}
        self._decoder = Decoder(CLIENT_LIMITS)
        self._last_id = 0
        self._is_open = True
        #: The version of the daemon, as it answered `initialize`.
        self.peer_version = ""
        # Only writing is shared: `cancel` may come from another thread while `call` waits.
        self._write_lock = threading.Lock()

    def ask(self, call: Call[T]) -> T:
        """What a verb asks for; see `call`."""
        return call.read(self.call(call.method, call.params, call.listen))

    def call(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        on_notification: OnNotification | None = None,
        timeout: float | None = None,
    ) -> Any:
        """Send one request and wait for its result; notifications about it go to `on_notification` meanwhile.

        Raises the daemon's error, `unavailable` if the connection is lost, `timeout` after `timeout` seconds of
        silence. A daemon that is lost is replaced, if this client may do that.
        """
        num_lost = 0
        while True:
            try:
                return self._once(method, params, on_notification, timeout)
            except SaliscopeError as error:
                if self.redial is None or not may_repeat(method, error, num_lost):
                    raise
            num_lost += 1
            if on_notification is not None:
                on_notification(asked_again(self._last_id))
            self._take_over(self.redial())

    def _once(
        self, method: str, params: dict[str, Any] | None, on_notification: OnNotification | None, timeout: float | None
    ) -> Any:
        frame = encode_request(self._last_id + 1, method, params or {})
        self._last_id += 1
        id = self._last_id
        self._send(frame, timeout)
        try:
            response = self._receive(id, on_notification)
        except BaseException:
            if self._is_open:
                self.cancel(id)
            raise
        if response.error is not None:
            raise SaliscopeError.from_wire(response.error)
        return response.result

    def cancel(self, id: int) -> None:
        """Ask for the end of a request (`id` as partials and progress carry it); it answers with `cancelled`."""
        self._send(encode_notification("$/cancel", {"id": id}), self._socket.gettimeout())

    def initialize(self, *, client: str = "saliscope", timeout: float | None = None, **params: Any) -> Initialized:
        """Open the session: array errors and notifications, unless `params` (of `Initialize`) say otherwise."""
        from saliscope import __version__

        fields = {"client": client, "version": __version__, **params}
        self._wishes = params
        try:
            answer = read(self.call("initialize", fields, timeout=timeout), Initialized)
        except SaliscopeError as error:
            self.peer_version = str(error.data.get("version", ""))
            raise
        self.peer_version = answer.version
        return answer

    @property
    def is_current(self) -> bool:
        """Whether the daemon has said that it is of our version."""
        from saliscope import __version__

        return self.peer_version == __version__

    def listen(self, timeout: float | None = None) -> bool:
        """Wait for news of open documents, for their callbacks; False if nothing came within `timeout` seconds."""
        if not self._is_open:
            raise DisconnectedError("this client is closed")
        # What came behind an answer has been read already.
        news = [*self._decoder.frames(b"")]
        self._socket.settimeout(timeout)
        while not news:
            try:
                data = self._socket.recv(CHUNK)
            except TimeoutError:
                return False
            except OSError as error:
                self._lose()
                raise DisconnectedError from error
            if not data:
                self._lose()
                raise DisconnectedError
            news += self._decoder.frames(data)
        for frame in news:
            if isinstance(frame, Notification):
                self._hear(frame)
        return True

    def close(self) -> None:
        """Close the connection; a private worker ends with it."""
        self.redial = None
        self._lose()

    def _lose(self) -> None:
        self._is_open = False
        self._socket.close()
        if self._process is not None:
            end_process(self._process)
            self._process = None

    def detach(self) -> tuple[socket.socket, subprocess.Popen[bytes] | None]:
        """Give the socket (and the private worker's process) away; the client is closed then."""
        self._is_open = False
        return self._socket, self._process

    def _take_over(self, fresh: Client) -> None:
        """Go on with the connection of another client."""
        self._lose()
        self._socket, self._process = fresh.detach()
        self._decoder = Decoder(CLIENT_LIMITS)
        self._is_open, self.peer_version = True, fresh.peer_version
        if self._wishes:
            self.initialize(**self._wishes)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, frame: bytes, timeout: float | None) -> None:
        if not self._is_open:
            raise DisconnectedError("this client is closed")
        try:
            with self._write_lock:
                self._socket.settimeout(timeout)
                self._socket.sendall(frame)
        except BaseException as error:
            # Half a frame may be out: nothing sensible can follow it.
            self._lose()
            if isinstance(error, OSError):
                raise DisconnectedError from error
            raise

    def _receive(self, id: int, on_notification: OnNotification | None) -> Response:
        failure: SaliscopeError | None = None
        while True:
            try:
                data = self._socket.recv(CHUNK)
            except TimeoutError as error:
                raise SaliscopeError("timeout", "the daemon did not answer in time") from error
            except OSError as error:
                self._lose()
                raise failure or DisconnectedError() from error
            if not data:
                self._lose()
                raise failure or DisconnectedError()
            try:
                for frame in self._decoder.frames(data):
                    if isinstance(frame, Response) and frame.id == id:
                        return frame
                    if isinstance(frame, Notification):
                        failure = failure or failure_of(frame)
                        self._hear(frame)
                        if on_notification is not None and is_about(frame, id):
                            on_notification(frame)
            except FrameError:
                self._lose()
                raise

    def _hear(self, frame: Notification) -> None:
        watcher = watcher_of(self._watchers, frame)
        if watcher is not None:
            watcher.hear(frame)
