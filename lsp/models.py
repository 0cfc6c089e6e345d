"""Models that documents need: loaded with a progress bar, and fetched only if the user says so."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from lsprotocol import types

from saliscope.lsp.progress import Progress
from saliscope.lsp.pygls_gaps import Server
from saliscope.lsp.tasks import Tasks
from saliscope.protocol.aclient import AsyncClient
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.results import ModelInfo
from saliscope.protocol.results import Progress as Report

log = logging.getLogger(__name__)
_FETCH = "Download"


class Models:
    """Loads models by name, each once at a time, over the connection that `client` gives.

    `on_loaded` hears which one is there now, and if it is new.
    """

    def __init__(
        self,
        server: Server,
        tasks: Tasks,
        client: Callable[[], Awaitable[AsyncClient]],
        on_loaded: Callable[[str, bool], None],
    ) -> None:
        self._server, self._tasks, self._client, self._on_loaded = server, tasks, client, on_loaded
        self._offered: set[str] = set()
        self.shows_progress = self.asks = False

    def need(self, client: AsyncClient, model: str) -> None:
        """Have a model loaded if it is not, without waiting."""
        name = f"load {model}"
        if name not in self._tasks.names:
            self._tasks.start(name, self._need(client, model))

    async def load(
        self, client: AsyncClient, model: str, *, download: bool, token: types.ProgressToken | None = None
    ) -> ModelInfo:
        """Load a model, or fetch and load it, with a progress bar; raises what the daemon says."""
        title = f"{'Downloading' if download else 'Loading'} {model}"
        bar = Progress(self._server, title, shown=self.shows_progress, token=token)
        self._tasks.name_progress(bar.token)

        def report(told: Report) -> None:
            bar.report(told.done, told.total, told.message or told.stage)

        async with bar:
            found = await client.load_model(model, download=download, on_progress=report)
        self._on_loaded(model, download)
        return found

    async def _need(self, client: AsyncClient, model: str) -> None:
        try:
            known = {one.name: one.state for one in await client.models()}
            if known.get(model) != "ready":
                await self.load(client, model, download=False)
        except SaliscopeError as error:
            log.warning("%s: %s", error.code, error.message)
            if error.code == "unknown_model" and "--download" in error.message and model not in self._offered:
                self._offered.add(model)
                await self._offer(model)

    async def _offer(self, model: str) -> None:
        message = f"saliscope: {model} is not on this machine."
        if not self.asks:
            hint = f"{message} The command saliscope.download fetches it."
            self._server.window_show_message(types.ShowMessageParams(types.MessageType.Info, hint))
            return
        actions = [types.MessageActionItem(_FETCH), types.MessageActionItem("Not now")]
        chosen = await self._server.window_show_message_request_async(
            types.ShowMessageRequestParams(type=types.MessageType.Info, message=message, actions=actions)
        )
        if chosen is not None and chosen.title == _FETCH:
            try:
                # The connection of when it was asked may have gone before it was answered.
                await self.load(await self._client(), model, download=True)
            except SaliscopeError as error:
                # Whoever pressed the button waits for something to happen.
                told = f"saliscope: {model} was not fetched: {error.message}. {error.advice}"
                self._server.window_show_message(types.ShowMessageParams(types.MessageType.Error, told))
