"""`saliscope daemon start|stop|restart|status|logs|run|install-units`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from saliscope import protocol
from saliscope.cli import options
from saliscope.cli.following import follow, print_tail
from saliscope.cli.session import session
from saliscope.cli.spinner import Spinner
from saliscope.cli.status import ask, duration, report
from saliscope.protocol import paths, processes, startup
from saliscope.protocol.address import chosen
from saliscope.protocol.errors import SaliscopeError

F = TypeVar("F", bound=Callable[..., Any])


def startup_options(function: F) -> F:
    """The options of the daemon's own command line."""
    for option in reversed(startup.OPTIONS):
        name, is_choice = f"--{option.name}", "|" in (option.metavar or "")
        kind: Any = click.Choice((option.metavar or "").split("|")) if is_choice else None
        function = click.option(
            name, type=kind, is_flag=option.metavar is None, multiple=option.many,
            metavar=None if is_choice else option.metavar,
            help=option.help + (f"  [default: {option.default}]" if option.default else ""),
        )(function)  # fmt: skip
    return function


@click.group("daemon")
def command() -> None:
    """Start, stop and watch the daemon that keeps models warm.

    Commands that need it start it by themselves, with the options in SALISCOPE_DAEMON_OPTIONS.
    """
    if chosen() is not None:
        raise SaliscopeError("bad_request", "`saliscope daemon` is about this user's own daemon, not one on TCP")


@command.command("start")
@startup_options
def start(**chosen: object) -> None:
    """Start the daemon, unless it runs already."""
    given = startup.arguments(chosen)
    running, _ = ask()
    if running is not None:
        click.echo(f"already running, pid {running['pid']}, up {duration(running['uptime_s'])}")
        if given:
            click.echo("the options were not applied; `saliscope daemon restart` with them does", err=True)
        return
    _start(given)


@command.command("stop")
def stop() -> None:
    """Stop the daemon after the requests in flight."""
    click.echo("stopped" if _stop() else "not running")


@command.command("restart")
@startup_options
def restart(**chosen: object) -> None:
    """Stop the daemon after the requests in flight, and start it with these options."""
    _stop()
    _start(startup.arguments(chosen))


@command.command("run")
@startup_options
def run(**chosen: object) -> None:
    """Run the daemon in the foreground, logging to stderr, until Ctrl-C."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *processes.DAEMON, *startup.arguments(chosen)])


@command.command("status")
@options.as_json
def status(as_json: bool) -> int:
    """The same as `saliscope status`."""
    return report(as_json=as_json)


@command.command("logs")
@click.option("-n", "--lines", type=click.IntRange(1), default=50, show_default=True, help="How many of the last.")
@click.option("-f", "--follow", "goes_on", is_flag=True, help="Go on with what is written next, until Ctrl-C.")
def logs(lines: int, goes_on: bool) -> None:
    """Print the end of the daemon's log."""
    path = paths.log_path()
    click.echo(f"{path}:", err=True)
    if not path.exists():
        click.echo("no log yet; `saliscope daemon start` starts the daemon", err=True)
        if not goes_on:
            return
    at = print_tail(path, lines)
    if goes_on:
        follow(path, at)


@command.command("install-units")
@click.option("--print", "only_print", is_flag=True, help="Print the files instead of writing them.")
@startup_options
def install_units(only_print: bool, **chosen: object) -> None:
    """Write systemd user units that start the daemon with these options when a client connects."""
    from saliscope.cli.units import folder, units

    for name, content in units(startup.arguments(chosen)).items():
        if only_print:
            click.echo(f"# {name}\n{content}")
        else:
            path = folder() / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            click.echo(f"wrote {path}")
    if not only_print:
        click.echo("systemctl --user daemon-reload && systemctl --user enable --now saliscope.socket")


def _start(given: list[str]) -> None:
    with session(options=given) as opened:
        found = opened.client.status()
    click.echo(f"started, pid {found.pid}, {found.socket}")
    if found.tcp is not None:
        click.echo(f"on TCP {found.tcp}, for clients that send the token in {Path(paths.token_path())}")


def _stop() -> bool:
    with Spinner("waiting for the requests in flight"):
        return protocol.stop()
