"""`saliscope models`, `models load`, `models unload`."""

from __future__ import annotations

import click

from saliscope.cli import options
from saliscope.cli.commands.load import command as load
from saliscope.cli.commands.unload import command as unload
from saliscope.cli.pool import show_models
from saliscope.cli.session import session


@click.group("models", invoke_without_command=True)
@options.as_json
@options.no_daemon
@options.color
@click.pass_context
def command(ctx: click.Context, as_json: bool, no_daemon: bool, color: str) -> None:
    """List bundled and loaded models; load and unload them.

    Any command takes a folder or a hub id as `--model` too.
    """
    if ctx.invoked_subcommand is not None:
        return
    with session(private=no_daemon) as opened:
        found = opened.client.models()
    show_models(found, as_json=as_json, color=color)


# Under the name that people look for, and beside the list.
command.add_command(load)
command.add_command(unload)
