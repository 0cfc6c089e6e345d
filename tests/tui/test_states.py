"""What the reader sees while there is nothing to see, and when something is wrong."""

from __future__ import annotations

import msgspec
from textual.widgets import Static
from textual.widgets._toast import Toast

from saliscope.protocol.errors import ERRORS, SaliscopeError
from saliscope.tui.app import TuiApp
from saliscope.tui.choices import Choices
from tests.tui.conftest import Make, session_of, until
from tests.tui.fake import DECODER, STATUS


def state_of(app: TuiApp) -> str:
    return str(app.screen.query_one("#state", Static).render())


def notice_of(app: TuiApp) -> str:
    notice = app.screen.query_one("#notice", Static)
    return str(notice.render()) if notice.display else ""


async def test_a_text_that_is_explained_is_ready_with_latency_and_memory(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        assert state_of(app) == "● ready  12 ms  186 MB"
        assert notice_of(app) == ""


async def test_while_connecting_it_says_what_is_done(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        session_of(app).on_state("connecting", "starting the daemon")
        await pilot.pause()
        assert "starting the daemon" in state_of(app)


async def test_a_model_that_loads_is_named(make: Make) -> None:
    app = make(answers=False)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        loading = msgspec.structs.replace(DECODER, state="loading")
        app.desk.status = msgspec.structs.replace(STATUS, models=[loading])
        app.tell()
        await pilot.pause()
        assert "loading demo-decoder" in state_of(app)


async def test_a_lost_daemon_is_told_and_typing_goes_on(make: Make) -> None:
    app = make("dull")
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        session_of(app).lose()
        await pilot.press("end", "!")
        await pilot.pause()
        assert "reconnecting" in state_of(app)
        assert "Go on typing" in notice_of(app)
        assert session_of(app).documents["text"].text == "dull!"
        await session_of(app).start()
        await pilot.pause()
        assert state_of(app).startswith("● ready")
        assert notice_of(app) == ""


async def test_no_daemon_at_all_says_what_to_do(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        session_of(app).on_state("failed", "nobody listens")
        await pilot.pause()
        assert "nobody listens" in notice_of(app)
        assert "saliscope doctor" in notice_of(app)
        session_of(app).on_state("connecting", "")
        await pilot.pause()
        assert "nobody listens" in notice_of(app)


async def test_a_model_that_is_not_known_says_what_to_do(make: Make) -> None:
    app = make(answers=False)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        session_of(app).refuse("unknown_model", "no model 'x'")
        await pilot.pause()
        assert "unknown model" in state_of(app)
        assert notice_of(app) == f"no model 'x'\n{ERRORS['unknown_model'][1]}"


async def test_out_of_memory_has_a_state_of_its_own(make: Make) -> None:
    app = make(answers=False)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        session_of(app).fail_record("oom", "the row needs 3 GB, 2 GB are left")
        await pilot.pause()
        assert "out of memory" in state_of(app)
        assert "Unload a model" in notice_of(app)


async def test_a_document_that_is_refused_says_why(make: Make) -> None:
    app = make(answers=False)
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        session_of(app).documents["text"].problem = SaliscopeError("too_large", "the text is too long")
        app.tell()
        await pilot.pause()
        assert "too large" in state_of(app)
        assert "the text is too long" in notice_of(app)


async def test_a_resize_in_the_midst_of_everything_breaks_nothing(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 30)) as pilot:
        for size in ((58, 20), (100, 30), (20, 6), (200, 60), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.press("a")
            await pilot.pause()
        assert session_of(app).documents["text"].text.startswith("aaaaa")


async def test_a_terminal_that_is_too_narrow_for_the_hint_can_be_begun_in(make: Make) -> None:
    app = make("")
    async with app.run_test(size=(40, 12)) as pilot:
        await pilot.press(*"dull")
        assert session_of(app).documents["text"].text == "dull"


async def test_a_mistyped_kind_of_target_is_told_in_few_lines(make: Make) -> None:
    app = make()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.pause()
        app.choose(Choices(target="contarst:positive vs negative"))
        await until(pilot, lambda: any(toast.region.height for toast in app.screen.query(Toast)))
        said = "".join(note.message for note in app._notifications)
        assert "no kind `contarst`; did you mean contrast[:LABEL vs LABEL]?" in said
        assert "label-words:" not in said
        assert app.screen.query_one(Toast).region.height <= 8
        # Everything that it may be is in the log.
        assert "label-words:" in list(app.desk.diary)[-1].said
