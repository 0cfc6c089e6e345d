"""`saliscope generate` with the bundled decoder, in a worker of its own."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from saliscope.cli.commands.generate import command

PROMPT = ["the cast is wonderful and the", "--model", "demo-decoder", "--no-daemon", "--max-tokens", "4"]


@pytest.mark.parametrize("how", [["--top", "3"], ["--json", "--top", "2"]])
def test_what_the_model_writes_is_shown(how: list[str]) -> None:
    ran = CliRunner().invoke(command, [*PROMPT, *how], catch_exceptions=False)
    assert ran.exit_code == 0
    if "--json" in how:
        found = json.loads(ran.stdout)
        assert len(found["tokens"]) == 4 or found["finish"] == "end"
        assert all(len(token["likely"]) <= 2 for token in found["tokens"])
    else:
        assert "demo-decoder · 4 tokens · as long as was asked for" in ran.stdout
        assert "%" in ran.stdout


def test_a_text_and_a_chat_do_not_go_together() -> None:
    ran = CliRunner().invoke(command, ["a", "--messages", "chat.json"])
    assert ran.exit_code == 2
    assert "--messages stands in place of TEXT" in ran.output
