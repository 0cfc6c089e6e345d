from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.lsp.editor import Editor
from tests.lsp.fake_session import FakeDaemon

Start = Callable[..., Awaitable[Editor]]


@pytest_asyncio.fixture
async def daemon() -> FakeDaemon:
    return FakeDaemon()


@pytest_asyncio.fixture
async def start(daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    """Start an editor with capabilities and settings; news are told at once."""
    monkeypatch.setattr("saliscope.lsp.news._PAUSE_S", 0.01)
    monkeypatch.setattr("saliscope.lsp.publishing._PAUSE_S", 0.01)
    monkeypatch.setattr("saliscope.lsp.publishing._EACH_S", 0.0)
    editors: list[Editor] = []

    async def start(capabilities: Any = None, **settings: Any) -> Editor:
        editors.append(Editor(daemon.session))
        await editors[-1].start(capabilities, **settings)
        return editors[-1]

    yield start
    for editor in editors:
        await editor.stop()


@pytest_asyncio.fixture
async def editor(start: Start) -> Editor:
    return await start()
