"""The live documents of one client: connected, connected again, opened again, whatever becomes of the daemon."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Unpack

from saliscope.protocol.aclient import AsyncClient
from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.launch import aconnect
from saliscope.protocol.live.choices import Choices
from saliscope.protocol.live.courier import Courier, OnChange
from saliscope.protocol.live.document import LiveDocument
from saliscope.protocol.verbs.documents import RecordOptions
from saliscope.protocol.workspace import Trigger

SessionState = Literal["idle", "connecting", "connected", "lost", "failed"]
OnState = Callable[[SessionState, str], None]

#: Seconds before a daemon that could not be reached is looked for again: the first time, and at most.
_AGAIN_S: Final = (0.25, 8.0)


class LiveSession:
    """Documents by name on the running loop, with one connection for all of them.

    `on_change` hears which records of a document have other scores, places or findings (None: all); that records only
    move with one's own edits is not told. `on_state` hears how the connection is, and why. Edits are sent when there
    was none for `debounce_s`. `socket` and `token` are the address of a daemon on TCP; without, it is that of this
    user, which is started if need be, unless `start` is false. Files of the workspace are looked at every `look_s`.
    """

    def __init__(
        self,
        *,
        on_change: OnChange | None = None,
        on_state: OnState | None = None,
        debounce_s: float = 0.15,
        socket: str | None = None,
        token: str | None = None,
        start: bool = True,
        look_s: float = 1.0,
    ) -> None:
        self._on_change = on_change or (lambda document, ids: None)
        self._on_state = on_state or (lambda state, message: None)
        self._debounce_s, self._look_s = debounce_s, look_s
        self._socket, self._token, self._starts = socket, token, start
        self._couriers: dict[str, Courier] = {}
        self._errands: dict[str, asyncio.Task[None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._first_try = asyncio.Event()
        self.client: AsyncClient | None = None
        self.state: SessionState = "idle"

    async def start(self) -> None:
        """Connect; returns when that was done or has failed (see `state`), and goes on trying until `stop`."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._keep()), asyncio.create_task(self._watch())]
            for task in self._tasks:
                task.add_done_callback(_tell_failure)
        await self._first_try.wait()

    async def stop(self) -> None:
        """Close the connection; the documents keep what they know."""
        tasks = [*self._errands.values(), *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks = []
        self._first_try.clear()
        self.state = "idle"
        for courier in self._couriers.values():
            courier.close()
        if self.client is not None:
            client, self.client = self.client, None
            await client.close()

    # -- documents --------------------------------------------------------------------------------

    def open(
        self,
        name: str,
        text: str,
        *,
        path: Path | None = None,
        trigger: Trigger | None = None,
        **options: Unpack[RecordOptions],
    ) -> LiveDocument:
        """Open a document under a path or a name (an open one of this name is closed); its records are told of later.

        `options` are those of `open_document`. What they leave out is as the `saliscope.toml` nearest to `path` says,
        now and when it changes. `trigger` says when edits are sent: "onType", or at `flush` ("onSave"); "manual" lets
        the opening, too, wait for `flush`.
        """
        if name in self._couriers:
            self._couriers.pop(name).close()
        choices = Choices(path, _known(options), trigger)
        courier = Courier(LiveDocument(name, text, choices), choices, self._on_change, self._debounce_s)
        self._couriers[name] = courier
        self._send_out(courier)
        return courier.document

    def document(self, name: str) -> LiveDocument:
        """The open document of this name; `bad_request` without one."""
        return self._find(name).document

    def change(self, name: str, edits: Sequence[Edit], text: str | None = None) -> None:
        """Edit a document, each edit in the positions that those before it leave; `bad_request` for one outside it.

        Who keeps the text gives the one that the edits make.
        """
        self._find(name).edit(list(edits), text)

    def focus(self, name: str, at: int) -> None:
        """The reader is at code point `at`: what is there is explained first, then what is near."""
        self._find(name).focus(at)

    def flush(self, name: str) -> None:
        """Send now what was edited, and open what waits for it: the file was saved, or somebody asks."""
        self._find(name).flush()

    def configure(self, name: str, **options: Unpack[RecordOptions]) -> None:
        """Explain a document otherwise; what is left out is as its workspace says, or the default."""
        self._find(name).configure(_known(options))

    def pace(self, name: str, debounce_s: float) -> None:
        """Have the edits of a document, from the next one on, sent when there was none for `debounce_s`."""
        self._find(name).debounce_s = debounce_s

    def close(self, name: str) -> None:
        """Close a document; nothing more is told of it."""
        self._find(name).close()
        del self._couriers[name]

    async def settled(self, name: str) -> None:
        """Wait until the daemon knows the newest text and nothing waits; also ends if it refuses the document."""
        await self._find(name).settled()

    def _find(self, name: str) -> Courier:
        if name not in self._couriers:
            raise SaliscopeError("bad_request", f"no document {name!r} is open; open it first")
        return self._couriers[name]

    # -- the connection ---------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Be connected whenever there is a daemon, until cancelled."""
        wait_s = _AGAIN_S[0]
        while True:
            self._enter("connecting", "")
            try:
                self.client = await aconnect(
                    self._socket, token=self._token, start=self._starts, reconnect=False,
                    on_stage=self._stage(asyncio.get_running_loop()),
                )  # fmt: skip
            except SaliscopeError as error:
                self._enter("failed", error.message)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, _AGAIN_S[1])
                continue
            since = asyncio.get_running_loop().time()
            self._enter("connected", "")
            for courier in self._couriers.values():
                self._send_out(courier)
            await self.client.closed()
            await self._call_back()
            await self.client.close()
            self.client = None
            self._enter("lost", "the connection to the daemon was lost")
            # One that ends as soon as it has come up is not started again and again.
            lived_s = asyncio.get_running_loop().time() - since
            wait_s = _AGAIN_S[0] if lived_s > _AGAIN_S[1] else min(2 * wait_s, _AGAIN_S[1])
            await asyncio.sleep(wait_s)

    async def _watch(self) -> None:
        """Look now and then whether a `saliscope.toml` says something else, until cancelled."""
        while True:
            await asyncio.sleep(self._look_s)
            for courier in list(self._couriers.values()):
                courier.look_again()

    def _stage(self, loop: asyncio.AbstractEventLoop) -> Callable[[str], None]:
        """Tell what takes time while connecting, from whatever thread."""

        def stage(message: str) -> None:
            with contextlib.suppress(RuntimeError):
                # Too late where the loop was closed meanwhile.
                loop.call_soon_threadsafe(self._on_state, "connecting", message)

        return stage

    def _enter(self, state: SessionState, message: str) -> None:
        self.state = state
        # Soon, not now: what its user does wrong must not end the connection.
        asyncio.get_running_loop().call_soon(self._on_state, state, message)
        if state != "connecting":
            self._first_try.set()

    def _send_out(self, courier: Courier) -> None:
        if self.client is None or not self.client.is_open:
            return
        name = courier.document.name
        errand = asyncio.create_task(self._serve(courier, self.client, self._errands.get(name)))
        self._errands[name] = errand
        errand.add_done_callback(self._come_back)

    async def _serve(self, courier: Courier, client: AsyncClient, before: asyncio.Task[None] | None) -> None:
        """Serve a document when the one that had its name before is closed."""
        if before is not None:
            await asyncio.wait({before})
        await courier.serve(client)

    async def _call_back(self) -> None:
        errands = list(self._errands.values())
        for errand in errands:
            errand.cancel()
        await asyncio.gather(*errands, return_exceptions=True)

    def _come_back(self, errand: asyncio.Task[None]) -> None:
        for name in [name for name, latest in self._errands.items() if latest is errand]:
            del self._errands[name]
        _tell_failure(errand)


def _tell_failure(task: asyncio.Task[None]) -> None:
    """Tell the loop of a task that has failed: nobody awaits it."""
    if not task.cancelled() and (error := task.exception()) is not None:
        told = {"message": "a live document cannot go on", "exception": error}
        task.get_loop().call_exception_handler(told)


def _known(options: RecordOptions) -> dict[str, Any]:
    """Options as a map; a misspelt one is a TypeError."""
    for name in options:
        if name not in RecordOptions.__annotations__:
            raise TypeError(f"there is no option {name!r} of a document")
    return dict(options)
