"""Work-done progress: begun when the client can show it, cancellable, and always ended."""

from __future__ import annotations

import asyncio
import uuid
from types import TracebackType
from typing import Final, Self

from lsprotocol import types

from saliscope.lsp.pygls_gaps import Server

Value = types.WorkDoneProgressBegin | types.WorkDoneProgressReport | types.WorkDoneProgressEnd
#: Seconds between two reports.
_PAUSE_S: Final = 0.2
#: Seconds that a client may take to make room for a bar.
_ANSWER_S: Final = 2.0


class Progress:
    """One bar in the editor, under an id of its own: pygls keeps every id for ever, so they are not kept there."""

    def __init__(self, server: Server, title: str, *, shown: bool, token: types.ProgressToken | None = None) -> None:
        self.token: types.ProgressToken = token if token is not None else f"saliscope {uuid.uuid4()}"
        self._server, self._title = server, title
        self._is_ours, self._shown = token is None, shown or token is not None
        self._last = 0.0

    async def __aenter__(self) -> Self:
        if self._shown and self._is_ours:
            try:
                async with asyncio.timeout(_ANSWER_S):
                    await self._server.protocol.send_request_async(
                        types.WINDOW_WORK_DONE_PROGRESS_CREATE, types.WorkDoneProgressCreateParams(token=self.token)
                    )
            except Exception:
                # A client that refuses to show it, or is silent, may do so; the work goes on.
                self._shown = False
        self._tell(types.WorkDoneProgressBegin(title=self._title, cancellable=True, percentage=0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cancelled = kind is not None and issubclass(kind, asyncio.CancelledError)
        self._tell(types.WorkDoneProgressEnd(message="cancelled" if cancelled else None))

    def report(self, done: float, total: float, message: str = "") -> None:
        """Say how far it is, not too often; `total` 0 is unknown."""
        now = asyncio.get_running_loop().time()
        if now - self._last < _PAUSE_S and done < total:
            return
        self._last = now
        share = min(100, int(100 * done / total)) if total > 0 else None
        self._tell(types.WorkDoneProgressReport(message=message or None, percentage=share, cancellable=True))

    def _tell(self, value: Value) -> None:
        if self._shown:
            self._server.protocol.notify(types.PROGRESS, types.ProgressParams(token=self.token, value=value))
