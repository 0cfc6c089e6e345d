from __future__ import annotations

from textual.widgets import DataTable

from saliscope.protocol.documents import RecordFinding
from saliscope.protocol.live import LiveRecord
from saliscope.protocol.live.record import Places
from saliscope.tui.records import ordered, rows_of, summary
from saliscope.tui.screens.main import MainScreen
from saliscope.tui.screens.records import RecordsScreen
from tests.tui.conftest import Make
from tests.tui.fake import explanation


def record(start: int, text: str, label: str | None, *kinds: str) -> LiveRecord:
    found = tuple(RecordFinding(kind, "", start, start) for kind in kinds)  # type: ignore[arg-type]
    places = Places(len(text), findings=tuple((0, 0) for _ in kinds))
    return LiveRecord(start, start, places, label, explanation(text), is_final=True, found=found)


RECORDS = [
    record(0, "a wonderful film", "positive"),
    record(20, "a dull film", "positive", "mismatch"),
    record(40, "a film", "negative", "low-margin"),
    LiveRecord(60, 60, Places(4)),
]


def test_a_row_says_what_the_model_says_and_what_was_found() -> None:
    rows = rows_of(RECORDS)
    assert [row.number for row in rows] == [1, 2, 3, 4]
    assert rows[1].findings == ("mismatch",)
    assert rows[1].is_wrong
    assert rows[3].confidence is None


def test_the_least_sure_and_the_troubled_come_first() -> None:
    rows = rows_of(RECORDS)
    assert [row.number for row in ordered(rows, "trouble")] == [2, 3, 1, 4]
    sure = [row.confidence for row in ordered(rows, "confidence")][:3]
    assert sure == sorted(sure)  # type: ignore[type-var]


def test_a_query_looks_at_prediction_label_and_findings() -> None:
    rows = rows_of(RECORDS)
    assert [row.number for row in ordered(rows, "place", "mism")] == [2]
    assert [row.number for row in ordered(rows, "place", "negative")] == [2, 3]


def test_the_summary_counts() -> None:
    assert summary(rows_of(RECORDS)) == "3 of 4 records explained · 1 of 3 disagree with their label"


async def test_the_table_goes_to_the_record_that_is_chosen(make: Make) -> None:
    app = make()
    async with app.run_test(size=(120, 34)) as pilot:
        await pilot.press("ctrl+r")
        while not isinstance(app.screen, RecordsScreen):
            await pilot.pause()
        assert app.screen.query_one(DataTable).row_count == 1
        await pilot.press("s", "slash", *"posi", "enter")
        assert app.screen.query_one(DataTable).row_count == 1
        await pilot.press("enter")
        while not isinstance(app.screen, MainScreen):
            await pilot.pause()
        assert app.screen.editor.offset_of_cursor == 0
