"""`saliscope jobs list|status|wait|pause|resume|cancel|results`."""

from __future__ import annotations

import os

import click

from saliscope.cli import options
from saliscope.cli.session import session


@click.group("jobs")
def command() -> None:
    """Look at data-set jobs; pause, resume and cancel them. `saliscope dataset explain` begins one."""


@command.command("list")
@options.as_json
def list_(as_json: bool) -> None:
    """List the jobs, newest first, also those that ended."""
    from saliscope.cli.jobs import progress
    from saliscope.cli.tables import columns
    from saliscope.cli.terminal import Terminal
    from saliscope.protocol.jobs import Jobs

    with session() as opened:
        found = opened.client.list_jobs()
    if as_json:
        from saliscope.cli.shapes import write_json

        write_json(Jobs(found))
    elif not found:
        click.echo("no jobs; `saliscope dataset explain` begins one")
    else:
        rows = [("job", "state", "rows", "out"), *((one.job, one.state, progress(one), one.out) for one in found)]
        click.echo("\n".join(columns(rows, Terminal.of_stdout().columns)))


@command.command("status")
@click.argument("job")
@options.as_json
def status(job: str, as_json: bool) -> None:
    """Show how a job is."""
    from saliscope.cli.jobs import tell

    with session() as opened:
        found = opened.client.job_status(job)
    tell(found, as_json=as_json)


@command.command("wait")
@click.argument("job")
def wait(job: str) -> None:
    """Wait until a job is done; fails with the reason if it pauses or fails."""
    from saliscope.cli.jobs import wait

    with session() as opened:
        done = wait(opened.client, opened.client.job_status(job), opened.spinner)
    click.echo(f"job {done.job} is done: {os.path.relpath(done.out)}")


@command.command("pause")
@click.argument("job")
@options.as_json
def pause(job: str, as_json: bool) -> None:
    """Stop a job; what was found is kept."""
    from saliscope.cli.jobs import tell

    with session() as opened:
        found = opened.client.pause_job(job)
    tell(found, as_json=as_json)


@command.command("resume")
@click.argument("job")
@options.as_json
def resume(job: str, as_json: bool) -> None:
    """Go on with a job that is paused, or has failed."""
    from saliscope.cli.jobs import tell

    with session() as opened:
        found = opened.client.resume_job(job)
    tell(found, as_json=as_json)


@command.command("cancel")
@click.argument("job")
@options.as_json
def cancel(job: str, as_json: bool) -> None:
    """End a job and remove what it has found."""
    from saliscope.cli.jobs import tell

    with session() as opened:
        found = opened.client.cancel_job(job)
    tell(found, as_json=as_json)


@command.command("results")
@click.argument("job")
@options.as_json
@options.color
def results(job: str, as_json: bool, color: str) -> None:
    """Show what the rows of a finished job say together."""
    with session() as opened:
        found = opened.client.job_results(job)
    if as_json:
        from saliscope.cli.shapes import write_json

        write_json(found)
        return
    from saliscope.cli.summed import result_lines
    from saliscope.cli.terminal import Terminal

    click.echo("\n".join(result_lines(found, Terminal.of_stdout(color))), color=True)
