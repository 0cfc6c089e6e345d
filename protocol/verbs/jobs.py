"""Data sets explained into a file, which goes on without the client that wished it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from saliscope.protocol.fields import DATA_SUFFIXES
from saliscope.protocol.jobs import Job, JobResults, Jobs
from saliscope.protocol.parameters import Target
from saliscope.protocol.validate import read
from saliscope.protocol.verbs.given import declared, path_here
from saliscope.protocol.verbs.verb import Call, answer, verb


class JobOptions(TypedDict, total=False):
    """What to explain and how (`jobs.SubmitJob` has the meaning of each)."""

    job: str | None
    model: str | None
    method: str | None
    target: Target | str | int | None
    scale: str | None
    granularity: str | None
    seed: int
    params: dict[str, Any] | None
    windows: str | None
    download: bool
    split: str | None
    limit: int | None
    text_field: str | None
    label_field: str | None
    pair_field: str | None
    id_field: str | None
    slices: Sequence[str]
    deterministic: bool
    engine: str | None
    resume: bool
    overwrite: bool


class JobVerbs:
    """Begin, follow and end jobs."""

    @verb
    def submit_job(self, data: str, out: str, **options: Unpack[JobOptions]) -> Call[Job]:
        """Have every row of a data set (a file, or a hub id) explained into `out` (.jsonl or .parquet).

        Answers when the data were looked at; the job goes on without this client. `options`: model, method, target,
        scale, granularity, seed, params, windows, download; split, limit, text_field, label_field, pair_field,
        id_field, slices; deterministic, engine, resume, overwrite, and `job`, an id of one's own.
        """
        fields = declared("submit_job", options, JobOptions)
        if "slices" in fields:
            fields["slices"] = list(fields["slices"])
        fields["job"] = fields.get("job") or os.urandom(4).hex()
        is_file = os.path.exists(os.path.expanduser(data)) or data.lower().endswith(DATA_SUFFIXES)
        fields |= {"data": path_here(data) if is_file else data, "out": path_here(out)}
        return Call("jobs/submit", answer(Job), fields)

    @verb
    def list_jobs(self) -> Call[list[Job]]:
        """The jobs, newest first, also those that ended."""
        return Call("jobs/list", lambda told: read(told, Jobs).jobs)

    @verb
    def job_status(self, job: str) -> Call[Job]:
        """How a job is: rows done, failed and in all, rows a second, and the seconds that are left."""
        return Call("jobs/status", answer(Job), {"job": job})

    @verb
    def pause_job(self, job: str) -> Call[Job]:
        """Stop a job; what was found is kept."""
        return Call("jobs/pause", answer(Job), {"job": job})

    @verb
    def resume_job(self, job: str) -> Call[Job]:
        """Go on with a job that is paused, or has failed."""
        return Call("jobs/resume", answer(Job), {"job": job})

    @verb
    def cancel_job(self, job: str) -> Call[Job]:
        """End a job and remove what it has found; an output that was finished stays."""
        return Call("jobs/cancel", answer(Job), {"job": job})

    @verb
    def job_results(self, job: str) -> Call[JobResults]:
        """What the rows of a finished job say together: failures, confusion, top types, overlap, slices, shortcuts."""
        return Call("jobs/results", answer(JobResults), {"job": job})
