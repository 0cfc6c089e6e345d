"""Commands answer with JSON, and end when they are cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lsprotocol import types
from pytest_lsp import client_capabilities

from saliscope.lsp.commands import COMMANDS
from saliscope.protocol.errors import SaliscopeError
from tests.lsp.conftest import Start
from tests.lsp.editor import Editor
from tests.lsp.fake_session import FakeClient, FakeDaemon

URI = "file:///x/reviews.jsonl"
TEXT = '{"text": "a dull film", "label": "positive"}\n{"text": "wonderful cast", "label": "positive"}\n'
PLACE = {"line": 0, "character": 12}
pytestmark = pytest.mark.asyncio
VSCODE = client_capabilities("visual-studio-code")


async def opened(start: Start, capabilities: Any = None, **settings: Any) -> Editor:
    editor = await start(capabilities, **settings)
    editor.open(URI, TEXT, "jsonl")
    await editor.settle(URI)
    return editor


async def test_all_commands_are_announced(editor: Editor) -> None:
    assert editor.result is not None
    provider = editor.result.capabilities.execute_command_provider
    assert provider is not None
    assert set(provider.commands) == set(COMMANDS)


async def test_explaining_a_place_answers_with_its_explanation(start: Start) -> None:
    editor = await opened(start)
    got = await editor.command("explain", URI, PLACE)
    assert got["prediction"]["label"] == "negative"
    assert got["explanation"]["scores"] == [-0.01, 2.0, -0.01]
    assert got["findings"] == [{"code": "mismatch", "message": "the label is positive, the prediction negative"}]
    assert (await editor.command("copyJson", URI, PLACE))["explanation"] == got["explanation"]


async def test_what_is_known_of_a_record_has_the_place_of_each_word(start: Start) -> None:
    editor = await opened(start, trigger="onSave")
    await editor.command("compare", URI, PLACE, "occlusion")
    got = await editor.command("record", URI, PLACE)
    words = [slice(*editor.texts[URI].span(as_range(place))) for place in got["places"]]
    assert [TEXT[word] for word in words] == ["a", "dull", "film"]
    assert got["compared"] == {"occlusion": got["explanation"]["scores"]}
    editor.replace(URI, "dull ", "")
    await editor.until(lambda: editor.service.buffers[URI].version == 2)
    assert [place is None for place in (await editor.command("record", URI, PLACE))["places"]] == [False, True, False]
    assert await editor.command("record", URI, {"line": 9, "character": 0}) is None
    assert await editor.command("record", "file:///x/not-open.txt", PLACE) is None


def as_range(place: dict[str, Any]) -> types.Range:
    return types.Range(types.Position(**place["start"]), types.Position(**place["end"]))


async def test_running_a_file_answers_with_every_record_and_shows_a_bar(start: Start) -> None:
    editor = await opened(start, VSCODE)
    got = await editor.command("runFile", URI)
    assert got["mispredicted"] == 1
    assert [row["prediction"]["label"] for row in got["records"]] == ["negative", "positive"]
    bars = [reports for reports in editor.client.progress_reports.values() if reports]
    assert any(reports[0].title == "Explaining the document" for reports in bars)
    assert all(isinstance(reports[-1], types.WorkDoneProgressEnd) for reports in bars)


async def test_a_word_can_be_left_out(start: Start) -> None:
    editor = await opened(start)
    got = await editor.command("mask", URI, PLACE)
    assert (got["word"], got["before"]["label"], got["after"]["label"]) == ("dull", "negative", "positive")
    assert got["delta"] == pytest.approx(-0.4, abs=0.05)
    assert "without “dull”: positive" in editor.client.messages[-1].message


async def test_model_method_and_target_can_be_set_for_one_document_or_for_all(start: Start) -> None:
    editor = await opened(start)
    await editor.command("setMethod", URI, "occlusion")
    await editor.settle(URI)
    assert " · occlusion · " in await editor.hover_text(URI, "dull")
    await editor.command("setTarget", URI, "positive")
    await editor.settle(URI)
    assert "speaks against positive" in await editor.hover_text(URI, "dull")
    assert (await editor.command("setModel", None, "other"))["documents"] == [URI]
    await editor.settle(URI)
    assert "other · occlusion" in await editor.hover_text(URI, "dull")
    await editor.command("setMethod", URI, None)
    await editor.settle(URI)
    assert "other · quick" in await editor.hover_text(URI, "dull")


async def test_what_is_asked_right_after_a_choice_is_answered_by_it(start: Start) -> None:
    editor = await opened(start)
    for name, what in (("setModel", "other"), ("setMethod", "occlusion"), ("setModel", "fake")):
        _, got = await asyncio.gather(editor.command(name, URI, what), editor.command("explain", URI, PLACE))
        assert what in (got["explanation"]["model"], got["explanation"]["method"])


async def test_what_a_model_cannot_explain_is_not_answered_with_what_another_said(
    start: Start, daemon: FakeDaemon
) -> None:
    editor = await opened(start)
    daemon.unknown["gone"] = "there is no such model"
    await editor.command("setModel", URI, "gone")
    with pytest.raises(Exception, match="there is no such model"):
        await editor.command("explain", URI, PLACE)


async def test_the_work_of_a_cancelled_command_has_ended_when_the_client_is_answered(
    start: Start, daemon: FakeDaemon
) -> None:
    editor = await opened(start)
    daemon.slow.clear()
    daemon.events.clear()
    params = types.ExecuteCommandParams(command="saliscope.download", arguments=["hub/model"])
    asking = editor.client.protocol.send_request_async(types.WORKSPACE_EXECUTE_COMMAND, params, msg_id="command")
    asked = asyncio.create_task(asking)
    asked.add_done_callback(lambda _: daemon.events.append("answered"))
    await editor.until(lambda: daemon.events)
    daemon.events.append("cancelled")
    editor.client.cancel_request(types.CancelParams(id="command"))
    with pytest.raises(Exception, match="cancel"):
        await asked
    assert daemon.events == ["loading hub/model", "cancelled", "stopped hub/model", "answered"]
    assert not editor.service.tasks.has_progress


async def test_a_cancelled_run_of_a_file_that_waits_for_commands_asks_for_nothing_more(
    start: Start, daemon: FakeDaemon
) -> None:
    editor = await start(trigger="manual")
    daemon.held.add("film")
    editor.open(URI, "".join(f'{{"text": "film {number}"}}\n' for number in range(300)), "jsonl")
    running = asyncio.create_task(editor.command("runFile", URI))
    await editor.until(lambda: daemon.asked)
    await editor.command("cancel")
    with pytest.raises(Exception, match="cancel"):
        await running
    # The document was closed in the daemon, and waits for the next command.
    await editor.until(lambda: daemon.client and daemon.client.open_documents == 0)
    daemon.held.clear()
    asked = len(daemon.asked)
    assert asked < 300
    await editor.command("status")
    assert len(daemon.asked) == asked
    assert len((await editor.command("runFile", URI))["records"]) == 300


async def test_the_button_of_a_bar_cancels_what_it_shows(start: Start, daemon: FakeDaemon) -> None:
    daemon.slow.clear()
    editor = await start(VSCODE, model="slow")
    editor.open(URI, TEXT, "jsonl")
    token = (await editor.until(lambda: [key for key, told in editor.client.progress_reports.items() if told]))[0]
    editor.client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token))
    await editor.until(lambda: "stopped slow" in daemon.events)
    last = await editor.until(lambda: editor.client.progress_reports[token][-1:])
    await editor.until(lambda: isinstance(editor.client.progress_reports[token][-1], types.WorkDoneProgressEnd))
    assert last


async def test_all_that_runs_can_be_cancelled_by_a_command(start: Start, daemon: FakeDaemon) -> None:
    editor = await opened(start)
    daemon.held.add("grim")
    editor.replace(URI, "dull", "grim")
    running = asyncio.create_task(editor.command("runFile", URI))
    await editor.until(lambda: editor.service.tasks.has_progress)
    await editor.command("cancel")
    with pytest.raises(Exception, match="cancel"):
        await running


async def test_status_and_debug_information_are_json_without_texts(start: Start) -> None:
    editor = await opened(start)
    assert (await editor.command("status"))["session"] == "connected"
    got = await editor.command("printDebugInformation")
    (document,) = got["documents"]
    assert (document["format"], document["records"], document["settings"]["model"]) == ("jsonl", 2, "fake")
    assert "dull" not in str(got)


async def test_a_document_says_how_far_it_is_and_what_keeps_it(start: Start) -> None:
    editor = await opened(start)
    got = await editor.command("document", URI)
    assert {name: got[name] for name in ("records", "explainable", "explained", "mispredicted")} == {
        "records": 2, "explainable": 2, "explained": 2, "mispredicted": 1,
    }  # fmt: skip
    assert (got["model"], got["problem"], got["trigger"]) == ("fake", None, "onType")
    assert await editor.command("document", "file:///x/not-open.txt") is None
    other = "file:///x/settings.json"
    editor.open(other, '{"size": 3}', "json")
    await editor.settle(other)
    assert (await editor.command("document", other))["problem"]["code"] == "no-text"
    editor.service.buffers[URI].limit = "the document is too large"
    assert (await editor.command("document", URI))["problem"]["code"] == "too-large"


async def test_scores_of_another_model_or_class_do_not_stand_beside_those_of_this_one(start: Start) -> None:
    editor = await opened(start)
    await editor.command("compare", URI, PLACE, "occlusion")
    await editor.command("setModel", URI, "other")
    await editor.settle(URI)
    assert (await editor.command("record", URI, PLACE))["compared"] == {}
    await editor.command("setModel", URI, None)
    await editor.command("setTarget", URI, "positive")
    await editor.settle(URI)
    assert (await editor.command("record", URI, PLACE))["compared"] == {}
    await editor.command("setTarget", URI, None)
    await editor.settle(URI)
    assert list((await editor.command("record", URI, PLACE))["compared"]) == ["occlusion"]


async def test_a_hidden_word_is_named_as_it_was_when_it_was_hidden(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = await opened(start)
    predict = FakeClient.predict

    async def predicts(client: FakeClient, *args: Any, **options: Any) -> Any:
        editor.replace(URI, "dull", "a very nice")
        await editor.until(lambda: editor.service.buffers[URI].version == 2)
        return await predict(client, *args, **options)

    monkeypatch.setattr(FakeClient, "predict", predicts)
    assert (await editor.command("mask", URI, PLACE))["word"] == "dull"


async def test_a_restart_that_fails_hides_no_later_outage(
    start: Start, daemon: FakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = await opened(start)

    async def refuses(client: FakeClient) -> Any:
        raise SaliscopeError("busy", "not now")

    monkeypatch.setattr(FakeClient, "shutdown", refuses)
    with pytest.raises(Exception, match="not now"):
        await editor.command("restartDaemon")
    daemon.die()
    await editor.until(lambda: editor.client.messages)
    assert "the daemon has gone" in editor.client.messages[0].message


async def test_nothing_is_told_of_a_document_that_was_closed_during_a_command(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = types.ClientCapabilities(experimental={"saliscope": {"decorations": True}})
    editor = await opened(start, own)
    held, explain = asyncio.Event(), FakeClient.explain

    async def wait(client: Any, text: str, **options: Any) -> Any:
        await held.wait()
        return await explain(client, text, **options)

    monkeypatch.setattr(FakeClient, "explain", wait)
    buffer = editor.service.buffers[URI]
    asked = asyncio.create_task(editor.command("compare", URI, PLACE, "occlusion"))
    await editor.command("printDebugInformation")
    editor.client.text_document_did_close(types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(URI)))
    await editor.until(lambda: URI not in editor.service.buffers)
    held.set()
    assert (await asked)["method"] == "occlusion"
    assert buffer not in editor.service.news._changed
    assert buffer not in editor.service.news.problems._waiting


async def test_a_run_of_a_file_that_is_opened_anew_meanwhile_goes_on(start: Start, daemon: FakeDaemon) -> None:
    editor = await opened(start)
    daemon.held.add("slow")
    editor.replace(URI, "wonderful", "slow")
    await editor.until(lambda: editor.service.buffers[URI].version == 2)
    asked = asyncio.create_task(editor.command("runFile", URI))
    await editor.until(lambda: editor.service.tasks.has_progress)
    before = editor.service.buffers[URI].live
    editor.service._loaded("fake", True)
    assert editor.service.buffers[URI].live is not before
    daemon.held.clear()
    editor.replace(URI, "slow", "bad")
    assert [row["prediction"]["label"] for row in (await asked)["records"]] == ["negative", "negative"]


async def test_a_cancel_that_comes_too_late_is_no_warning(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    editor = await opened(start)
    editor.client.cancel_request(types.CancelParams(id="answered long ago"))
    await editor.command("printDebugInformation")
    assert [one for one in caplog.records if "unknown message id" in one.msg] == []


async def test_a_restarted_daemon_gets_the_documents_again_and_is_no_outage(start: Start) -> None:
    editor = await opened(start)
    await editor.command("restartDaemon")
    await editor.until(lambda: editor.service.session and editor.service.session.state == "connected")
    assert editor.client.messages == []
    editor.replace(URI, "dull", "fun")
    await editor.settle(URI)
    assert [word for word, *_ in await editor.coloured(URI)] == ["fun", "wonderful"]


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("explain", [], "these are not the arguments"),
        ("explain", [URI, {"line": 0}], "a place is"),
        ("mask", [URI, {"line": 0, "character": 2}], "no word with a score"),
        ("copyJson", [URI, {"line": 9, "character": 0}], "no explained record"),
        ("download", [], "say which model"),
        ("nothing", [], "there is no command"),
        ("setTarget", [URI, "contrast:"], "nothing follows `contrast:`"),
    ],
)
async def test_wrong_arguments_are_refused_with_a_reason(
    start: Start, name: str, arguments: list[Any], reason: str
) -> None:
    editor = await opened(start)
    with pytest.raises(Exception, match=reason):
        await editor.command(name, *arguments)


async def test_on_save_nothing_is_asked_until_the_document_is_saved(start: Start, daemon: FakeDaemon) -> None:
    editor = await opened(start, trigger="onSave")
    assert len(daemon.asked) == 2
    editor.replace(URI, "dull", "good")
    editor.replace(URI, "wonderful", "bad")
    await editor.until(lambda: editor.service.buffers[URI].version == 3)
    assert {one.stale for one in editor.service.buffers[URI].records} == {True}
    editor.save(URI)
    await editor.settle(URI)
    assert [word for word, *_ in await editor.coloured(URI)] == ["good", "bad"]
    assert len(daemon.asked) == 4


async def test_manually_nothing_is_asked_until_a_command_says_so(start: Start, daemon: FakeDaemon) -> None:
    editor = await start(trigger="manual")
    editor.open(URI, TEXT, "jsonl")
    await editor.until(lambda: editor.service.buffers.get(URI) and editor.service.buffers[URI].live)
    assert await editor.coloured(URI) == []
    assert daemon.asked == []
    got = await editor.command("explain", URI)
    assert [row["prediction"]["label"] for row in got["records"]] == ["negative", "positive"]


async def test_manually_no_model_is_loaded_until_a_command_says_so(start: Start, daemon: FakeDaemon) -> None:
    editor = await start(client_capabilities("visual-studio-code"), model="other", trigger="manual")
    editor.open(URI, TEXT, "jsonl")
    await editor.until(lambda: URI in editor.service.buffers and editor.service.buffers[URI].live)
    await editor.command("models")
    assert daemon.client is not None
    # What the connection begins runs before this is answered.
    await editor.command("models")
    await editor.until(lambda: not any(name.startswith("load") for name in editor.service.tasks.names))
    assert daemon.events == []
