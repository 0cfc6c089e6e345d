"""`saliscope unload`."""

from __future__ import annotations

import click

from saliscope.cli.session import session


@click.command("unload")
@click.argument("model", metavar="MODEL")
def command(model: str) -> None:
    """Free MODEL as soon as nobody uses it, and say what that gave back."""
    from saliscope.cli.status import size

    with session(start=False) as opened:
        opened.spinner.say(f"waiting until nobody uses {model}")
        gone = opened.client.unload_model(model)
    if not gone.unloaded:
        click.echo(f"{model} was not loaded")
        return
    freed = ", ".join(f"{size(count)} of {name}" for name, count in gone.freed.items() if count)
    click.echo(f"unloaded {model}" + (f", {freed} given back" if freed else ""))
