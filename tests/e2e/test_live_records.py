"""Two thousand records opened and edited with a real worker: what is told is what a fresh run of the library says."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from saliscope.explainers import explain, load
from saliscope.protocol.documents import DocumentChanged
from saliscope.protocol.edits import Edit
from saliscope.protocol.live import LiveDocument, LiveSession
from tests.e2e.words import WORDS

METHOD = "input-x-gradient"


def record(rng: random.Random, number: int) -> str:
    return json.dumps({"id": number, "text": " ".join(rng.choices(WORDS, k=6)) + f" {number}", "label": "positive"})


def edits_of(rng: random.Random, text: str, number: int) -> tuple[list[Edit], int]:
    """Some way to edit the text, and how many records a model sees something else of by it."""
    starts = [at for at, line in zip(starts_of(text), text.splitlines(), strict=True) if '"text"' in line]
    start = rng.choice(starts)
    word = text.index('"text": "', start) + len('"text": "')
    match number % 5:
        case 0 | 1:
            return [Edit(word, word, f"{rng.choice(WORDS)}{number} ")], 1
        case 2:
            # Only the label: what the model sees is the same.
            label = text.index('"label": "', start) + len('"label": "')
            return [Edit(label, label + len("positive"), "negative")], 0
        case 3:
            return [Edit(start, start, record(rng, 10_000 + number) + "\n")], 1
    end = text.index("\n", start) + 1
    return [Edit(start, end, "")], 0


def starts_of(text: str) -> list[int]:
    lines, at, starts = text.splitlines(keepends=True), 0, []
    for line in lines:
        starts.append(at)
        at += len(line)
    return starts


@pytest.mark.load
@pytest.mark.timeout(1500)
def test_of_2000_records_only_those_are_computed_that_50_edits_touch(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    rng = random.Random(7)
    text = "\n".join(record(rng, number) for number in range(2000)) + "\n"
    model = load("demo-encoder")
    fresh: dict[str, Any] = {}

    def check(document: LiveDocument) -> None:
        """Every record says what the library says of it alone, and each feature stands where it is said to stand."""
        lines = [json.loads(line)["text"] for line in document.text.splitlines()]
        assert len(document.records) == len(lines)
        for record, line in zip(document.records, lines, strict=True):
            got = record.explanation
            assert (record.state, got is not None) == ("final", True)
            assert got is not None
            assert (got.text, got.method) == (line, METHOD)
            if line not in fresh:
                fresh[line] = explain(model, line, method=METHOD)
            expected = list(fresh[line].scores)
            # Of the largest score: other rows in the same micro-batch change the last bits of a float32.
            assert got.scores == pytest.approx(expected, abs=1e-5 * max(1.0, *map(abs, expected)))
            assert got.prediction.label == fresh[line].prediction.label
            for span, feature in zip(record.features, got.features, strict=True):
                assert span is not None
                assert json.loads(f'"{document.text[slice(*span)]}"') == feature.text

    async def run() -> None:
        session = LiveSession(debounce_s=0.01)
        await session.start()
        document = session.open("reviews.jsonl", text, model="demo-encoder", method=METHOD)
        await session.settled("reviews.jsonl")
        check(document)
        client = session.client
        assert client is not None
        seen: list[DocumentChanged] = []
        document_changed = document.changed
        monkeypatch.setattr(document, "changed", lambda answer: (seen.append(answer), document_changed(answer))[1])
        before = await asked(client)
        num_expected = 0
        for number in range(50):
            edits, num_touched = edits_of(rng, document.text, number)
            session.change("reviews.jsonl", edits)
            num_expected += num_touched
            await session.settled("reviews.jsonl")
        check(document)
        assert sum(answer.num_computing for answer in seen) == num_expected == 30
        # An estimate each, and the method; the worker was asked nothing else.
        assert await asked(client) - before == 2 * num_expected
        state = await client.focus_document("reviews.jsonl", seen[-1].version, 0)
        assert 0 < state.num_kept_bytes <= 32 << 20
        await session.stop()

    asyncio.run(run())


async def asked(client: Any) -> int:
    """How many explanations the daemon has been asked for so far."""
    return sum((await client.status()).figures["requests"]["explain"].values())
