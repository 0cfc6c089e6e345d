"""Data-set jobs for people: how one is, in a line, and waiting for its end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click

from saliscope.cli.status import duration
from saliscope.protocol.errors import SaliscopeError

if TYPE_CHECKING:
    from saliscope.cli.spinner import Spinner
    from saliscope.protocol.client import Client
    from saliscope.protocol.jobs import Job

_EVERY_S: Final = 0.2


def wait(client: Client, job: Job, spinner: Spinner) -> Job:
    """The job when it is done; one that pauses or fails is raised with its reason. Ctrl-C leaves it alone."""
    try:
        while job.state == "running":
            spinner.progress(job.stage or "starting", job.done, job.total or 0, progress(job))
            time.sleep(_EVERY_S)
            job = client.job_status(job.job)
    except KeyboardInterrupt:
        spinner.stop()
        click.echo(
            f"job {job.job} goes on: `saliscope jobs status {job.job}` shows how it is, "
            f"`saliscope jobs pause {job.job}` stops it",
            err=True,
        )
        raise
    if job.state == "done":
        return job
    raise ending(job)


def ending(job: Job) -> SaliscopeError:
    """Why a job that has ended is not done."""
    rows = f"{job.done:,} of {job.total:,} rows are kept" if job.total is not None else "nothing was computed yet"
    resume = f"`saliscope jobs resume {job.job}` goes on"
    if job.state == "paused" and job.reason == "as asked":
        return SaliscopeError("cancelled", f"job {job.job} was paused; {rows}; {resume}")
    if job.state == "paused":
        return SaliscopeError("unavailable", f"job {job.job} is paused: {job.reason}; {rows}; {resume}")
    if job.state == "cancelled":
        return SaliscopeError("cancelled", f"job {job.job} was cancelled")
    return SaliscopeError("bad_request", f"job {job.job} has failed: {job.reason}")


def progress(job: Job) -> str:
    """Rows done of all, how fast, and how long the rest will take."""
    if job.total is None:
        return ""
    said = [f"{job.done:,} of {job.total:,} rows"]
    if job.failed:
        said.append(f"{job.failed:,} failed")
    if job.rows_per_s:
        said.append(f"{job.rows_per_s:,.0f} rows/s" if job.rows_per_s >= 10 else f"{job.rows_per_s:.2g} rows/s")
    if job.eta_s is not None:
        said.append(f"{duration(job.eta_s)} left")
    return ", ".join(said)


def tell(job: Job, *, as_json: bool) -> None:
    """Print how one job is."""
    if as_json:
        from saliscope.cli.shapes import write_json

        write_json(job)
        return
    rows = [
        ("job", job.job),
        ("state", f"{job.state}{f', {job.stage}' if job.stage else ''}"),
        ("reason", job.reason),
        ("rows", progress(job)),
        ("data", job.data),
        ("out", job.out),
        ("model", job.model or ""),
        ("method", job.method or ""),
        ("engine", job.engine),
        ("restarts", str(job.restarts or "")),
    ]
    click.echo("\n".join(f"{name:<8}  {value}" for name, value in rows if value))
