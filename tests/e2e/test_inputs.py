"""Pairs, chats, patterns and long texts: from the command line and the client through a real daemon."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from saliscope.protocol import SaliscopeError
from saliscope.protocol.client import Client
from saliscope.protocol.parameters import Mask
from saliscope.protocol.results import Predictions
from tests.explainers.texts.test_chat import CHAT, CHATML, saved

from .conftest import Saliscope

AsJson = Callable[..., Any]
LONG = "The plot is dull and lifeless. " * 60 + "But the cast is wonderful and warm. " * 40


def test_a_pair_is_explained_in_its_segments(as_json: AsJson, client: Client) -> None:
    got = as_json("explain", "a dull film", "--pair", "the cast is wonderful", "-g", "word")
    assert got["text"] == "a dull film\nthe cast is wonderful"
    assert [(part["name"], part["start"], part["end"]) for part in got["segments"]] == [
        ("text", 0, 11),
        ("pair", 12, 33),
    ]
    assert [feature["text"] for feature in got["features"]] == got["text"].split()
    assert client.predict(["a dull film"], pair="it is").predictions[0].label
    assert [part.name for part in client.tokenize("a dull film", pair="it is").segments] == ["text", "pair"]


def test_lines_and_patterns_are_features(as_json: AsJson, saliscope: Saliscope) -> None:
    lines = as_json("explain", "a dull film\n\nthe cast is wonderful", "-g", "line")
    assert [feature["text"] for feature in lines["features"]] == ["a dull film", "the cast is wonderful"]
    parts = as_json("explain", "a dull film, a wonderful cast", "-g", "regex:[^,]+")
    assert [feature["text"] for feature in parts["features"]] == ["a dull film", "a wonderful cast"]
    failed = saliscope("explain", "a" * 50 + "!", "-g", "regex:(a+)+$", exit_status=2)
    assert "was stopped" in failed.stderr


def test_a_long_text_is_stitched_when_asked(as_json: AsJson) -> None:
    cut, stitched = as_json("explain", LONG), as_json("explain", LONG, "--windows", "stitch")
    assert cut["truncated_at"] is not None
    assert stitched["truncated_at"] is None
    assert len(stitched["features"]) > 2 * len(cut["features"])
    assert stitched["diagnostics"]["windows"][-1]["end"] == len(LONG.rstrip())
    assert any("windows of 256" in warning for warning in stitched["warnings"])


@pytest.fixture(scope="module")
def chat_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(saved(tmp_path_factory.mktemp("chatting"), CHATML))


def test_a_chat_is_explained_from_a_file(as_json: AsJson, client: Client, chat_model: str, tmp_path: Path) -> None:
    (tmp_path / "chat.json").write_text(json.dumps(CHAT))
    got = as_json("explain", "--messages", str(tmp_path / "chat.json"), "--model", chat_model, "-m", "occlusion")
    assert got["text"] == "\n".join(row["content"] for row in CHAT)
    assert [part["name"] for part in got["segments"]] == [row["role"] for row in CHAT]
    assert got["prediction"]["kind"] == "next-token"
    assert client.predict(messages=CHAT, model=chat_model).predictions[0].label == got["prediction"]["label"]
    with_prompt = client.tokenize(messages=CHAT, model=chat_model)
    without = client.tokenize(messages=CHAT, model=chat_model, add_generation_prompt=False)
    assert len(with_prompt.tokens) > len(without.tokens)
    with pytest.raises(SaliscopeError, match="no chat template"):
        client.explain(messages=CHAT, model="demo-decoder")
    with pytest.raises(SaliscopeError, match=r"messages\[0\]"):
        client.explain(messages=[{"role": "user", "text": "a"}], model=chat_model)


def test_the_async_client_asks_the_same(environment: dict[str, str], client: Client, chat_model: str) -> None:
    from saliscope.protocol import aconnect

    async def ask() -> list[str]:
        async with await aconnect() as other:
            chat = await other.explain(messages=CHAT, model=chat_model, method="random")
            pair = await other.explain("a dull film", pair="it is", method="random")
            found = await other.tokenize("a dull film", pair="it is")
            return [chat.text, pair.text, found.text]

    assert asyncio.run(ask()) == ["\n".join(row["content"] for row in CHAT), "a dull film\nit is", "a dull film\nit is"]


def test_what_is_hidden_changes_the_prediction_in_both_clients(client: Client) -> None:
    from saliscope.protocol import aconnect

    text = "a dull film"
    mask = Mask([(2, 6)], "drop")
    plain, hidden = client.predict([text, text], mask=[None, mask], model="demo-encoder").predictions
    assert hidden.probabilities["negative"] < plain.probabilities["negative"]

    async def ask() -> Predictions:
        async with await aconnect() as found:
            return await found.predict(text, mask=mask, model="demo-encoder")

    got = asyncio.run(ask())
    assert got.masked == [[(2, 6)]]
    assert got.predictions[0].probabilities == pytest.approx(hidden.probabilities, abs=1e-5)
    with pytest.raises(SaliscopeError, match=r"mask\.spans\[0\]: it ends at 99"):
        client.predict(text, mask=Mask([(2, 99)]))
