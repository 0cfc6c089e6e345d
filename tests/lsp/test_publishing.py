"""Diagnostics are told when a document has come to rest, and then once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lsprotocol import types

from tests.lsp.conftest import Start
from tests.lsp.editor import Editor
from tests.lsp.fake_session import FakeDaemon

URI = "file:///x/reviews.jsonl"
NAME = types.TextDocumentIdentifier(URI)
NUMBER = 20
TEXT = "".join(f'{{"text": "a dull film {number}", "label": "positive"}}\n' for number in range(NUMBER))
PULLS = types.ClientCapabilities(
    text_document=types.TextDocumentClientCapabilities(diagnostic=types.DiagnosticClientCapabilities()),
    workspace=types.WorkspaceClientCapabilities(
        diagnostics=types.DiagnosticWorkspaceClientCapabilities(refresh_support=True)
    ),
)
pytestmark = pytest.mark.asyncio


async def opened(start: Start, capabilities: Any = None, **settings: Any) -> Editor:
    editor = await start(capabilities, **settings)
    features = editor.client.protocol.fm.features
    features[types.WORKSPACE_DIAGNOSTIC_REFRESH] = lambda params=None: editor.refreshed.append("pull")
    editor.open(URI, TEXT, "jsonl")
    await editor.settle(URI)
    return editor


async def explained(editor: Editor) -> None:
    """Until what was typed is explained, whether or not it was told."""
    buffer = editor.service.buffers[URI]
    await editor.until(lambda: buffer.version == editor.versions[URI] and buffer.live and buffer.live.is_settled)


async def test_who_goes_on_typing_hears_of_it_once_behind_the_last_key(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = await opened(start)
    # A rest so long that it comes when the test says so.
    monkeypatch.setattr("saliscope.lsp.publishing._REST", 1_000_000)
    monkeypatch.setattr("saliscope.lsp.publishing._PATIENCE_S", 1_000_000.0)
    sent = len(editor.published)
    for number in range(4):
        editor.replace(URI, f"dull film {number}", f"wonderful film {number}")
        await explained(editor)
        await asyncio.sleep(0.02)
    assert len(editor.published) == sent
    monkeypatch.setattr("saliscope.lsp.publishing._REST", 1)
    editor.replace(URI, "film 9", "film, 9")
    await editor.settle(URI)
    assert len(editor.published) == sent + 1
    assert editor.published[-1].version == editor.versions[URI]
    assert len(editor.client.diagnostics[URI]) == NUMBER - 4


async def test_who_types_without_a_rest_hears_of_it_nevertheless(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = await opened(start)
    monkeypatch.setattr("saliscope.lsp.publishing._REST", 1_000_000)
    monkeypatch.setattr("saliscope.lsp.publishing._PATIENCE_S", 0.05)
    editor.replace(URI, "dull", "wonderful")
    await editor.until(lambda: len(editor.client.diagnostics[URI]) == NUMBER - 1)


async def test_what_is_drawn_is_told_before_the_problems(start: Start) -> None:
    editor = await opened(start, types.ClientCapabilities(experimental={"saliscope": {"decorations": True}}))
    editor.published.clear()
    editor.decorated.clear()
    heard: list[tuple[str, bool]] = []
    features = editor.client.protocol.fm.features
    features["saliscope/decorations"] = lambda params: heard.append(("drawn", params.records[0].stale))
    features[types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS] = lambda params: heard.append(("problems", False))
    editor.replace(URI, "dull", "wonderful")
    await editor.settle(URI)
    assert heard.index(("drawn", False)) < heard.index(("problems", False))
    assert heard.count(("problems", False)) == 1


async def test_who_asks_while_more_is_to_come_keeps_what_it_has(start: Start, daemon: FakeDaemon) -> None:
    editor = await opened(start, PULLS)

    async def pull(previous: str | None) -> Any:
        params = types.DocumentDiagnosticParams(NAME, previous_result_id=previous)
        return await editor.client.text_document_diagnostic_async(params)

    first = await pull(None)
    daemon.held.add("bad")
    editor.replace(URI, "dull", "bad")
    assert (await pull(first.result_id)).kind == "unchanged"
    # Who has nothing is told what there is.
    assert len((await pull(None)).items) == NUMBER - 1
    editor.refreshed.clear()
    daemon.held.clear()
    await editor.settle(URI)
    assert "pull" in editor.refreshed
    assert len((await pull(first.result_id)).items) == NUMBER


async def test_a_document_that_is_closed_says_nothing_more(start: Start) -> None:
    editor = await opened(start)
    editor.replace(URI, "dull", "wonderful")
    editor.client.text_document_did_close(types.DidCloseTextDocumentParams(NAME))
    await editor.command("printDebugInformation")
    sent = len(editor.published)
    assert not editor.client.diagnostics[URI]
    assert editor.service.news.is_told
    await asyncio.sleep(0.05)
    assert len(editor.published) == sent
