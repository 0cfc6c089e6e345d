"""What the extension of VS Code says in its `package.json` is what the server knows and the command line draws."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from saliscope.lsp.painting import TYPES
from saliscope.lsp.settings import Settings, read_settings
from saliscope.lsp.tokens import MODIFIERS
from saliscope.render.palettes import BLUE_ORANGE

FOLDER = Path(__file__).parents[2] / "editors" / "vscode"
MANIFEST: dict[str, Any] = json.loads((FOLDER / "package.json").read_text())
CONTRIBUTED: dict[str, Any] = MANIFEST["contributes"]


def test_every_setting_of_the_server_is_there_with_its_default() -> None:
    found = {
        name.removeprefix("saliscope."): one["default"]
        for name, one in CONTRIBUTED["configuration"]["properties"].items()
    }
    assert found.pop("server.command") == ["saliscope", "lsp"]
    assert set(found) == set(Settings.__struct_encode_fields__)
    kept, problems = read_settings(found)
    assert problems == []
    # Semantic tokens would colour the same words a second time.
    own = msgspec.convert({**kept, "semanticTokens": True}, Settings)
    assert own == Settings()


def test_the_colours_are_those_of_the_command_line() -> None:
    found = {one["id"]: one["defaults"] for one in CONTRIBUTED["colors"]}
    for bucket in TYPES:
        name = f"saliscope.{'for' if bucket > 0 else 'against'}{abs(bucket)}"
        light, dark = BLUE_ORANGE.light[bucket], BLUE_ORANGE.dark[bucket]
        ground, text = found.pop(f"{name}Background"), found.pop(f"{name}Foreground")
        assert (ground["light"], ground["dark"], text["light"], text["dark"]) == (
            light.ground, dark.ground, light.text, dark.text
        )  # fmt: skip
    assert found == {}


def test_semantic_tokens_have_the_names_of_the_server() -> None:
    assert {one["id"] for one in CONTRIBUTED["semanticTokenTypes"]} == set(TYPES.values())
    assert {one["id"] for one in CONTRIBUTED["semanticTokenModifiers"]} == set(MODIFIERS)


def test_every_command_is_in_the_palette_and_in_the_code() -> None:
    code = (FOLDER / "src" / "commands.ts").read_text()
    written = set(re.findall(r"^  async (\w+)\(", code, re.MULTILINE))
    assert {one["command"] for one in CONTRIBUTED["commands"]} == {f"saliscope.here.{name}" for name in written}


def test_what_the_manifest_names_lies_beside_it() -> None:
    steps = CONTRIBUTED["walkthroughs"][0]["steps"]
    files = [step["media"]["markdown"] for step in steps]
    files += [one["icon"] for one in CONTRIBUTED["viewsContainers"]["activitybar"]]
    assert all((FOLDER / file).is_file() for file in files)
