"""Semantic tokens by record: whole, in part, and as the difference to before."""

from __future__ import annotations

import random

import pytest
from lsprotocol import types

from saliscope.lsp.tokens import Block, Encoder
from saliscope.protocol.edits import Edit
from tests.lsp.conftest import Start
from tests.lsp.editor import Editor

URI = "file:///x/reviews.txt"
NAME = types.TextDocumentIdentifier(URI)
WORDS = ("wonderful", "good", "fun", "film", "bad", "dull", "😀", "the")
pytestmark = pytest.mark.asyncio


def text_of(chance: random.Random, num_lines: int) -> str:
    return "".join(" ".join(chance.choices(WORDS, k=chance.randrange(1, 6))) + "\n" for _ in range(num_lines))


async def opened(start: Start, text: str) -> Editor:
    editor = await start()
    editor.open(URI, text)
    await editor.settle(URI)
    return editor


def applied(data: list[int], delta: types.SemanticTokensDelta) -> list[int]:
    for edit in delta.edits:
        data = [*data[: edit.start], *(edit.data or ()), *data[edit.start + edit.delete_count :]]
    return data


async def difference(editor: Editor, previous: str) -> types.SemanticTokensDelta | types.SemanticTokens:
    params = types.SemanticTokensDeltaParams(NAME, previous)
    found = await editor.client.text_document_semantic_tokens_full_delta_async(params)
    assert isinstance(found, types.SemanticTokensDelta | types.SemanticTokens)
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_differences_add_up_to_the_whole(start: Start, seed: int) -> None:
    chance = random.Random(seed)
    editor = await opened(start, text_of(chance, 12))
    whole = await editor.tokens(URI)
    data, id = list(whole.data), whole.result_id
    for _ in range(12):
        lines = editor.texts[URI]
        first = chance.randrange(len(lines.text) + 1)
        end = min(len(lines.text), first + chance.choice((0, 0, 1, 5, 30)))
        editor.edit(URI, Edit(first, end, chance.choice(("", "\n", " bad ", "good\nfun\n", "😀"))))
        if chance.random() < 0.7:
            await editor.settle(URI)
        else:
            await editor.until(lambda: editor.service.buffers[URI].version == editor.versions[URI])
        assert id is not None
        # Both at once: over the wire, scores may come between the two.
        buffer = editor.service.buffers[URI]
        delta = buffer.encoder.delta(buffer.records, buffer.lines, id)
        assert isinstance(delta, types.SemanticTokensDelta)
        data, id = applied(data, delta), delta.result_id
        assert data == list(Encoder(buffer.settings.top_k).full(buffer.records, buffer.lines).data)


async def test_an_edit_of_one_record_sends_and_encodes_that_record_alone(start: Start) -> None:
    editor = await opened(start, "a dull film\n" * 50)
    whole = await editor.tokens(URI)
    encoder, encoded = editor.service.buffers[URI].encoder, []
    encode = encoder._encode

    def count(*arguments: object) -> Block:
        encoded.append(arguments)
        return encode(*arguments)  # type: ignore[arg-type]

    encoder._encode = count  # type: ignore[method-assign]
    start_of_20 = editor.texts[URI].line(20)[0]
    editor.edit(URI, Edit(start_of_20, start_of_20, "good "))
    await editor.settle(URI)
    assert whole.result_id is not None
    delta = await difference(editor, whole.result_id)
    assert isinstance(delta, types.SemanticTokensDelta)
    (edit,) = delta.edits
    assert len(encoded) == 1
    assert len(edit.data or ()) <= 3 * 5
    assert applied(list(whole.data), delta) == list((await editor.tokens(URI)).data)


async def test_a_difference_to_something_else_is_everything(start: Start) -> None:
    editor = await opened(start, "a dull film\n")
    found = await difference(editor, "never given")
    assert isinstance(found, types.SemanticTokens)
    assert len(found.data) == 5


async def test_a_range_has_the_tokens_of_the_records_it_touches(start: Start) -> None:
    editor = await opened(start, "dull\nfun\ngood\nbad\n")
    params = types.SemanticTokensRangeParams(NAME, types.Range(types.Position(1, 1), types.Position(2, 1)))
    found = await editor.client.text_document_semantic_tokens_range_async(params)
    assert found is not None
    assert [word for word, *_ in editor.decode(URI, list(found.data))] == ["fun", "good"]


async def test_records_on_one_line_and_tokens_over_several_are_placed_right(start: Start) -> None:
    uri = "file:///x/a.json"
    editor = await start()
    editor.open(uri, '["so dull", "é fun 😀 bad",\n "good"]', "json")
    await editor.settle(uri)
    assert [word for word, *_ in await editor.coloured(uri)] == ["dull", "fun", "bad", "good"]
