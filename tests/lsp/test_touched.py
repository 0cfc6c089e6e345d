"""A keystroke in a large document is work for the records that it touches, and for no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from lsprotocol import types

from saliscope.lsp import decorations, problems, tokens
from saliscope.protocol.edits import Edit
from tests.lsp.conftest import Start
from tests.lsp.editor import Editor
from tests.lsp.fake_session import FakeDaemon

URI = "file:///x/reviews.jsonl"
NUMBER = 300
TEXT = "".join(f'{{"text": "a dull film {number}", "label": "positive"}}\n' for number in range(NUMBER))
DRAWS = types.ClientCapabilities(experimental={"saliscope": {"decorations": True}})
PULLS = types.ClientCapabilities(
    text_document=types.TextDocumentClientCapabilities(diagnostic=types.DiagnosticClientCapabilities()),
    workspace=types.WorkspaceClientCapabilities(
        diagnostics=types.DiagnosticWorkspaceClientCapabilities(refresh_support=True)
    ),
)
pytestmark = pytest.mark.asyncio


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, int]]:
    """How often each record was drawn, encoded, and looked through for diagnostics: (what, id) -> times."""
    done: Counter[tuple[str, int]] = Counter()

    def counted(module: Any, name: str, id_of: Callable[..., int]) -> None:
        real = getattr(module, name)

        def run(*arguments: Any, **options: Any) -> Any:
            done[module.__name__.rpartition(".")[2], id_of(*arguments)] += 1
            return real(*arguments, **options)

        monkeypatch.setattr(module, name, run)

    counted(decorations, "_record", lambda buffer, record: record.id)
    counted(problems, "_of_record", lambda buffer, record, abilities: record.id)
    counted(tokens, "pieces", lambda record, text: record.id)
    return done


async def opened(start: Start, capabilities: types.ClientCapabilities) -> Editor:
    editor = await start(capabilities)
    if capabilities is PULLS:
        features = editor.client.protocol.fm.features
        features[types.WORKSPACE_DIAGNOSTIC_REFRESH] = lambda params=None: editor.refreshed.append("pull")
    editor.open(URI, TEXT, "jsonl")
    await editor.settle(URI)
    return editor


async def test_an_edit_is_work_for_the_record_it_touches(
    start: Start, daemon: FakeDaemon, work: Counter[tuple[str, int]]
) -> None:
    editor = await opened(start, DRAWS)
    await editor.tokens(URI)
    touched = editor.service.buffers[URI].records[7].id
    asked = len(daemon.asked)
    work.clear()
    editor.replace(URI, "film 7", "film, 7")
    await editor.settle(URI)
    await editor.tokens(URI)
    assert {id for _, id in work} == {touched}
    assert {what for what, _ in work} == {"decorations", "problems", "tokens"}
    assert len(daemon.asked) == asked + 1


async def test_lines_above_move_the_rest_without_drawing_it_again(
    start: Start, daemon: FakeDaemon, work: Counter[tuple[str, int]]
) -> None:
    editor = await opened(start, DRAWS)
    before, asked = await editor.coloured(URI), len(daemon.asked)
    work.clear()
    editor.edit(URI, Edit(0, 0, "\n\n"))
    await editor.settle(URI)
    assert await editor.coloured(URI) == before
    assert {what for what, _ in work} <= {"problems"}
    assert len(daemon.asked) == asked


async def test_the_problems_are_sent_only_when_they_are_others(start: Start) -> None:
    editor = await opened(start, DRAWS)
    assert len(editor.client.diagnostics[URI]) == NUMBER
    sent = len(editor.published)
    editor.service.news.add(editor.service.buffers[URI], None)
    await editor.settle(URI)
    assert len(editor.published) == sent
    editor.replace(URI, "dull", "wonderful")
    await editor.settle(URI)
    assert len(editor.client.diagnostics[URI]) == NUMBER - 1
    assert editor.published[-1].version == 2


async def test_problems_stay_while_their_record_is_being_explained_and_follow_on_a_line_they_share(
    start: Start, daemon: FakeDaemon
) -> None:
    editor = await start(DRAWS)
    uri, rows = "file:///x/reviews.json", '{"text": "a dull film", "label": "positive"}'
    editor.open(uri, f"[{rows}, {rows.replace('a', 'one', 1)}]")
    await editor.settle(uri)
    before = [one.range.start.character for one in editor.client.diagnostics[uri]]
    sent = len(editor.published)
    daemon.held.add("grim")
    editor.replace(uri, "a dull", "a grim and dull")
    await editor.until(lambda: editor.decorated[-1].version == 2)
    await editor.command("printDebugInformation")
    assert len(editor.published) == sent
    daemon.held.clear()
    await editor.settle(uri)
    after = [one.range.start.character for one in editor.client.diagnostics[uri]]
    assert after == [column + len("grim and ") for column in before]


async def test_a_client_that_asks_again_hears_that_nothing_changed(start: Start) -> None:
    editor = await opened(start, PULLS)
    name = types.TextDocumentIdentifier(URI)

    async def pull(previous: str | None) -> Any:
        params = types.DocumentDiagnosticParams(name, previous_result_id=previous)
        return await editor.client.text_document_diagnostic_async(params)

    first = await pull(None)
    assert len(first.items) == NUMBER
    again = await pull(first.result_id)
    assert (again.kind, again.result_id) == ("unchanged", first.result_id)
    editor.refreshed.clear()
    editor.replace(URI, "dull", "wonderful")
    await editor.settle(URI)
    assert "pull" in editor.refreshed
    assert len((await pull(first.result_id)).items) == NUMBER - 1
    assert editor.published == []
