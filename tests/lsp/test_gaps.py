"""Where pygls is worked around: what would happen without it is what each of these would see."""

from __future__ import annotations

import asyncio
import logging
import sys

import pytest

from saliscope.lsp.pygls_gaps import Discreet
from tests.lsp.conftest import Start
from tests.lsp.editor import Editor
from tests.lsp.fake_session import FakeDaemon

URI = "file:///x/a.txt"


@pytest.mark.asyncio
async def test_shutting_down_with_requests_in_flight_answers_all_of_them(daemon: FakeDaemon) -> None:
    editor = Editor(daemon.session)
    await editor.start()
    editor.open(URI, "a dull film\n")
    await editor.settle(URI)
    daemon.slow.clear()
    daemon.held.add("grim")
    editor.replace(URI, "dull", "grim")
    commands = [("download", "hub/model"), ("runFile", URI), ("runFile", URI)]
    running = [asyncio.create_task(editor.command(*one)) for one in commands]
    await editor.until(lambda: editor.service.tasks.has_progress)
    await editor.stop()
    for one in running:
        with pytest.raises(Exception, match="cancel"):
            await one


@pytest.mark.asyncio
async def test_an_error_in_a_handler_is_in_the_log_and_not_shown(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    editor = await start()
    editor.client.protocol.notify("saliscope/focus", {"nothing": 5})
    editor.open(URI, "fun\n")
    await editor.settle(URI)
    assert editor.client.messages == []
    assert "FeatureNotificationError: JsonRpcInternalError" in caplog.text


def test_a_log_line_of_pygls_has_no_arguments_and_an_exception_no_message() -> None:
    formatter = Discreet("%(name)s %(message)s")
    record = logging.LogRecord("pygls.protocol", logging.ERROR, "", 1, "Failed %s: 100%%", ("secret",), None)
    assert "secret" not in formatter.format(record)
    try:
        raise ValueError("secret")
    except ValueError:
        ours = logging.LogRecord("saliscope.lsp", logging.ERROR, "", 1, "failed", (), sys.exc_info())
    text = formatter.format(ours)
    assert text.startswith("saliscope.lsp failed\n")
    assert text.endswith("ValueError")
    assert "secret" not in text.replace('raise ValueError("secret")', "")
