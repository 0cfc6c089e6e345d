"""What goes wrong: said once, in the right place, and everything else goes on."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from lsprotocol import types
from pytest_lsp import client_capabilities

from saliscope.protocol.edits import Edit
from saliscope.protocol.errors import SaliscopeError
from tests.lsp.conftest import Start
from tests.lsp.editor import Editor
from tests.lsp.fake_session import FakeClient, FakeDaemon

URI = "file:///x/a.txt"
TEXT = "a dull film\nfun\n"
pytestmark = pytest.mark.asyncio


def shown(editor: Editor) -> list[str]:
    return [one.message for one in editor.client.messages]


async def test_a_daemon_that_cannot_be_reached_is_told_once_and_found_when_it_is_back(
    start: Start, daemon: FakeDaemon
) -> None:
    daemon.down = True
    editor = await start()
    editor.open(URI, TEXT)
    await editor.until(lambda: shown(editor))
    assert await editor.coloured(URI) == []
    with pytest.raises(Exception, match="no connection to the daemon"):
        await editor.command("models")
    daemon.down = False
    await editor.settle(URI)
    assert [word for word, *_ in await editor.coloured(URI)] == ["dull", "fun"]
    assert shown(editor) == [
        "saliscope: the daemon cannot be reached: no daemon answers. Trying again until it is back."
    ]


async def test_a_daemon_that_dies_is_told_once_a_time_and_documents_go_on_with_what_was_typed_meanwhile(
    start: Start, daemon: FakeDaemon
) -> None:
    editor = await start()
    editor.open(URI, TEXT)
    await editor.settle(URI)
    daemon.down = True
    daemon.die()
    await editor.until(lambda: shown(editor))
    editor.replace(URI, "fun", "wonderful")
    assert "dull" in await editor.hover_text(URI, "dull")
    daemon.down = False
    await editor.until(lambda: editor.service.session and editor.service.session.state == "connected")
    await editor.settle(URI)
    assert [word for word, *_ in await editor.coloured(URI)] == ["dull", "wonderful"]
    assert shown(editor) == ["saliscope: the daemon has gone. Trying again until it is back."]
    daemon.die()
    await editor.until(lambda: len(shown(editor)) == 2)


async def test_without_a_model_there_is_one_hint_and_nothing_is_asked(start: Start, daemon: FakeDaemon) -> None:
    editor = await start(model=None)
    editor.open(URI, TEXT)
    editor.open("file:///x/b.txt", TEXT)
    await editor.until(lambda: shown(editor))
    editor.replace(URI, "fun", "good")
    with pytest.raises(Exception, match=r"no model is chosen; set saliscope\.model"):
        await editor.command("runFile", URI)
    assert len(shown(editor)) == 1
    assert "demo-encoder" in shown(editor)[0]
    assert daemon.asked == []
    await editor.command("setModel", None, "fake")
    await editor.settle(URI)
    assert [word for word, *_ in await editor.coloured(URI)] == ["dull", "good"]


async def test_a_window_in_which_nothing_is_explained_starts_no_daemon(start: Start, daemon: FakeDaemon) -> None:
    editor = await start(types.ClientCapabilities(experimental={"saliscope": {"status": True}}), model=None)
    editor.open(URI, TEXT)
    await editor.until(lambda: shown(editor))
    assert (daemon.client, editor.states, (await editor.command("status"))["session"]) == (None, ["idle"], "idle")
    assert [one["name"] for one in await editor.command("models")] == ["fake"]
    assert editor.states == ["idle", "connecting", "connected"]


async def test_a_document_that_is_explained_only_on_command_starts_no_daemon_before_it(
    start: Start, daemon: FakeDaemon
) -> None:
    editor = await start(trigger="manual")
    editor.open(URI, TEXT)
    assert (await editor.command("status"))["session"] == "idle"
    assert daemon.client is None
    rows = (await editor.command("runFile", URI))["records"]
    assert [row["prediction"]["label"] for row in rows] == ["negative", "positive"]


async def test_a_document_whose_address_cannot_be_read_has_no_file_and_is_explained(start: Start) -> None:
    editor, uri = await start(), "file://[bad/a.txt"
    editor.open(uri, TEXT)
    await editor.settle(uri)
    assert [word for word, *_ in await editor.coloured(uri)] == ["dull", "fun"]


async def test_a_huge_document_says_the_limit_and_is_explained_when_it_is_shorter(start: Start) -> None:
    editor = await start(maxCharacters=20)
    editor.open(URI, TEXT + "one more line\n")
    await editor.settle(URI)
    (found,) = editor.client.diagnostics[URI]
    assert (found.code, found.severity) == ("too-large", types.DiagnosticSeverity.Information)
    assert found.message == "the document has 30 characters; saliscope.maxCharacters is 20"
    editor.replace(URI, "one more line\n", "")
    await editor.settle(URI)
    assert editor.problems(URI) == []
    assert len(await editor.coloured(URI)) == 2
    editor.edit(URI, Edit(0, 0, "good " * 10))
    await editor.until(lambda: editor.problems(URI) == [("too-large", "")])
    assert await editor.coloured(URI) == []


async def test_a_document_that_the_daemon_refuses_says_why(start: Start) -> None:
    editor = await start()
    editor.open("file:///x/a.yaml", "text: a\n" * 40_000, "yaml")
    await editor.until(lambda: editor.client.diagnostics.get("file:///x/a.yaml"))
    (found,) = editor.client.diagnostics["file:///x/a.yaml"]
    assert found.code == "too-large"
    assert "the limit of format yaml is 262,144" in found.message


@pytest.mark.parametrize("name", ["file:///x/a.rs", "untitled:Untitled-1", "vscode-notebook-cell:/x/a.ipynb#X1"])
async def test_an_unknown_language_or_a_buffer_without_a_file_is_lines(editor: Editor, name: str) -> None:
    editor.open(name, TEXT, "brainfuck")
    await editor.settle(name)
    assert [word for word, *_ in await editor.coloured(name)] == ["dull", "fun"]


async def test_a_language_id_decides_where_the_name_says_nothing(editor: Editor) -> None:
    editor.open("untitled:Untitled-1", '{"text": "dull", "note": "wonderful"}\n', "jsonl")
    await editor.settle("untitled:Untitled-1")
    assert [word for word, *_ in await editor.coloured("untitled:Untitled-1")] == ["dull"]


async def test_requests_about_documents_that_are_not_open_answer_nothing(editor: Editor) -> None:
    name, place = types.TextDocumentIdentifier("file:///x/none.txt"), types.Position(3, 4)
    client = editor.client
    assert await client.text_document_hover_async(types.HoverParams(name, place)) is None
    assert not await client.text_document_code_lens_async(types.CodeLensParams(name))
    change: Any = types.TextDocumentContentChangeWholeDocument("new")
    version = types.VersionedTextDocumentIdentifier(uri=name.uri, version=9)
    client.text_document_did_change(types.DidChangeTextDocumentParams(version, [change]))
    client.text_document_did_close(types.DidCloseTextDocumentParams(name))
    with pytest.raises(Exception, match=r"the document file:///x/none.txt is not open"):
        await editor.command("runFile", name.uri)
    assert shown(editor) == []


async def test_opening_again_without_closing_begins_anew(editor: Editor) -> None:
    editor.open(URI, TEXT)
    await editor.settle(URI)
    editor.open(URI, "wonderful\n")
    await editor.until(lambda: editor.service.buffers[URI].text == "wonderful\n")
    await editor.settle(URI)
    assert await editor.coloured(URI) == [("wonderful", "salPos3", ["topk"])]


async def test_settings_that_are_wrong_are_in_the_log_and_the_others_hold(start: Start) -> None:
    editor = await start(hover="sometimes", topK=0)
    editor.open(URI, TEXT)
    await editor.settle(URI)
    assert [one.message for one in editor.client.log_messages] == [
        "saliscope: saliscope.hover: Expected `bool`, got `str`"
    ]
    assert (await editor.coloured(URI))[0] == ("dull", "salPos3", [])
    assert shown(editor) == []


async def test_a_client_that_never_says_its_settings_is_served(start: Start, monkeypatch: Any) -> None:
    monkeypatch.setattr("saliscope.lsp.preferences._ANSWER_S", 0.05)
    capabilities = types.ClientCapabilities(workspace=types.WorkspaceClientCapabilities(configuration=True))
    editor = await start(capabilities)
    editor.client.protocol.fm.features[types.WORKSPACE_CONFIGURATION] = lambda params: 1 / 0
    editor.open(URI, TEXT)
    await editor.settle(URI)
    assert len(await editor.coloured(URI)) == 2


async def test_what_a_client_said_holds_when_it_does_not_say_it_again(start: Start, monkeypatch: Any) -> None:
    monkeypatch.setattr("saliscope.lsp.preferences._ANSWER_S", 0.05)
    capabilities = types.ClientCapabilities(workspace=types.WorkspaceClientCapabilities(configuration=True))
    editor = await start(capabilities)
    editor.client.set_configuration({"method": "occlusion"}, section="saliscope")
    editor.open(URI, TEXT)
    await editor.settle(URI)
    editor.client.protocol.fm.features[types.WORKSPACE_CONFIGURATION] = lambda params: 1 / 0
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    await editor.command("printDebugInformation")
    await editor.service.begun(URI)
    assert editor.service.buffers[URI].settings.method == "occlusion"


async def test_settings_of_the_client_come_before_the_initial_ones_and_can_change(start: Start) -> None:
    capabilities = types.ClientCapabilities(workspace=types.WorkspaceClientCapabilities(configuration=True))
    editor = await start(capabilities)
    editor.client.set_configuration({"method": "occlusion"}, section="saliscope")
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    editor.open(URI, TEXT)
    await editor.settle(URI)
    assert " · occlusion · " in await editor.hover_text(URI, "dull")
    editor.client.set_configuration({"method": "sp-pi"}, section="saliscope")
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(None))
    await editor.until(lambda: editor.service.buffers[URI].settings.method == "sp-pi")
    await editor.settle(URI)
    assert " · sp-pi · " in await editor.hover_text(URI, "dull")


@pytest.mark.parametrize("answer", ["Download", "Not now", None])
async def test_a_model_that_is_not_here_is_offered_once_and_fetched_only_when_asked(
    start: Start, daemon: FakeDaemon, answer: str | None
) -> None:
    daemon.unknown["hub/model"] = "'hub/model' is not in the hub's cache; --download fetches it"
    editor = await start(client_capabilities("visual-studio-code"), model="hub/model")
    asked: list[str] = []

    @editor.client.feature(types.WINDOW_SHOW_MESSAGE_REQUEST)
    def ask(params: types.ShowMessageRequestParams) -> types.MessageActionItem | None:
        asked.append(params.message)
        return None if answer is None else types.MessageActionItem(answer)

    editor.open(URI, TEXT)
    await editor.until(lambda: asked)
    if answer == "Download":
        await editor.until(lambda: any(one.explanation for one in editor.service.buffers[URI].records))
        await editor.settle(URI)
        assert [word for word, *_ in await editor.coloured(URI)] == ["dull", "fun"]
    else:
        await editor.until(lambda: editor.problems(URI))
        assert editor.problems(URI) == [("refused", "")]
        assert daemon.loaded == set()
    editor.open("file:///x/b.txt", TEXT)
    await editor.until(lambda: "load hub/model" not in editor.service.tasks.names)
    assert len(asked) == 1


async def test_a_download_that_fails_is_told_to_who_asked_for_it(
    start: Start, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.unknown["hub/model"] = "'hub/model' is not in the hub's cache; --download fetches it"
    editor = await start(client_capabilities("visual-studio-code"), model="hub/model")
    load = FakeClient.load_model

    async def fail(client: Any, model: str, *, download: bool = False, on_progress: Any = None) -> Any:
        if download:
            raise SaliscopeError("unknown_model", "the hub cannot be reached")
        return await load(client, model, on_progress=on_progress)

    monkeypatch.setattr(FakeClient, "load_model", fail)
    editor.client.feature(types.WINDOW_SHOW_MESSAGE_REQUEST)(lambda params: types.MessageActionItem("Download"))
    editor.open(URI, TEXT)
    await editor.until(lambda: shown(editor))
    assert "hub/model was not fetched: the hub cannot be reached" in shown(editor)[0]


async def test_a_model_that_is_wanted_after_the_daemon_was_lost_is_fetched_by_the_next_one(
    start: Start, daemon: FakeDaemon
) -> None:
    daemon.unknown["hub/model"] = "'hub/model' is not in the hub's cache; --download fetches it"
    editor = await start(client_capabilities("visual-studio-code"), model="hub/model")
    asked, answered = asyncio.Event(), asyncio.Event()

    @editor.client.feature(types.WINDOW_SHOW_MESSAGE_REQUEST)
    async def ask(params: types.ShowMessageRequestParams) -> types.MessageActionItem:
        asked.set()
        await answered.wait()
        return types.MessageActionItem("Download")

    editor.open(URI, TEXT)
    await asked.wait()
    daemon.die()
    await editor.until(lambda: daemon.client is not None and daemon.client.is_open)
    answered.set()
    await editor.until(lambda: "load hub/model" not in editor.service.tasks.names)
    assert daemon.loaded == {"hub/model"}


async def test_a_client_with_a_place_of_its_own_for_it_gets_no_hint(start: Start) -> None:
    own = types.ClientCapabilities(experimental={"saliscope": {"hints": True}})
    editor = await start(own, model=None)
    editor.open(URI, TEXT)
    await editor.until(lambda: not editor.service.tasks.names)
    got = await editor.command("document", URI)
    assert (got["model"], got["problem"]["code"]) == (None, "no-model")
    assert shown(editor) == []


async def test_no_text_is_in_the_log(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    editor = await start()
    editor.open(URI, "confidential\n")
    await editor.settle(URI)
    with pytest.raises(Exception, match="these are not the arguments"):
        await editor.command("mask", "confidential", 5)
    with pytest.raises(Exception, match="there is no command"):
        await editor.command("confidential")
    editor.client.protocol.notify("saliscope/focus", {"uri": URI, "position": {"line": "confidential"}})
    await editor.hover(URI, "confidential")
    formatter = editor.formatter
    logged = "\n".join(map(formatter.format, caplog.records))
    assert "confidential" not in logged
    assert logged
    assert shown(editor) == []
