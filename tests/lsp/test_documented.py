"""The settings that docs/editors.md shows for editors that no test runs: the server takes them as they are written."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from saliscope.lsp.settings import read_settings
from tests.lsp.conftest import Start

PAGE = (Path(__file__).parents[2] / "docs" / "editors.md").read_text()
URI = "file:///x/reviews.txt"


def shown(heading: str, language: str) -> str:
    """The block of a language below a heading."""
    section = re.split(r"^## ", PAGE.split(f"\n## {heading}\n")[1], flags=re.MULTILINE)[0]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found
    return found[1]


def helix() -> dict[str, Any]:
    found = tomllib.loads(shown("Helix", "toml"))
    for one in found["language"]:
        assert set(one["language-servers"]) <= {"marksman", *found["language-server"]}
    server = found["language-server"]["saliscope"]
    assert [server["command"], *server["args"]] == ["saliscope", "lsp"]
    options: dict[str, Any] = server["config"]
    return options


def zed() -> dict[str, Any]:
    options: dict[str, Any] = json.loads(shown("Zed", "json"))["lsp"]["saliscope"]["initialization_options"]
    return options


@pytest.mark.asyncio
@pytest.mark.parametrize("written", [helix, zed])
async def test_words_are_coloured_as_backgrounds_with_these_settings(start: Start, written: Any) -> None:
    kept, problems = read_settings(written())
    assert (kept, problems) == ({"model": "demo-encoder", "documentColor": True}, [])
    # As they ask: columns in utf-8 first, and settings from what is configured.
    general = types.GeneralClientCapabilities(position_encodings=[types.PositionEncodingKind.Utf8])
    editor = await start(types.ClientCapabilities(general=general), **kept)
    editor.open(URI, "größer and wonderful\n")
    await editor.settle(URI)
    asked = types.DocumentColorParams(types.TextDocumentIdentifier(URI))
    found = await editor.client.text_document_document_color_async(asked)
    lines = editor.texts[URI]
    assert [lines.text[slice(*lines.span(one.range))] for one in found] == ["wonderful"]
