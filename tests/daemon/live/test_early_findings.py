"""Findings of a version that is still on its way leave the colours where the words are."""

from __future__ import annotations

from tests.daemon.live.test_client_store import OPENING, attribution, findings, opened

from saliscope.protocol.documents import DocumentFindings, RecordFindings
from saliscope.protocol.edits import Edit


def test_findings_that_come_before_the_answer_to_an_edit_leave_the_words_their_colours() -> None:
    client, store = opened("a.jsonl", '{"text": "a dull film"}\n')
    [located] = store
    client.take(attribution(store, located))
    [record] = client.records
    assert {client.text[start:end] for start, end in filter(None, record.features)} == {"a", "dull", "film"}

    at = client.text.index("dull")
    client.edit([Edit(at, at, "very ")])
    store.change(0, 1, client.next_batch())
    [located] = store
    end = located.start + located.record.length
    row = RecordFindings(located.id, located.start, end, located.record.label, findings(located))
    client.take(DocumentFindings("a", OPENING, store.version, [row]))

    [record] = client.records
    assert record.stale
    words = {client.text[start:end] for start, end in filter(None, record.features)}
    assert {"a", "film"} <= words <= {"a", "dull", "film"}
    assert record.end == end
