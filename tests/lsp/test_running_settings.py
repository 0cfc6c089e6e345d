"""Settings that are changed while the server runs hold from then on."""

from __future__ import annotations

from typing import Any

import pytest
from lsprotocol import types
from pytest_lsp import client_capabilities

from tests.lsp.conftest import Start
from tests.lsp.editor import Editor

URI = "file:///x/reviews.jsonl"
TEXT = '{"text": "a dull film", "label": "positive"}\n{"text": "wonderful cast", "label": "positive"}\n'
NAME = types.TextDocumentIdentifier(URI)
DRAWS = types.ClientCapabilities(experimental={"saliscope": {"decorations": True}})
pytestmark = pytest.mark.asyncio


async def opened(start: Start, capabilities: Any = None, **settings: Any) -> Editor:
    editor = await start(capabilities, **settings)
    editor.open(URI, TEXT, "jsonl")
    await editor.settle(URI)
    return editor


async def change(editor: Editor, **settings: Any) -> None:
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams({"saliscope": settings}))
    # It is answered after what came before it.
    await editor.command("printDebugInformation")
    await editor.service.begun(URI)
    await editor.settle(URI)


async def test_the_debounce_of_each_document_is_what_its_settings_say_now(start: Start) -> None:
    editor = await opened(start, debounce=70)
    session = editor.service.session
    assert session is not None
    assert session._find(URI).debounce_s == pytest.approx(0.07)
    await change(editor, debounce=3)
    assert session._find(URI).debounce_s == pytest.approx(0.003)
    editor.replace(URI, "dull", "fun")
    await editor.settle(URI)
    assert [word for word, *_ in await editor.coloured(URI)] == ["fun", "wonderful"]


async def test_decorations_that_are_switched_off_are_taken_back(start: Start) -> None:
    editor = await opened(start, DRAWS)
    await change(editor, decorations=False)
    assert (editor.decorated[-1].reset, editor.decorated[-1].records) == (True, [])
    told = len(editor.decorated)
    editor.replace(URI, "dull", "fun")
    await editor.settle(URI)
    assert len(editor.decorated) == told
    await change(editor, decorations=True)
    assert len(editor.decorated[-1].records) == 2


async def test_a_client_that_had_another_text_asks_for_those_records_again(start: Start) -> None:
    editor = await opened(start, DRAWS)
    first, second = (one.id for one in editor.service.buffers[URI].records)
    editor.decorated.clear()
    await editor.command("decorations", URI, [second, 99])
    await editor.settle(URI)
    (told,) = editor.decorated
    assert (told.reset, [one.id for one in told.records], told.removed) == (False, [second], [99])
    await editor.command("decorations", URI)
    await editor.settle(URI)
    assert (editor.decorated[-1].reset, [one.id for one in editor.decorated[-1].records]) == (True, [first, second])


async def test_clients_ask_again_for_what_they_show_no_more(start: Start) -> None:
    editor = await start(client_capabilities("visual-studio-code"))
    editor.client.set_configuration({"model": "fake"}, section="saliscope")
    editor.open(URI, TEXT, "jsonl")
    await editor.settle(URI)
    editor.refreshed.clear()
    editor.client.set_configuration({"model": "fake", "codeLens": False}, section="saliscope")
    await change(editor)
    await editor.until(lambda: types.WORKSPACE_CODE_LENS_REFRESH in editor.refreshed)
    assert not await editor.client.text_document_code_lens_async(types.CodeLensParams(NAME))


async def test_model_method_diagnostics_and_limit_hold_at_once(start: Start) -> None:
    editor = await opened(start)
    await change(editor, model="other", method="occlusion", diagnostics=False)
    assert "other · occlusion" in await editor.hover_text(URI, "dull")
    assert editor.problems(URI) == []
    await change(editor, model="fake", maxCharacters=10)
    assert [code for code, _ in editor.problems(URI)] == ["too-large"]
    await change(editor, model="fake", topK=0)
    assert [modifiers for *_, modifiers in await editor.coloured(URI)] == [[], []]
