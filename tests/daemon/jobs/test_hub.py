"""A job on a data set of the library `datasets`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.daemon.conftest import Daemon
from tests.daemon.jobs.conftest import read_rows

from saliscope.protocol.client import Client
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.jobs import Job

pytestmark = pytest.mark.hub
pytest.importorskip("datasets", reason="needs the extra `eval` (make test-ray)")


@pytest.fixture
def offline(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library, in the process of the job, asks nobody."""
    monkeypatch.setenv("HF_HOME", str(home / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_a_folder_of_a_data_set_is_explained_by_its_part(
    offline: None, start: Callable[..., Daemon], tmp_path: Path, done: Callable[[Client, str], Job]
) -> None:
    folder, out = tmp_path / "reviews", tmp_path / "out.jsonl"
    folder.mkdir()
    rows = [{"text": f"film {n}", "label": n % 2} for n in range(200)]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    client = start().client()
    job = done(client, client.submit_job(str(folder), str(out), split="train", limit=150).job)
    assert (job.done, job.failed) == (150, 0)
    assert [(row["row"], row["text"]) for row in read_rows(out)] == [(n, f"film {n}") for n in range(150)]
    assert client.job_results(job.job).accuracy == 0.5
    with pytest.raises(SaliscopeError, match="another --split"):
        client.submit_job(str(folder), str(tmp_path / "other.jsonl"), split="validation")
