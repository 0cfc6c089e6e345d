"""`saliscope lsp` as an editor starts it: a process of its own, the real daemon, and the bundled models."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

COMMAND = (sys.executable, "-m", "saliscope.cli")
TEXT = '{"text": "a dull, lifeless film", "label": "positive"}\n{"text": "a wonderful cast", "label": "positive"}\n'
URI = "file:///x/reviews.jsonl"
ASKED = (
    types.CLIENT_REGISTER_CAPABILITY, types.WORKSPACE_CODE_LENS_REFRESH, types.WORKSPACE_SEMANTIC_TOKENS_REFRESH
)  # fmt: skip
NAME = types.TextDocumentIdentifier(URI)
pytestmark = pytest.mark.asyncio


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """A user whose daemon is nobody else's; it ends with the tests."""
    folder = Path(tempfile.mkdtemp(prefix="sal-lsp-", dir="/tmp"))
    mine = {"SALISCOPE_RUNTIME_DIR": str(folder / "run"), "SALISCOPE_CACHE_DIR": str(folder / "cache")}
    environment = {**os.environ, **mine, "HF_HUB_OFFLINE": "1"}
    yield environment
    subprocess.run([*COMMAND, "daemon", "stop"], env=environment, capture_output=True, check=False)
    shutil.rmtree(folder)


@pytest_asyncio.fixture
async def client(environment: dict[str, str]) -> AsyncIterator[LanguageClient]:
    config = ClientServerConfig([*COMMAND, "lsp", "--stdio"], server_env=environment)
    client = await config.start()
    assert isinstance(client, LanguageClient)
    for method in ASKED:
        client.feature(method)(lambda params=None: None)
    await client.initialize_session(
        types.InitializeParams(
            capabilities=client_capabilities("visual-studio-code"),
            initialization_options={"saliscope": {"model": "demo-encoder", "debounce": 20}},
        )
    )
    yield client
    await client.shutdown_session()
    await client.stop()


async def until(ask: Callable[[], Any]) -> Any:
    while not (answer := ask()):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return answer


async def command(client: LanguageClient, name: str, *arguments: Any) -> Any:
    params = types.ExecuteCommandParams(command=f"saliscope.{name}", arguments=list(arguments))
    return await client.workspace_execute_command_async(params)


async def test_a_file_is_explained_edited_and_explained_again(client: LanguageClient) -> None:
    client.set_configuration({"model": "demo-encoder"}, section="saliscope")
    item = types.TextDocumentItem(uri=URI, language_id="jsonl", version=1, text=TEXT)
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    await until(lambda: client.diagnostics.get(URI))
    assert [one.code for one in client.diagnostics[URI]] == ["mispredicted"]
    got = await command(client, "runFile", URI)
    assert [row["prediction"]["label"] for row in got["records"]] == ["negative", "positive"]
    hover = await client.text_document_hover_async(types.HoverParams(NAME, types.Position(0, 14)))
    assert hover is not None
    assert isinstance(hover.contents, types.MarkupContent)
    assert "demo-encoder" in hover.contents.value
    tokens = await client.text_document_semantic_tokens_full_async(types.SemanticTokensParams(NAME))
    assert tokens is not None
    assert tokens.data
    change = types.TextDocumentContentChangePartial(
        range=types.Range(types.Position(0, 10), types.Position(0, 26)), text="a wonderful"
    )
    version = types.VersionedTextDocumentIdentifier(uri=URI, version=2)
    client.text_document_did_change(types.DidChangeTextDocumentParams(version, [change]))
    await until(lambda: not client.diagnostics[URI])
    got = await command(client, "runFile", URI)
    assert (got["version"], got["mispredicted"]) == (2, 0)
    masked = await command(client, "mask", URI, {"line": 1, "character": 14})
    assert masked["word"] == "wonderful"
    assert [one for one in client.messages if "without" not in one.message] == []


async def test_a_killed_daemon_comes_back_and_the_document_with_it(client: LanguageClient) -> None:
    item = types.TextDocumentItem(uri="untitled:Untitled-1", language_id="plaintext", version=1, text="a dull film\n")
    client.set_configuration({"model": "demo-encoder"}, section="saliscope")
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    assert len((await command(client, "runFile", item.uri))["records"]) == 1
    pid = (await command(client, "status"))["daemon"]["pid"]
    os.kill(pid, 9)
    await until(lambda: [one.message for one in client.messages if "the daemon has gone" in one.message])
    change = types.TextDocumentContentChangeWholeDocument(text="a dull film\na wonderful film\n")
    version = types.VersionedTextDocumentIdentifier(uri=item.uri, version=2)
    client.text_document_did_change(types.DidChangeTextDocumentParams(version, [change]))
    rows = (await command(client, "runFile", item.uri))["records"]
    assert [row["prediction"]["label"] for row in rows] == ["negative", "positive"]
    assert len(client.messages) == 1


async def test_an_editor_that_leaves_without_a_word_ends_the_server(environment: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "lsp", env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.close()
    assert await process.wait() == 1


def message(method: str, number: int | None = None, **params: Any) -> bytes:
    asked: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    body = json.dumps(asked if number is None else {**asked, "id": number}).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


async def test_messages_come_in_any_pieces_and_one_that_breaks_off_ends_the_server(
    environment: dict[str, str],
) -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "lsp", env=environment, stdin=pipe, stdout=pipe, stderr=pipe
    )
    assert process.stdin is not None
    assert process.stdout is not None
    asked = message("initialize", 1, capabilities={}, processId=None, rootUri=None)
    for at in range(0, len(asked), 25):
        process.stdin.write(asked[at : at + 25])
        await process.stdin.drain()
        await asyncio.sleep(0)
    header = await process.stdout.readuntil(b"\r\n\r\n")
    answer = json.loads(await process.stdout.readexactly(int(header.split()[1])))
    assert answer["id"] == 1
    assert answer["result"]["serverInfo"]["name"] == "saliscope"
    process.stdin.write(asked[:-1])
    process.stdin.close()
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"Traceback" not in said


async def test_what_is_no_pipe_is_read_too(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "messages"
    file.write_bytes(
        message("initialize", 1, capabilities={}, processId=None, rootUri=None)
        + message("shutdown", 2)
        + message("exit")
    )
    with file.open("rb") as stdin:
        done = await asyncio.create_subprocess_exec(
            *COMMAND, "lsp", env=environment, stdin=stdin, stdout=asyncio.subprocess.PIPE
        )
        written, _ = await done.communicate()
    assert done.returncode == 0
    assert b'"id":2' in written.replace(b" ", b"")
