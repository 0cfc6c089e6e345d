"""What cannot be: each is refused, or kept as the reason of its row, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.daemon.conftest import Daemon
from tests.daemon.jobs.conftest import read_rows, write_rows

from saliscope.protocol.client import Client
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.jobs import Job

Wait = Callable[[Client, str], Job]


@pytest.fixture
def client(daemon: Daemon) -> Client:
    return daemon.client()


@pytest.fixture
def data(tmp_path: Path) -> str:
    return write_rows(tmp_path / "data.jsonl", [{"review": f"film {n}", "stars": n, "id": n // 2} for n in range(40)])


@pytest.mark.parametrize("option", ["text_field", "label_field", "id_field", "slices"])
def test_a_column_that_is_not_there_lists_those_that_are(
    client: Client, data: str, tmp_path: Path, option: str
) -> None:
    wish: Any = ["body"] if option == "slices" else "body"
    with pytest.raises(SaliscopeError, match=r"no field body; it has review, stars, id: use --") as caught:
        client.submit_job(data, str(tmp_path / "out.jsonl"), **{option: wish})
    assert caught.value.code == "bad_request"
    assert client.list_jobs() == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.jsonl"]


def test_duplicate_ids_are_named(client: Client, data: str, tmp_path: Path, ended: Wait) -> None:
    job = ended(client, client.submit_job(data, str(tmp_path / "out.jsonl"), id_field="id").job)
    assert job.state == "failed"
    assert job.reason.startswith("data: rows 0 and 1 have the same id, '0'; name a field that is unique")


def test_ids_that_are_unique_name_the_rows(client: Client, data: str, tmp_path: Path, ended: Wait) -> None:
    out = tmp_path / "out.jsonl"
    job = ended(client, client.submit_job(data, str(out), id_field="stars", limit=35).job)
    assert (job.state, job.reason, job.total) == ("done", "", 35)
    assert [row["id"] for row in read_rows(out)] == [str(n) for n in range(35)]


def test_values_of_mixed_types_fail_by_themselves(client: Client, tmp_path: Path, ended: Wait) -> None:
    texts: list[Any] = ["a film", 1, None, ["a"], {"b": 1}, "another film", True]
    data = write_rows(tmp_path / "data.jsonl", [{"text": text} for text in texts])
    out = tmp_path / "out.jsonl"
    assert ended(client, client.submit_job(data, str(out)).job).state == "done"
    assert [row["code"] for row in read_rows(out)] == [None, *["bad_request"] * 4, None, "bad_request"]


@pytest.mark.parametrize("content", [b"PAR1 this is not", b"", b"PAR1" + bytes(100) + b"PAR1"])
def test_parquet_that_cannot_be_read_is_refused(client: Client, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.parquet").write_bytes(content)
    with pytest.raises(SaliscopeError, match=r"cannot read .*data\.parquet as Parquet"):
        client.submit_job(str(tmp_path / "data.parquet"), str(tmp_path / "out.jsonl"))


def test_an_output_that_is_there_is_not_lost(client: Client, data: str, tmp_path: Path, ended: Wait) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("precious")
    with pytest.raises(SaliscopeError, match=r"out\.jsonl exists; use --resume .* or --overwrite"):
        client.submit_job(data, str(out))
    assert out.read_text() == "precious"
    assert ended(client, client.submit_job(data, str(out), overwrite=True).job).state == "done"
    assert len(read_rows(out)) == 40


def test_chunks_of_another_job_are_not_lost(client: Client, data: str, tmp_path: Path, ended: Wait) -> None:
    out = tmp_path / "out.jsonl"
    gate = tmp_path / "gate"
    other = write_rows(tmp_path / "other.jsonl", [{"text": "a film"}, {"text": f"until {gate}"}])
    client.pause_job(client.submit_job(other, str(out)).job)
    with pytest.raises(SaliscopeError, match=r"parts exists; use --resume"):
        client.submit_job(data, str(out))
    with pytest.raises(SaliscopeError, match=r"parts holds another job, or its data have changed"):
        client.submit_job(data, str(out), resume=True)
    assert ended(client, client.submit_job(data, str(out), overwrite=True).job).state == "done"


def test_data_that_change_are_not_mixed(client: Client, tmp_path: Path, ended: Wait) -> None:
    out, gate = tmp_path / "out.jsonl", tmp_path / "gate"
    data = write_rows(tmp_path / "data.jsonl", [{"text": "a film"}, {"text": f"until {gate}"}])
    job = client.submit_job(data, str(out)).job
    client.pause_job(job)
    write_rows(tmp_path / "data.jsonl", [{"text": "another film"}])
    client.resume_job(job)
    found = ended(client, job)
    assert (found.state, "has changed since the job began" in found.reason) == ("failed", True)


@pytest.mark.parametrize("out", ["out.txt", "none/out.jsonl", "."])
def test_a_place_that_cannot_be_written_is_refused(client: Client, data: str, tmp_path: Path, out: str) -> None:
    with pytest.raises(SaliscopeError, match=r"^bad_request: out: "):
        client.submit_job(data, str(tmp_path / out))


def test_data_without_a_row_are_refused(client: Client, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("text,label\n")
    with pytest.raises(SaliscopeError, match="holds no row"):
        client.submit_job(str(tmp_path / "data.csv"), str(tmp_path / "out.jsonl"))


def test_a_full_disk_pauses_the_job_until_there_is_room(client: Client, data: str, tmp_path: Path, ended: Wait) -> None:
    out, parts = tmp_path / "out.jsonl", tmp_path / "out.jsonl.parts"
    parts.mkdir()
    # Whatever is written there meets a full disk; the name goes with the attempt.
    (parts / "000001.draft").symlink_to("/dev/full")
    job = ended(client, client.submit_job(data, str(out)).job)
    assert (job.state, "No space left on device" in job.reason) == ("paused", True)
    assert "make room, then resume the job" in job.reason
    assert not out.exists()
    client.resume_job(job.job)
    assert ended(client, job.job).state == "done"
    assert [row["row"] for row in read_rows(out)] == [*range(40)]


def test_a_disk_that_is_full_at_the_end_pauses_the_job_too(
    client: Client, data: str, tmp_path: Path, ended: Wait
) -> None:
    parts = tmp_path / "out.jsonl.parts"
    parts.mkdir()
    (parts / "merged.draft").symlink_to("/dev/full")
    job = ended(client, client.submit_job(data, str(tmp_path / "out.jsonl")).job)
    assert (job.state, "No space left on device" in job.reason) == ("paused", True)
    client.resume_job(job.job)
    assert ended(client, job.job).state == "done"
    assert len(read_rows(tmp_path / "out.jsonl")) == 40


def test_a_job_that_there_is_none_of_is_told(client: Client) -> None:
    for verb in (client.job_status, client.pause_job, client.resume_job, client.cancel_job, client.job_results):
        with pytest.raises(SaliscopeError, match="there is no job 'nobody'"):
            verb("nobody")


def test_an_id_that_is_a_path_is_none(client: Client) -> None:
    with pytest.raises(SaliscopeError, match="Expected `str` matching regex"):
        client.job_status("../../etc")
