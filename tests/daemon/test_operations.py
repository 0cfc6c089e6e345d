from __future__ import annotations

from pathlib import Path

from saliscope.daemon.front import reference
from saliscope.daemon.front.limits import FrontLimits
from saliscope.daemon.front.logs import MAX_LOG_BYTES, MAX_LOGGED_TEXT
from saliscope.daemon.front.metrics import METRICS
from saliscope.protocol.errors import ERRORS
from saliscope.protocol.startup import OPTIONS
from saliscope.protocol.token import NUM_BYTES

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def test_the_page_is_what_the_tables_make() -> None:
    page = PAGE.read_text()
    assert reference.document(page) == page, "run `python -m saliscope.daemon.front.reference docs/operations.md`"
    assert all(f"<!-- table: {name} -->" in page for name in reference.tables())


def test_numbers_in_the_prose_are_those_of_the_code() -> None:
    page = PAGE.read_text()
    assert f"answered after {FrontLimits().drain_s:g} s" in page
    assert f"a token of {NUM_BYTES} random bytes" in page
    assert f"Over {MAX_LOG_BYTES >> 20} MiB the log" in page
    assert f"the first {MAX_LOGGED_TEXT:,} characters" in page


def test_every_option_metric_and_error_is_on_it() -> None:
    page = PAGE.read_text()
    assert all(f"`--{option.name}" in page for option in OPTIONS)
    assert all(f"`saliscope_{metric.name}" in page for metric in METRICS)
    assert all(f"| `{code}` |" in page for code in ERRORS)
