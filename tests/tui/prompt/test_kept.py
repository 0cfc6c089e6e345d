"""The prompt is there again the next time, whatever ends the session, and whatever stands in the file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from textual.widgets import Static

from saliscope.tui import app as app_module
from saliscope.tui import store
from saliscope.tui.app import TuiApp
from saliscope.tui.choices import Choices
from saliscope.tui.prompt import kept as bounds
from saliscope.tui.prompt.kept import KeptPrompt, kept_of, prompt_of
from saliscope.tui.prompt.message import MessageBox
from saliscope.tui.prompt.state import Prompt, Said
from saliscope.tui.screens.prompt import PromptScreen
from saliscope.tui.store import Kept
from tests.tui.conftest import Make, session_of, until
from tests.tui.prompt.test_prompt import opened
from tests.tui.prompt.test_prompt import prompt_of as prompt_in

CHAT = [Said("system", "be brief"), Said("user", "a dull film? é 日")]


async def test_messages_roles_and_wishes_are_there_the_next_time(make: Make, state: Path) -> None:
    app = make("be brief", choices=Choices(model="demo-decoder"))
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(app, pilot)
        await pilot.press("ctrl+t", "ctrl+t", "ctrl+n")
        await until(pilot, lambda: len(app.screen.query(MessageBox)) == 2)
        await pilot.press(*"and dull")
        await until(pilot, lambda: prompt_in(app).messages[1].content == "and dull")
        prompt_in(app).max_tokens = 7
        await pilot.press("ctrl+q")
    assert os.stat(state).st_mode & 0o777 == 0o600
    kept = store.load()
    assert kept.prompt is not None
    roles = [one.role for one in kept.prompt.messages]
    assert [one.content for one in kept.prompt.messages] == ["be brief", "and dull"]
    assert (kept.prompt.model, kept.prompt.max_tokens) == ("demo-decoder", 7)
    again = make("another text", prompt=kept.prompt)
    async with again.run_test(size=(120, 34)) as pilot:
        await opened(again, pilot)
        boxes = list(again.screen.query(MessageBox))
        assert [box.area.text for box in boxes] == ["be brief", "and dull"]
        assert [one.role for one in prompt_in(again).messages] == roles
        assert "F5 begins a new one" in str(again.screen.query_one("#prompt-notice", Static).render())
        # It writes with the model that it was written for.
        asked = session_of(again).fake.calls
        await until(pilot, lambda: any(call == "generate" for call, _, _ in asked))
        assert [options["model"] for call, _, options in asked if call == "generate"] == ["demo-decoder"]
        await pilot.press("f5")
        await until(pilot, lambda: isinstance(again.screen, PromptScreen) and prompt_in(again).messages == [
            Said("user", "another text")])  # fmt: skip


async def test_what_is_typed_is_kept_while_the_session_goes_on(
    make: Make, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app_module, "KEEP_EVERY_S", 0.05)
    app = make("a film")
    async with app.run_test(size=(120, 34)) as pilot:
        await opened(app, pilot)
        await pilot.press("end", "s")
        # The process may be killed now.
        await until(pilot, lambda: state.exists() and store.load().prompt == KeptPrompt([Said("user", "a films")]))
        assert store.load().text == "a film"
        assert sorted(one.name for one in state.parent.iterdir()) == ["tui.json"]


async def test_a_session_with_a_file_leaves_text_and_choices_of_the_last_time_alone(make: Make, tmp_path: Path) -> None:
    file = tmp_path / "review.txt"
    file.write_text("a dull film")
    store.save(Kept(text="mine", choices=Choices(method="occlusion"), prompt=KeptPrompt(CHAT)))
    app = TuiApp(store.load(), file=file, choices=Choices(model="demo-decoder"), depth="truecolor",
                 make_session=type(session_of(make())))  # type: ignore[arg-type]  # fmt: skip
    async with app.run_test(size=(120, 34)) as pilot:
        assert app.desk.choices.model == "demo-decoder"
        await pilot.press("x", "ctrl+s", "ctrl+q")
    assert store.load() == Kept(text="mine", choices=Choices(method="occlusion"), prompt=KeptPrompt(CHAT))


@pytest.mark.parametrize(
    "content", [b"{", b'{"text": 5}', b"\0\xff" * 20, b'{"prompt": {"messages": [{"role": 1}]}}', b"[" * 100_000]
)
def test_a_file_that_cannot_be_read_is_put_aside_with_a_line_in_the_log(state: Path, content: bytes) -> None:
    state.parent.mkdir(parents=True)
    state.write_bytes(content)
    lines: list[str] = []
    assert store.load(lines.append) == Kept()
    assert not state.exists()
    aside = state.with_name("tui.json.bad")
    assert aside.read_bytes() == content
    assert len(lines) == 1
    assert str(aside) in lines[0]
    # The next session begins anew, and says nothing.
    assert store.load(lines.append) == Kept()
    assert len(lines) == 1


def test_a_palette_of_another_version_is_no_reason_to_lose_the_text(state: Path) -> None:
    store.save(Kept(text="mine", palette="purple"))
    lines: list[str] = []
    assert store.load(lines.append) == Kept(text="mine")
    assert "palette" in lines[0]


async def test_the_log_says_what_was_put_aside(make: Make) -> None:
    app = TuiApp(Kept(), notes=["the last session cannot be read"],
                 make_session=type(session_of(make())))  # type: ignore[arg-type]  # fmt: skip
    assert [(entry.level, entry.said) for entry in app.desk.diary] == [("warning", "the last session cannot be read")]


def test_a_prompt_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_MESSAGES", 3)
    monkeypatch.setattr(bounds, "MOST_TEXT", 10)
    many = Prompt([Said("user", str(number)) for number in range(9)])
    assert kept_of(many) == KeptPrompt([Said("user", "6"), Said("user", "7"), Said("user", "8")])
    long = Prompt([Said("user", "x" * 11), Said("assistant", "y" * 4), Said("user", "z" * 6)])
    kept = kept_of(long)
    assert kept is not None
    assert [one.content for one in kept.messages] == ["yyyy", "zzzzzz"]
    assert kept_of(Prompt([Said("user", "x" * 11)])) is None
    assert kept_of(Prompt()) is None


def test_a_kept_prompt_is_the_same_again() -> None:
    prompt = Prompt(list(CHAT), True, 9, 0.5, 3, model="m")
    kept = msgspec.json.decode(msgspec.json.encode(kept_of(prompt)), type=KeptPrompt)
    again = prompt_of(kept)
    assert again is not None
    assert (again.messages, again.is_plain, again.max_tokens, again.temperature, again.seed) == (CHAT, True, 9, 0.5, 3)
    assert (again.model, again.is_kept) == ("m", True)
    assert prompt_of(None) is None


def test_a_writer_that_is_killed_leaves_the_old_or_the_new_and_never_half(state: Path) -> None:
    store.save(Kept(text="old"))
    program = (
        "from saliscope.tui import store\n"
        "from saliscope.tui.store import Kept\n"
        "print('ready', flush=True)\n"
        "while True: store.save(Kept(text='new' * 300_000))\n"
    )
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=os.environ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            while store.load().text == "old":
                pass
            writer.kill()
        lines: list[str] = []
        assert store.load(lines.append).text in ("old", "new" * 300_000)
        assert lines == []
        store.save(Kept(text="old"))
