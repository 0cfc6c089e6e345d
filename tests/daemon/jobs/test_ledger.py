"""The chunks of a job: whole or not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from saliscope.daemon.jobs.ending import JobPaused
from saliscope.daemon.jobs.ledger import DamagedChunk, Head, Ledger, read_head


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "parts", Head("job", "digest", rows_a_chunk=4, total=10))


def test_chunks_cover_the_rows_once(ledger: Ledger) -> None:
    assert [*map(ledger.num_rows, range(ledger.num_chunks))] == [range(4), range(4, 8), range(8, 10)]


def test_what_was_added_is_there(ledger: Ledger) -> None:
    rows = [{"row": 8, "text": "a\r\nb\u2028c"}, {"row": 9, "text": "d"}]
    ledger.add(2, rows)
    assert ledger.done() == {2}
    assert [row for _, row in ledger.rows(2)] == rows


@pytest.mark.parametrize(
    "content",
    [b"", b'{"row":8}\n', b'{"row":8}\n{"row":', b'{"row":9}\n{"row":8}\n', b'[1]\n{"row":9}\n', b"\xff\n\xff\n"],
)
def test_a_damaged_chunk_is_made_again(ledger: Ledger, content: bytes) -> None:
    (ledger.folder / "000002.jsonl").write_bytes(content)
    with pytest.raises(DamagedChunk):
        [*ledger.rows(2)]
    assert ledger.done() == set()


def test_a_full_disk_leaves_no_half_chunk(ledger: Ledger) -> None:
    (ledger.folder / "000000.draft").symlink_to("/dev/full")
    with pytest.raises(JobPaused, match="No space left on device"):
        ledger.add(0, [{"row": n} for n in range(4)])
    assert ledger.done() == set()
    ledger.add(0, [{"row": n} for n in range(4)])
    assert ledger.done() == {0}


def test_the_head_says_whose_chunks_they_are(ledger: Ledger, tmp_path: Path) -> None:
    assert read_head(tmp_path / "parts") is None
    ledger.keep_head()
    assert read_head(tmp_path / "parts") == ledger.head
    (tmp_path / "parts" / "head.json").write_text("{")
    assert read_head(tmp_path / "parts") is None
