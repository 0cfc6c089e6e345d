"""The capabilities of real editors, and each of the three units of columns."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pytest_lsp import client_capabilities

from saliscope.lsp.abilities import Abilities
from saliscope.protocol.edits import Edit
from tests.lsp.conftest import Start
from tests.lsp.editor import Editor
from tests.lsp.fake_session import FakeDaemon

URI = "file:///x/a.jsonl"
TEXT = '{"text": "😀 é a dull\\u0021 film", "label": "positive"}\n{"text": "größer 😀 wonderful"}\n'
CLIENTS = ("visual-studio-code", "neovim@0.11", "neovim@0.7", "emacs")
OWN = {"saliscope": {"decorations": True, "status": True}}


def abilities(name: str) -> Abilities:
    return Abilities.of(client_capabilities(name))


def test_abilities_are_read_from_what_editors_say() -> None:
    code, vim, old_vim, emacs = map(abilities, CLIENTS)
    assert [one.pulls_diagnostics for one in (code, vim, old_vim, emacs)] == [False] * 4
    assert [one.markdown for one in (code, vim, old_vim, emacs)] == [True, True, True, True]
    assert [one.refreshes_tokens for one in (code, vim, old_vim, emacs)] == [True, True, False, False]
    assert [one.code_links for one in (code, vim, old_vim, emacs)] == [True, False, False, False]
    assert [one.decorations for one in (code, vim, old_vim, emacs)] == [False] * 4
    assert code.configuration
    assert code.progress
    assert Abilities.of(types.ClientCapabilities()) == Abilities()


@pytest.mark.parametrize("experimental", [[], None, "x", {"saliscope": 5}, {"saliscope": {"decorations": False}}])
def test_anything_may_be_experimental(experimental: Any) -> None:
    assert not Abilities.of(types.ClientCapabilities(experimental=experimental)).decorations


async def check(editor: Editor) -> None:
    editor.open(URI, TEXT, "jsonl")
    await editor.settle(URI)
    assert [word for word, *_ in await editor.coloured(URI)] == ["dull", "wonderful"]
    assert "dull +2.00" in (await editor.hover_text(URI, "dull")).replace("*", "").replace("`", "")
    start = TEXT.index("dull")
    editor.edit(URI, Edit(start, start + 4, "😀good"), Edit(0, 0, "\n"))
    await editor.settle(URI)
    assert editor.service.buffers[URI].text == editor.texts[URI].text
    assert [word for word, *_ in await editor.coloured(URI)] == ["good", "wonderful"]
    hover = await editor.hover(URI, "wonderful")
    assert hover is not None
    assert hover.range == editor.texts[URI].range(*_span(editor, "wonderful"))


def _span(editor: Editor, word: str) -> tuple[int, int]:
    start = editor.texts[URI].text.index(word)
    return start, start + len(word)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", CLIENTS)
async def test_an_editor_gets_hovers_and_colours_at_its_own_columns(start: Start, name: str) -> None:
    await check(await start(client_capabilities(name)))


@pytest.mark.asyncio
@pytest.mark.parametrize("encoding", list(types.PositionEncodingKind))
async def test_columns_are_in_the_units_that_the_client_prefers(
    start: Start, encoding: types.PositionEncodingKind
) -> None:
    general = types.GeneralClientCapabilities(position_encodings=[encoding])
    editor = await start(types.ClientCapabilities(general=general))
    assert editor.encoding == encoding.value
    await check(editor)


@pytest.mark.asyncio
async def test_decorations_and_status_go_to_who_asked_for_them(start: Start) -> None:
    editor = await start(types.ClientCapabilities(experimental=OWN))
    editor.open(URI, TEXT, "jsonl")
    await editor.settle(URI)
    assert editor.states == ["idle", "connecting", "connected"]
    assert editor.decorated[0].reset
    tokens = [tuple(token[:4]) for told in editor.decorated for record in told.records for token in record.tokens]
    lines = editor.texts[URI]
    places = [lines.range(*_span(editor, word)) for word in ("dull", "wonderful")]
    assert set(tokens) == {(one.start.line, one.start.character, one.end.character, 3) for one in places}
    editor.decorated.clear()
    editor.replace(URI, "wonderful", "bad")
    await editor.settle(URI)
    told = editor.decorated[-1]
    assert (told.reset, told.version, [record.prediction for record in told.records]) == (False, 2, ["negative"])


@pytest.mark.asyncio
async def test_who_did_not_ask_gets_no_notification_of_ours(start: Start) -> None:
    editor = await start(client_capabilities("visual-studio-code"))
    editor.open(URI, TEXT, "jsonl")
    await editor.settle(URI)
    assert editor.decorated == editor.states == []


@pytest.mark.asyncio
async def test_nothing_is_told_after_the_shutdown(start: Start, daemon: FakeDaemon) -> None:
    capabilities = types.ClientCapabilities(experimental={"saliscope": {"decorations": True}})
    editor = await start(capabilities, trigger="manual")
    daemon.held.add("wonderful")
    editor.open("file:///x/a.txt", "a wonderful film")
    buffers = editor.service.buffers
    await editor.until(lambda: "file:///x/a.txt" in buffers and buffers["file:///x/a.txt"].live)
    running = asyncio.ensure_future(editor.command("runFile", "file:///x/a.txt"))
    await editor.until(lambda: editor.service.tasks.has_progress)
    await editor.client.shutdown_async(None)
    told = len(editor.decorated), len(editor.published)
    await asyncio.sleep(0.1)
    assert (len(editor.decorated), len(editor.published)) == told
    await asyncio.wait({running})
    assert running.exception() is not None
    with pytest.raises(JsonRpcException, match="shutting down"):
        await editor.command("models")


async def test_where_the_reader_is_can_be_told(start: Start) -> None:
    editor = await start()
    editor.open(URI, TEXT, "jsonl")
    await editor.settle(URI)
    place = editor.at(URI, "wonderful")
    client = editor.client.protocol
    client.notify("saliscope/focus", {"uri": URI, "position": {"line": place.line, "character": place.character}})
    assert "wonderful" in await editor.hover_text(URI, "wonderful")
