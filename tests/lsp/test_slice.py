"""From opening to new colours."""

from __future__ import annotations

import pytest

from tests.lsp.editor import Editor

URI = "file:///x/reviews.jsonl"
TEXT = '{"text": "a dull film", "label": "positive"}\n{"text": "wonderful cast", "label": "positive"}\n'


@pytest.mark.asyncio
async def test_a_document_is_opened_hovered_coloured_and_edited(editor: Editor) -> None:
    editor.open(URI, TEXT, "jsonl")
    await editor.settle(URI)
    hover = await editor.hover_text(URI, "dull")
    assert "dull +2.00" in hover
    assert "speaks for negative" in hover
    assert ("dull", "salPos3", ["topk"]) in await editor.coloured(URI)
    assert editor.problems(URI) == [("mispredicted", "positive")]
    editor.replace(URI, "dull", "good")
    await editor.settle(URI)
    assert ("good", "salPos3", ["topk"]) in await editor.coloured(URI)
    assert editor.problems(URI) == []
