from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st
from tests.daemon.documents.texts import opened, texts

from saliscope.daemon.front.documents.csv_cells import scan_row


@given(texts("ab,;'\"\t\r\n é😀|\0", 60), st.sampled_from(",;\t|é"), st.sampled_from("\"'|"))
def test_the_scanner_reads_what_csv_reads(text: str, delimiter: str, quote: str) -> None:
    if delimiter == quote:
        return
    rows = []
    at = 0
    while at < len(text):
        row = scan_row(text, at, delimiter, quote)
        assert row.end > at
        rows.append([cell.value for cell in row.cells])
        at = row.end
    assert rows == list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote))


def test_a_ragged_row_says_where_it_has_too_much() -> None:
    text = "text,label\na,b,c\nd\n"
    long, short = opened(text, "csv")
    assert [finding.kind for finding in long.findings] == ["ragged"]
    assert text[slice(*(long.start + place for place in long.findings[0].span))] == "c"
    assert [finding.kind for finding in short.findings] == ["ragged"]
    assert short.record.explained


def test_a_quote_that_never_closes_breaks_its_record_and_not_those_before() -> None:
    good, bad = opened('text\na\n"b\nc\n', "csv")
    assert good.record.explained
    assert [finding.kind for finding in bad.findings] == ["broken"]
