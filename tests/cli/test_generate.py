"""`saliscope generate` with the bundled decoder, in a worker of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from saliscope.cli.commands.generate import command
from saliscope.protocol.client import Client
from saliscope.protocol.listening import OnNotification

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


@pytest.mark.parametrize("how", [[], ["--json"]])
def test_ctrl_c_shows_what_was_written_until_then(monkeypatch: pytest.MonkeyPatch, how: list[str]) -> None:
    call = Client.call

    def interrupted(self: Client, method: str, params: Any, listen: OnNotification | None = None, **rest: Any) -> Any:
        """The person presses Ctrl-C at the second token."""

        def hear(notification: Any) -> None:
            assert listen is not None
            listen(notification)
            if notification.method == "generate/partial" and notification.params["kept_tokens"] == 1:
                raise KeyboardInterrupt

        return call(self, method, params, None if listen is None else hear, **rest)

    monkeypatch.setattr(Client, "call", interrupted)
    prompt = [*PROMPT[:-2], "--max-tokens", "500"]
    ran = CliRunner().invoke(command, [*prompt, *how], catch_exceptions=False, standalone_mode=False)
    assert ran.return_value == 130
    if how:
        found = json.loads(ran.stdout)
        assert (len(found["tokens"]), found["finish"]) == (2, "")
    else:
        assert "demo-decoder · 2 tokens · it ended early" in ran.stdout
        assert len(ran.stdout.splitlines()[0]) > 2
