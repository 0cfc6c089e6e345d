"""Each carrier: what it says, and that it is off where it should be."""

from __future__ import annotations

from typing import Any

import pytest
from lsprotocol import types
from pytest_lsp import client_capabilities

from saliscope.lsp.actions import actions
from tests.lsp.conftest import Start
from tests.lsp.editor import Editor
from tests.lsp.fake_session import FakeDaemon

URI = "file:///x/reviews.jsonl"
TEXT = '{"text": "a dull film", "label": "positive"}\n{"text": "a wonderful, fun film", "label": "positive"}\n'
NAME = types.TextDocumentIdentifier(URI)
pytestmark = pytest.mark.asyncio
MARKDOWN = types.ClientCapabilities(
    text_document=types.TextDocumentClientCapabilities(
        hover=types.HoverClientCapabilities(content_format=[types.MarkupKind.Markdown])
    )
)


async def opened(start: Start, capabilities: Any = None, **settings: Any) -> Editor:
    editor = await start(capabilities, **settings)
    editor.open(URI, TEXT, "jsonl")
    await editor.settle(URI)
    return editor


async def test_a_hover_says_score_share_rank_side_prediction_model_method_and_cost(start: Start) -> None:
    editor = await opened(start, MARKDOWN)
    text = await editor.hover_text(URI, "wonderful")
    for said in ("**`wonderful`** +2.00", "79% of all", "rank 1 of 4", "speaks for positive", "positive 0.99",
                 "label positive", "fake · quick · 1 row, 7 ms"):  # fmt: skip
        assert said in text
    hover = await editor.hover(URI, "wonderful")
    assert hover is not None
    assert hover.range == editor.texts[URI].range(TEXT.index("wonderful"), TEXT.index("wonderful") + 9)


async def test_a_hover_outside_of_words_tells_of_the_record_and_outside_of_records_nothing(start: Start) -> None:
    editor = await opened(start)
    assert (await editor.hover_text(URI, '"label": "positive"}\n{"text": "a wonderful')).startswith("negative 0.")
    params = types.HoverParams(NAME, types.Position(2, 0))
    assert await editor.client.text_document_hover_async(params) is None


async def test_a_label_is_no_markdown(start: Start) -> None:
    editor = await start(MARKDOWN)
    editor.open(URI, '{"text": "a dull film", "label": "__![so_so](http://x/y.png)__"}\n', "jsonl")
    await editor.settle(URI)
    assert r"label \_\_!\[so_so\](http://x/y.png)\_\_" in await editor.hover_text(URI, "dull")


async def test_a_hover_over_a_text_that_is_being_computed_says_so_and_does_not_wait(
    start: Start, daemon: FakeDaemon
) -> None:
    editor = await opened(start)
    daemon.held.add("so good")
    editor.replace(URI, "a dull", "so good")
    await editor.until(lambda: any("so good" in str(one["text"]) for one in daemon.asked))
    text = await editor.hover_text(URI, "film")
    assert "stale: the text changed; computing again" in text
    daemon.held.clear()
    await editor.settle(URI)
    assert "stale" not in await editor.hover_text(URI, "film")


async def test_a_hover_over_a_record_of_which_nothing_is_known_yet_says_that_it_is_being_computed(
    start: Start, daemon: FakeDaemon
) -> None:
    daemon.held.add("dull")
    editor = await start()
    editor.open(URI, TEXT, "jsonl")
    # What is held is never answered, so a hover that waited for it would not come back.
    await editor.until(lambda: daemon.asked)
    assert await editor.hover_text(URI, "dull") == "computing …"


async def test_methods_that_were_compared_stand_beside_each_other_in_the_hover(start: Start) -> None:
    editor = await opened(start, MARKDOWN)
    place = {"line": 1, "character": 12}
    got = await editor.command("compare", URI, place, "occlusion")
    assert got["method"] == "occlusion"
    text = await editor.hover_text(URI, "wonderful")
    assert "| quick | +2.00 | 1 |\n| occlusion | +2.00 | 1 |" in text
    editor.replace(URI, "wonderful", "good")
    await editor.settle(URI)
    assert "occlusion" not in await editor.hover_text(URI, "good")


async def test_tokens_have_six_types_and_the_strongest_a_modifier(start: Start) -> None:
    editor = await opened(start, topK=1)
    assert await editor.coloured(URI) == [
        ("dull", "salPos3", ["topk"]), ("wonderful", "salPos3", ["topk"]), ("fun", "salPos1", []),
    ]  # fmt: skip
    legend = editor.result.capabilities.semantic_tokens_provider.legend  # type: ignore[union-attr]
    assert list(legend.token_types) == ["salPos1", "salPos2", "salPos3", "salNeg1", "salNeg2", "salNeg3"]


async def test_tokens_of_a_record_that_was_edited_are_stale_until_it_is_explained(
    start: Start, daemon: FakeDaemon
) -> None:
    editor = await opened(start, topK=0)
    daemon.held.add("grim")
    editor.replace(URI, " film", " grim film")
    await editor.until(lambda: editor.service.buffers[URI].version == 2)
    assert (await editor.coloured(URI))[:2] == [("dull", "salPos3", ["stale"]), ("wonderful", "salPos3", [])]
    daemon.held.clear()
    await editor.settle(URI)
    assert (await editor.coloured(URI))[0] == ("dull", "salPos3", [])


async def test_lenses_name_prediction_label_and_method(start: Start) -> None:
    editor = await opened(start)
    found = await editor.client.text_document_code_lens_async(types.CodeLensParams(NAME))
    assert [(one.range.start.line, one.command.title) for one in found or [] if one.command] == [
        (0, "negative 0.90 · label positive · quick"), (1, "positive 0.99 · label positive · quick"),
    ]  # fmt: skip


async def test_a_lens_names_the_prediction_before_there_are_reasons(start: Start, daemon: FakeDaemon) -> None:
    editor = await opened(start)
    # Whoever hovers looks at the record.
    await editor.hover_text(URI, "dull")
    daemon.unexplained.add("grim")
    editor.replace(URI, " film", " grim film")
    await editor.until(lambda: editor.service.buffers[URI].records[0].state == "predicted")
    found = await editor.client.text_document_code_lens_async(types.CodeLensParams(NAME))
    assert next(one.command.title for one in found or [] if one.command) == "negative 0.89 · label positive · …"
    assert "negative 0.89" in await editor.hover_text(URI, "grim")
    daemon.unexplained.clear()
    await editor.settle(URI)
    found = await editor.client.text_document_code_lens_async(types.CodeLensParams(NAME))
    assert next(one.command.title for one in found or [] if one.command) == "negative 0.89 · label positive · quick"


async def test_the_outline_lists_records(start: Start) -> None:
    editor = await opened(start, client_capabilities("visual-studio-code"))
    found = await editor.client.text_document_document_symbol_async(types.DocumentSymbolParams(NAME))
    symbols = [one for one in found or [] if isinstance(one, types.DocumentSymbol)]
    assert [one.name for one in symbols] == ["a dull film", "a wonderful, fun film"]
    assert symbols[0].detail == "negative 0.90 · label positive · quick"
    assert symbols[1].range.start.line == 1


async def test_a_client_of_the_older_form_gets_its_outline_flat(start: Start) -> None:
    editor = await opened(start)
    found = await editor.client.text_document_document_symbol_async(types.DocumentSymbolParams(NAME))
    assert [one.location.range.start.line for one in found or [] if isinstance(one, types.SymbolInformation)] == [0, 1]


async def ask_for_everything(editor: Editor) -> tuple[Any, Any, Any]:
    client, whole = editor.client, editor.texts[URI].range(0, len(TEXT))
    return (
        await client.text_document_document_color_async(types.DocumentColorParams(NAME)),
        await client.text_document_inlay_hint_async(types.InlayHintParams(NAME, whole)),
        await client.text_document_document_highlight_async(
            types.DocumentHighlightParams(NAME, editor.at(URI, "dull"))
        ),
    )


async def test_colours_hints_and_highlights_are_off_by_default(editor: Editor) -> None:
    editor.open(URI, TEXT, "jsonl")
    await editor.settle(URI)
    assert not any(await ask_for_everything(editor))


async def test_colours_hints_and_highlights_can_be_had(start: Start) -> None:
    editor = await opened(start, documentColor=True, inlayHints=True, documentHighlight=True, topK=1)
    colours, hints, highlights = await ask_for_everything(editor)
    assert [one.color.alpha for one in colours] == [1.0, 1.0, 0.25]
    assert [(one.label, one.position) for one in hints] == [
        ("+2.00", editor.at(URI, "dull", 4)), ("+2.00", editor.at(URI, "wonderful", 9)),
    ]  # fmt: skip
    assert [one.kind for one in highlights] == [types.DocumentHighlightKind.Read]


async def test_a_colour_picker_gives_the_same_text_back(start: Start) -> None:
    editor = await opened(start, documentColor=True)
    (colour, *_) = (await ask_for_everything(editor))[0]
    params = types.ColorPresentationParams(NAME, colour.color, colour.range)
    (shown,) = await editor.client.text_document_color_presentation_async(params)
    assert shown.text_edit is not None
    assert (shown.text_edit.new_text, shown.text_edit.range) == ("dull", colour.range)


async def test_everything_can_be_switched_off_while_it_runs(start: Start) -> None:
    editor = await opened(start)
    off = {"semanticTokens": False, "hover": False, "codeLens": False, "documentSymbols": False, "diagnostics": False}
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams({"saliscope": off}))
    await editor.until(lambda: not editor.service.buffers[URI].settings.hover)
    await editor.settle(URI)
    assert await editor.coloured(URI) == []
    assert await editor.hover(URI, "dull") is None
    assert not await editor.client.text_document_code_lens_async(types.CodeLensParams(NAME))
    assert not await editor.client.text_document_document_symbol_async(types.DocumentSymbolParams(NAME))
    assert editor.problems(URI) == []


async def code_actions(editor: Editor, only: list[Any] | None = None) -> list[types.CodeAction]:
    place = editor.at(URI, "dull")
    context = types.CodeActionContext(diagnostics=editor.client.diagnostics[URI], only=only)
    params = types.CodeActionParams(NAME, types.Range(place, place), context)
    sent = await editor.client.text_document_code_action_async(params)
    # lsprotocol reads an action with a command as a command, so what was sent is only counted.
    found = actions(editor.service.buffers[URI], params)
    assert len(sent or ()) == len(found)
    return found


LITERALS = types.ClientCapabilities(
    text_document=types.TextDocumentClientCapabilities(
        code_action=types.CodeActionClientCapabilities(
            code_action_literal_support=types.ClientCodeActionLiteralOptions(
                types.ClientCodeActionKindOptions(value_set=[types.CodeActionKind.QuickFix])
            )
        )
    )
)


async def test_actions_explain_otherwise_and_only_findings_are_quick_fixes(start: Start) -> None:
    editor = await opened(start, LITERALS)
    found = await code_actions(editor)
    titles = [one.title for one in found]
    for title in ("Ignore mispredicted here", "Predict without “dull”", "Explain against class positive",
                  "Explain with occlusion", "Compare with occlusion", "Copy the explanation as JSON"):  # fmt: skip
        assert title in titles
    assert [one.title for one in found if one.kind == types.CodeActionKind.QuickFix] == ["Ignore mispredicted here"]
    assert {one.title for one in await code_actions(editor, [types.CodeActionKind.QuickFix])} == {titles[0]}
    assert await code_actions(editor, [types.CodeActionKind.SourceOrganizeImports]) == []
    assert len(await code_actions(editor, [types.CodeActionKind.Source])) == len(found) - 1


async def test_a_class_is_held_against_another_until_what_is_predicted_is_wanted_again(start: Start) -> None:
    editor = await opened(start, LITERALS)

    async def run(title: str) -> None:
        (found,) = [one for one in await code_actions(editor) if one.title == title and one.command]
        assert found.command is not None
        await editor.command(found.command.command.removeprefix("saliscope."), *(found.command.arguments or ()))
        await editor.settle(URI)

    await run("Explain against class positive")
    assert "dull +2.00" in await editor.hover_text(URI, "dull")
    assert "speaks for positive" in await editor.hover_text(URI, "wonderful")
    found = await editor.client.text_document_code_lens_async(types.CodeLensParams(NAME))
    assert [one.command.title for one in found or [] if one.command] == [
        "negative 0.90 · label positive · quick · for negative against positive",
        "positive 0.99 · label positive · quick · for negative against positive",
    ]
    compared = await editor.command("compare", URI, {"line": 0, "character": 12}, "occlusion")
    assert (compared["target"]["label"], compared["target"]["against"]) == ("negative", "positive")
    titles = [one.title for one in await code_actions(editor)]
    assert "Explain against class positive" not in titles
    await run("Explain what is predicted")
    assert "Explain what is predicted" not in [one.title for one in await code_actions(editor)]
    found = await editor.client.text_document_code_lens_async(types.CodeLensParams(NAME))
    assert "against" not in str(found)


async def test_a_client_without_action_literals_gets_commands(editor: Editor) -> None:
    editor.open(URI, TEXT, "jsonl")
    await editor.settle(URI)
    place = editor.at(URI, "dull")
    params = types.CodeActionParams(NAME, types.Range(place, place), types.CodeActionContext(diagnostics=[]))
    found = await editor.client.text_document_code_action_async(params)
    assert found
    assert all(isinstance(one, types.Command) for one in found)
