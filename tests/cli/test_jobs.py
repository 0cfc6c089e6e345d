"""`saliscope dataset explain` and `saliscope jobs`, without a daemon."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import Result
from tests.cli.conftest import FakeClient

from saliscope.cli import jobs
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.jobs import (
    ClassPair,
    FailedRow,
    Job,
    JobResults,
    Shortcut,
    Slice,
    TopType,
)

Run = Callable[..., Result]

RESULTS = JobResults(
    "j1", "/tmp/out.jsonl", 5000, 2, "demo-encoder", "f" * 8, "occlusion", {"too_large": 2},
    [FailedRow(7, "7", "too_large", "the text has 9,000 tokens")], 0.875,
    {"negative": {"negative": 2000, "positive": 500}, "positive": {"positive": 2500}},
    {"negative": [TopType("dull", 120.5, 300)], "positive": []}, [ClassPair(["negative", "positive"], 12, 100)],
    [Slice("length", "to 8 words", 4000, 2, 4000, 0.9, 0.95, 0.5), Slice("kind", "a", 10, 0, 0, None, 0.5, None)],
    [Shortcut("spielberg", "positive", 40, 0.9, 1.0, 3)], 100, 50,
)  # fmt: skip


def job(state: str, **changes: Any) -> Job:
    fields = {"job": "j1", "state": state, "data": "/tmp/data.jsonl", "out": "/tmp/out.jsonl", "model": None,
              "method": "occlusion", "created": 1.0, "total": 5000, "done": 1200}  # fmt: skip
    return msgspec.convert({**fields, **changes}, Job)


class Desk:
    """The jobs of a daemon: what is submitted, and how it is at each look."""

    def __init__(self, *looks: Job) -> None:
        self.looks = [*looks]
        self.asked: list[Any] = []
        self.interrupt = False

    def submit_job(self, data: str, out: str, **options: Any) -> Job:
        self.asked.append((data, out, options))
        return self.looks[0]

    def job_status(self, name: str) -> Job:
        if self.interrupt:
            raise KeyboardInterrupt
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def list_jobs(self) -> list[Job]:
        return self.looks

    def job_results(self, name: str) -> JobResults:
        return RESULTS


@pytest.fixture
def desk(fake: FakeClient, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Desk]:
    def make(*looks: Job) -> Desk:
        found = Desk(*looks)
        monkeypatch.setattr(jobs, "_EVERY_S", 0)
        for name in ("submit_job", "job_status", "list_jobs", "job_results"):
            monkeypatch.setattr(fake, name, getattr(found, name), raising=False)
        for verb in ("pause_job", "resume_job", "cancel_job"):
            monkeypatch.setattr(fake, verb, found.job_status, raising=False)
        return found

    return make


def test_options_reach_the_daemon_and_the_sums_are_shown(run: Run, desk: Callable[..., Desk]) -> None:
    found = desk(job("running", stage="explaining"), job("running", rows_per_s=3.0, eta_s=9.0), job("done", done=5000))
    result = run(
        "dataset", "explain", "data.jsonl", "--out", "out.jsonl", "-m", "occlusion", "--target", "gold", "--slice", "a",
        "--slice", "b", "--param", "n=3", "--limit", "9", "--deterministic", "--id-field", "name", "--overwrite",
        "--engine", "ray",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert found.asked == [
        (
            "data.jsonl",
            "out.jsonl",
            {
                "download": False, "method": "occlusion", "target": "gold", "slices": ["a", "b"], "params": {"n": 3},
                "limit": 9, "deterministic": True, "id_field": "name", "overwrite": True, "granularity": "token",
                "seed": 0, "windows": "cut", "engine": "ray",
            },
        )
    ]  # fmt: skip
    shown = result.output
    for part in (
        "5,000 rows, 4,998 explained by occlusion of demo-encoder", "failed: 2 x too_large", "row 7: the text has",
        "accuracy 0.875", "dull", "negative / positive", "to 8 words", "0.900", "spielberg", "3 wrong",
    ):  # fmt: skip
        assert part in shown
    assert "speaks for positive\n  nothing" in shown


def test_json_is_all_of_it(run: Run, desk: Callable[..., Desk]) -> None:
    desk(job("done"))
    shown = run("dataset", "explain", "data.jsonl", "--out", "out.jsonl", "--json").stdout
    assert msgspec.json.decode(shown, type=JobResults) == RESULTS
    assert msgspec.json.decode(run("jobs", "results", "j1", "--json").stdout, type=JobResults) == RESULTS


@pytest.mark.parametrize(
    ("state", "reason", "code", "said"),
    [
        (
            "paused",
            "as asked",
            8,
            "job j1 was paused; 1,200 of 5,000 rows are kept; `saliscope jobs resume j1` goes on",
        ),
        ("paused", "the disk is full", 14, "job j1 is paused: the disk is full; 1,200 of 5,000 rows are kept"),
        ("failed", "the model has gone", 2, "job j1 has failed: the model has gone"),
        ("cancelled", "as asked", 8, "job j1 was cancelled"),
    ],
)
def test_why_a_job_is_not_done_is_said(
    run: Run, desk: Callable[..., Desk], state: str, reason: str, code: int, said: str
) -> None:
    desk(job("running"), job(state, reason=reason))
    result = run("dataset", "explain", "data.jsonl", "--out", "out.jsonl")
    assert result.exit_code == code
    assert said in result.stderr


def test_ctrl_c_leaves_the_job_alone(run: Run, desk: Callable[..., Desk]) -> None:
    desk(job("running")).interrupt = True
    result = run("dataset", "explain", "data.jsonl", "--out", "out.jsonl")
    assert result.exit_code == 130
    assert "job j1 goes on: `saliscope jobs status j1`" in result.stderr


def test_resume_and_overwrite_exclude_each_other(run: Run, desk: Callable[..., Desk]) -> None:
    desk(job("running"))
    result = run("dataset", "explain", "data.jsonl", "--out", "out.jsonl", "--resume", "--overwrite")
    assert (result.exit_code, "not both" in result.stderr) == (2, True)


def test_detached_the_job_is_told(run: Run, desk: Callable[..., Desk]) -> None:
    desk(job("running", stage="counting"))
    shown = run("dataset", "explain", "data.jsonl", "--out", "out.jsonl", "--detach").output
    assert "job       j1\nstate     running, counting\n" in shown


def test_jobs_are_listed(run: Run, desk: Callable[..., Desk]) -> None:
    desk(job("running", rows_per_s=250.0, eta_s=15.2, failed=3), job("done"))
    lines = run("jobs", "list").output.splitlines()
    assert lines[0].split() == ["job", "state", "rows", "out"]
    assert "j1   running  1,200 of 5,000 rows, 3 failed, 250 rows/s, 15 s left" in " ".join(lines)
    for verb in ("status", "pause", "resume", "cancel"):
        assert run("jobs", verb, "j1").output.startswith("job       j1\n")
    assert run("jobs", "wait", "j1").exit_code == 0


def test_a_daemon_that_refuses_is_heard(run: Run, fake: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Job:
        raise SaliscopeError("bad_request", "data: row 0 has no field body; it has text")

    monkeypatch.setattr(fake, "submit_job", refuse, raising=False)
    result = run("dataset", "explain", "data.jsonl", "--out", str(Path("out.jsonl")))
    assert (result.exit_code, "it has text" in result.stderr) == (2, True)
