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


def _about_one(name: str, verb: str, summary: str) -> None:
    """A command that asks `verb` about one job and shows how it is then."""

    @command.command(name, help=summary)
    @click.argument("job")
    @options.as_json
    def run(job: str, as_json: bool) -> None:
        from saliscope.cli.jobs import tell

        with session() as opened:
            found = getattr(opened.client, verb)(job)
        tell(found, as_json=as_json)


_about_one("status", "job_status", "Show how a job is.")


@command.command("wait")
@click.argument("job")
def wait(job: str) -> None:
    """Wait until a job is done; fails with the reason if it pauses or fails."""
    from saliscope.cli.jobs import wait

    with session() as opened:
        done = wait(opened.client, opened.client.job_status(job), opened.spinner)
    click.echo(f"job {done.job} is done: {os.path.relpath(done.out)}")


_about_one("pause", "pause_job", "Stop a job; what was found is kept.")
_about_one("resume", "resume_job", "Go on with a job that is paused, or has failed.")
_about_one("cancel", "cancel_job", "End a job and remove what it has found.")


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
