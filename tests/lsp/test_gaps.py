"""Where pygls is worked around: what would happen without it is what each of these would see."""

from __future__ import annotations

import asyncio
import logging
import sys

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcInternalError

from saliscope.lsp.pipes import Reading
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


@pytest.mark.parametrize("size", [1, 7, 1_000_000])
def test_messages_are_cut_where_their_lengths_say_however_they_come(size: int) -> None:
    bodies = [b'{"a": "\xc3\xa9\\r\\n\\r\\n"}', b"{}", b"x" * 70_000]
    stream = b"".join(
        head + str(len(body)).encode() + b"\r\n\r\n" + body
        for head, body in zip(
            (b"Content-Length: ", b"Content-Type: a; charset=utf-8\r\nContent-Length:", b"content-length: "),
            bodies,
            strict=True,
        )
    )
    read: list[bytes] = []

    async def feed() -> None:
        reading = Reading(read.append)
        for at in range(0, len(stream), size):
            reading.data_received(stream[at : at + size])
        assert not reading.ended.done()
        reading.connection_lost(None)
        await reading.ended

    asyncio.run(feed())
    assert read == bodies


@pytest.mark.asyncio
async def test_a_message_that_cannot_be_read_is_in_the_log_and_the_next_one_is(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    editor = await start()
    for body in (b"{", b"[]", b"5", b'{"jsonrpc": "2.0", "method": "textDocument/didChange", "params": {"secret": 1}}'):
        editor.server.protocol.read(body)
    editor.open(URI, "fun \ud800\n")
    await editor.settle(URI)
    assert editor.client.messages == []
    assert caplog.text.count("JsonRpcException") == 4
    assert "secret" not in "".join(map(editor.formatter.format, caplog.records))


@pytest.mark.asyncio
async def test_nothing_is_left_of_an_edit(start: Start) -> None:
    editor = await start()
    editor.open(URI, "fun\n")
    await editor.settle(URI)
    before = len(editor.server.protocol._request_futures)
    for _ in range(100):
        editor.replace(URI, "fun", "funfun")
        editor.replace(URI, "funfun", "fun")
    await editor.settle(URI)
    assert len(editor.server.protocol._request_futures) == before


@pytest.mark.asyncio
async def test_a_key_of_a_message_within_one_is_nothing_special(start: Start) -> None:
    editor = await start()
    found = editor.server.protocol.structure_message(
        {"jsonrpc": "2.0", "method": "workspace/didChangeConfiguration", "params": {"settings": {"jsonrpc": "3"}}}
    )
    assert found.params.settings == {"jsonrpc": "3"}


@pytest.mark.asyncio
async def test_a_colouring_that_fails_is_answered_with_an_error_and_the_next_one_is_not(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    editor = await start()
    editor.open(URI, "fun\n")
    await editor.settle(URI)
    features = editor.server.protocol.fm.features
    method = types.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL
    params = types.SemanticTokensParams(types.TextDocumentIdentifier(URI))
    ours = features[method]

    told = "".join(("sec", "ret"))

    def fail(params: object) -> None:
        raise ZeroDivisionError(told)

    features[method] = fail
    with pytest.raises(JsonRpcInternalError, match="ZeroDivisionError"):
        await editor.client.text_document_semantic_tokens_full_async(params)
    features[method] = ours
    assert (await editor.client.text_document_semantic_tokens_full_async(params)) is not None
    assert editor.client.messages == []
    assert told not in "".join(map(editor.formatter.format, caplog.records))


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", [b'"result": null', b'"error": {"code": -32601, "message": "what?"}'])
async def test_what_a_client_answers_to_a_nudge_says_nothing(
    start: Start, caplog: pytest.LogCaptureFixture, answer: bytes
) -> None:
    editor = await start()
    editor.server.protocol.read(b'{"jsonrpc": "2.0", "id": "nudge-1", ' + answer + b"}")
    assert caplog.records == []
