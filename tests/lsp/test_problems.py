"""The problems panel: quiet on a healthy file, exact on another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pytest_lsp import client_capabilities

from saliscope.lsp.codes import PAGE
from tests.lsp.conftest import Start
from tests.lsp.editor import Editor

URI = "file:///x/reviews.jsonl"
NAME = types.TextDocumentIdentifier(URI)
pytestmark = pytest.mark.asyncio
VSCODE = client_capabilities("visual-studio-code")
HEALTHY = '{"text": "a dull film", "label": "negative"}\n{"text": "wonderful", "label": 1}\n\n{"text": "fun"}\n'


async def opened(start: Start, text: str, capabilities: Any = None, **settings: Any) -> Editor:
    editor = await start(capabilities, **settings)
    editor.open(URI, text, "jsonl")
    await editor.settle(URI)
    return editor


async def test_a_healthy_file_has_no_problems(start: Start) -> None:
    assert (await opened(start, HEALTHY)).problems(URI) == []


async def test_a_misprediction_is_a_warning_at_the_label_with_its_reasons_and_a_page(start: Start) -> None:
    editor = await opened(start, '{"text": "a dull film", "label": "positive"}\n', VSCODE)
    (found,) = editor.client.diagnostics[URI]
    assert (found.code, found.severity, found.source) == ("mispredicted", types.DiagnosticSeverity.Warning, "saliscope")
    assert found.message == "the label is positive, the prediction negative"
    assert editor.problems(URI) == [("mispredicted", "positive")]
    assert found.related_information is not None
    assert found.related_information[0].message == "dull +2.00 speaks for negative"
    assert found.code_description is not None
    page, _, anchor = found.code_description.href.partition("#")
    assert page == PAGE.as_uri()
    assert f"\n## {anchor}\n" in PAGE.read_text()
    assert editor.published[-1].version == 1


async def test_what_the_model_does_not_read_is_faded(start: Start) -> None:
    text = '{"text": "' + "word " * 40 + 'unread"}\n'
    editor = await opened(start, text, VSCODE)
    (found,) = editor.client.diagnostics[URI]
    assert (found.code, found.severity) == ("truncated", types.DiagnosticSeverity.Information)
    assert list(found.tags or ()) == [types.DiagnosticTag.Unnecessary]
    assert editor.problems(URI) == [("truncated", "unread")]


async def test_a_client_that_knows_no_extras_gets_none(start: Start) -> None:
    editor = await opened(start, '{"text": "a dull film", "label": "positive"}\n')
    (found,) = editor.client.diagnostics[URI]
    assert (found.related_information, found.tags, found.code_description) == (None, None, None)


async def test_a_broken_line_is_told_at_its_place_and_the_others_work(start: Start) -> None:
    editor = await opened(start, '{"text": "a dull film"}\n{"text": \n{"text": "fun"}\n')
    assert [code for code, _ in editor.problems(URI)] == ["broken"]
    assert editor.client.diagnostics[URI][0].range.start.line == 1
    assert [word for word, *_ in await editor.coloured(URI)] == ["dull", "fun"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("package.json", '{"name": "x", "scripts": {"test": "make"}}\n'), ("ci.yaml", "jobs:\n  test: make\n")],
)
async def test_a_file_of_settings_in_which_nothing_is_a_text_is_left_alone(start: Start, name: str, text: str) -> None:
    uri = f"file:///x/{name}"
    editor = await start()
    editor.open(uri, text, name.rpartition(".")[2])
    await editor.settle(uri)
    assert editor.problems(uri) == []
    assert await editor.hover(uri, "test") is None
    document = types.DocumentSymbolParams(types.TextDocumentIdentifier(uri))
    assert not await editor.client.text_document_document_symbol_async(document)
    # Whoever asks for it, or says which field it is, is told.
    with pytest.raises(Exception, match="no field known as the text"):
        await editor.command("explain", uri, {"line": 0, "character": 1})
    named = {"saliscope": {"field": "review"}}
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(named))
    await editor.until(lambda: [code for code, _ in editor.problems(uri)] == ["no-text"])


async def test_low_margins_and_shortcuts_are_told_when_they_are_wanted(start: Start) -> None:
    text = "".join(f'{{"text": "a wonderful film {number}"}}\n' for number in range(9)) + '{"text": "so so"}\n'
    editor = await opened(start, text)
    assert editor.problems(URI) == []
    on = {"diagnostics": {"low-margin": True, "shortcut": True}}
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams({"saliscope": on}))
    await editor.until(lambda: len(editor.client.diagnostics.get(URI, ())) == 10)
    assert editor.problems(URI) == [*[("shortcut", "wonderful")] * 9, ("low-margin", '{"text": "so so"}')]


async def test_a_finding_that_is_ignored_comes_back_with_another_text(start: Start) -> None:
    editor = await opened(start, '{"text": "a dull film", "label": "positive"}\n')
    await editor.command("ignore", URI, {"line": 0, "character": 12}, "mispredicted")
    await editor.until(lambda: not editor.client.diagnostics[URI])
    editor.replace(URI, "dull film", "dull, dull film")
    await editor.settle(URI)
    assert editor.problems(URI) == [("mispredicted", "positive")]


async def test_what_is_wrong_with_a_whole_document_is_not_offered_to_be_ignored(start: Start) -> None:
    editor = await start(client_capabilities("visual-studio-code"), format="nonsense")
    editor.open(URI, "a dull film")
    (told,) = await editor.until(lambda: editor.client.diagnostics.get(URI))
    context = types.CodeActionContext([told])
    params = types.CodeActionParams(NAME, told.range, context)
    assert not await editor.client.text_document_code_action_async(params)


async def test_what_was_found_in_an_old_text_is_not_said_of_one_that_waits_for_being_saved(start: Start) -> None:
    editor = await opened(start, '{"text": "a dull film", "label": "positive"}\n', trigger="onSave")
    editor.replace(URI, "dull", "grim")
    await editor.until(lambda: editor.published[-1].version == 2)
    assert editor.problems(URI) == []


async def test_closing_takes_the_problems_back(start: Start) -> None:
    editor = await opened(start, '{"text": "a dull film", "label": "positive"}\n')
    assert editor.client.diagnostics[URI]
    editor.client.text_document_did_close(types.DidCloseTextDocumentParams(NAME))
    await editor.until(lambda: not editor.client.diagnostics[URI])


async def test_who_pulls_is_not_sent_anything_and_is_told_to_pull_again(start: Start) -> None:
    capabilities = client_capabilities("neovim@0.11")
    assert capabilities.workspace is not None
    capabilities.workspace.diagnostics = types.DiagnosticWorkspaceClientCapabilities(refresh_support=True)
    editor = await opened(start, '{"text": "a dull film", "label": "positive"}\n', capabilities)
    assert editor.published == []
    await editor.until(lambda: editor.client.diagnostic_refresh_count)
    got = await editor.client.text_document_diagnostic_async(types.DocumentDiagnosticParams(NAME))
    assert isinstance(got, types.RelatedFullDocumentDiagnosticReport)
    assert [one.code for one in got.items] == ["mispredicted"]


async def test_who_cannot_be_told_to_pull_again_is_sent_them_and_not_offered_to_pull(start: Start) -> None:
    text = '{"text": "a dull film", "label": "positive"}\n'
    editor = await opened(start, text, client_capabilities("neovim@0.11"))
    assert editor.result is not None
    assert editor.result.capabilities.diagnostic_provider is None
    assert editor.problems(URI) == [("mispredicted", "positive")]


async def test_problems_of_a_settings_file_stand_at_their_lines(start: Start, tmp_path: Path) -> None:
    (tmp_path / "saliscope.toml").write_text('model = "fake"\nmodle = "x"\n')
    editor = await start()
    editor.open((tmp_path / "a.txt").as_uri(), "fun\n")
    uri = (tmp_path / "saliscope.toml").as_uri()
    (found,) = await editor.until(lambda: editor.client.diagnostics.get(uri))
    assert (found.range.start.line, found.severity) == (1, types.DiagnosticSeverity.Warning)
    assert "modle is none of" in found.message


async def test_problems_of_a_settings_file_go_with_it(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "saliscope.toml"
    file.write_text('modle = "x"\n')
    editor = await start()
    editor.open((tmp_path / "a.txt").as_uri(), "fun\n")
    await editor.until(lambda: editor.client.diagnostics.get(file.as_uri()))
    file.unlink()
    editor.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([]))
    await editor.until(lambda: not editor.client.diagnostics[file.as_uri()])
