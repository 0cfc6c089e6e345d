"""Whatever is typed: what an editor shows at last is what it would show of a fresh opening."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from saliscope.protocol.edits import Edit
from tests.lsp.conftest import Start
from tests.lsp.editor import Editor

pytestmark = pytest.mark.asyncio
WORDS = ("wonderful", "good", "fun", "film", "bad", "dull", "😀", "größer", "the", "\\u00e9")
PIECES = ("", " ", "\n", "\r\n", "dull ", " good", '"', "\\", "}", '{"text": "fun"}\n', "😀", "\u2028", ",", "# ")


def row(chance: random.Random) -> str:
    text = " ".join(chance.choices(WORDS, k=chance.randrange(6)))
    return json.dumps({"text": text, "label": chance.choice(("positive", "negative", 3))}, ensure_ascii=False) + "\n"


def typed(chance: random.Random, text: str) -> Edit:
    start = chance.randrange(len(text) + 1)
    end = min(len(text), start + chance.choice((0, 0, 0, 1, 1, 3, 20)))
    return Edit(start, end, chance.choice(PIECES))


async def seen(editor: Editor, uri: str) -> list[Any]:
    """All that the editor shows of a document."""
    found: list[Any] = [await editor.coloured(uri), sorted(editor.problems(uri))]
    found += [record.start for record in editor.service.buffers[uri].records]
    return found


async def run(start: Start, seed: int, num_edits: int, suffix: str) -> None:
    chance = random.Random(seed)
    editor, uri = await start(), f"file:///x/a.{suffix}"
    editor.open(uri, "".join(row(chance) for _ in range(8)))
    for number in range(num_edits):
        text = editor.texts[uri].text
        if chance.random() < 0.02 or len(text) > 4_000:
            editor.rewrite(uri, "".join(row(chance) for _ in range(6)))
        else:
            edits = [typed(chance, text)]
            if chance.random() < 0.2:
                edits.append(typed(chance, edits[0].applied(text)))
            editor.edit(uri, *edits)
        if chance.random() < 0.3:
            await asyncio.sleep(0)
        if number % 25 == 24:
            await editor.settle(uri)
    await editor.settle(uri)
    fresh = f"file:///x/b.{suffix}"
    editor.open(fresh, editor.texts[uri].text)
    await editor.settle(fresh)
    assert editor.service.buffers[uri].text == editor.texts[uri].text
    assert await seen(editor, uri) == await seen(editor, fresh)


@pytest.mark.parametrize("suffix", ["jsonl", "txt", "md", "csv"])
async def test_after_some_edits_everything_is_as_if_just_opened(start: Start, suffix: str) -> None:
    await run(start, 7, 75, suffix)


@pytest.mark.load
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(20))
async def test_after_ten_thousand_edits_everything_is_as_if_just_opened(start: Start, seed: int) -> None:
    await run(start, seed, 500, ("jsonl", "txt", "md", "csv", "json")[seed % 5])
