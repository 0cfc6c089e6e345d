"""`saliscope ps`."""

from __future__ import annotations

import click

from saliscope.cli import options
from saliscope.cli.status import ask, report_models


@click.command("ps")
@options.as_json
def command(as_json: bool) -> int:
    """Show the models in memory: size, device, who uses them, how long they stay.

    Never starts the daemon.
    """
    status, reason = ask()
    return report_models(status, reason, as_json=as_json)
