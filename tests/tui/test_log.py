"""The log: by level, searched, followed and copied."""

from __future__ import annotations

from textual.widgets import Input, OptionList

from saliscope.tui.app import TuiApp
from saliscope.tui.diary import MAX_ENTRIES, Diary, chosen
from saliscope.tui.screens.log import LogScreen
from tests.tui.conftest import Make, until


def rows(app: TuiApp) -> list[str]:
    """What is shown, without the times of day."""
    return [str(option.prompt)[9:] for option in app.screen.query_one(OptionList).options]


def test_entries_are_chosen_by_level_and_words() -> None:
    diary = Diary(clock=lambda: 0.0)
    for said, level in (("connected", "info"), ("lost:\n the daemon", "warning"), ("oom: no memory", "error")):
        diary.note(said, level)  # type: ignore[arg-type]
    assert [entry.said for entry in chosen(diary, "warning", "")] == ["lost:\n the daemon", "oom: no memory"]
    assert [entry.level for entry in chosen(diary, "info", "DAEMON lost")] == ["warning"]
    assert chosen(diary, "error", "daemon") == []
    assert next(iter(chosen(diary, "info", "lost"))).line.endswith(" warning: lost: the daemon")


def test_the_oldest_entries_go() -> None:
    diary = Diary()
    for number in range(MAX_ENTRIES + 3):
        diary.note(str(number))
    assert (diary.count, len(list(diary)), next(iter(diary)).said) == (MAX_ENTRIES + 3, MAX_ENTRIES, "3")


async def test_the_log_is_narrowed_down_followed_and_copied(make: Make) -> None:
    app = make("a secret text")
    async with app.run_test(size=(60, 20)) as pilot:
        await pilot.pause()
        app.desk.note("the prompt is too long", "warning")
        app.desk.note("oom: no memory [is] left for this", "error")
        await pilot.press("f12")
        await until(pilot, lambda: isinstance(app.screen, LogScreen) and bool(rows(app)))
        options, everything = app.screen.query_one(OptionList), len(rows(app))
        # Each level has a sign of its own, and its name.
        assert rows(app)[-2:] == ["▲ warning the prompt is too long", "✕ error oom: no memory [is] left for this"]
        await pilot.press("y")
        assert app.clipboard.endswith("error: oom: no memory [is] left for this")
        await pilot.press("l")
        assert len(rows(app)) == 2
        await pilot.press("l")
        assert len(rows(app)) == 1
        await pilot.press("l", "slash", *"too long")
        await until(pilot, lambda: rows(app) == ["▲ warning the prompt is too long"])
        await pilot.press("enter")
        assert options.has_focus
        await pilot.press("escape")
        await until(pilot, lambda: len(rows(app)) == everything)
        assert not app.screen.query_one(Input).display
        # At the end it follows; who goes up is left where he is.
        await pilot.press("end")
        app.desk.note("one")
        await until(pilot, lambda: options.highlighted == everything)
        await pilot.press("up", "up")
        app.desk.note("two")
        await until(pilot, lambda: rows(app)[-1] == "· two")
        await pilot.pause()
        assert options.highlighted == everything - 2
        await pilot.press("f")
        await until(pilot, lambda: options.highlighted == everything + 1)
        await pilot.press("Y")
        assert len(app.clipboard.splitlines()) == everything + 2
        assert "secret" not in app.clipboard
        await pilot.press("escape")
        assert not isinstance(app.screen, LogScreen)
