"""`saliscope status`."""

from __future__ import annotations

import click

from saliscope.cli import options
from saliscope.cli.status import report


@click.command("status")
@options.as_json
def command(as_json: bool) -> int:
    """Show how the daemon is: models, requests, memory.

    Never starts it; that none runs is no error.
    """
    return report(as_json=as_json)
