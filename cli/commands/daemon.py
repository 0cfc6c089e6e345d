"""`saliscope daemon start|stop|status|logs`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from saliscope import protocol
from saliscope.cli import options
from saliscope.cli.session import session
from saliscope.cli.spinner import Spinner
from saliscope.cli.status import ask, duration, report
from saliscope.protocol import paths

_FOLLOW_S = 0.25
_TAIL_BYTES = 1 << 18


@click.group("daemon")
def command() -> None:
    """Start, stop and watch the daemon that keeps models warm.

    Commands that need it start it by themselves.
    """


@command.command("start")
def start() -> None:
    """Start the daemon, unless it runs already."""
    running, _ = ask()
    if running is not None:
        click.echo(f"already running, pid {running['pid']}, up {duration(running['uptime_s'])}")
        return
    with session() as opened:
        found = opened.client.status()
    click.echo(f"started, pid {found.pid}, {found.socket}")


@command.command("stop")
def stop() -> None:
    """Stop the daemon after the requests in flight."""
    with Spinner("waiting for the requests in flight"):
        stopped = protocol.stop()
    click.echo("stopped" if stopped else "not running")


@command.command("status")
@options.as_json
def status(as_json: bool) -> int:
    """The same as `saliscope status`."""
    return report(as_json=as_json)


@command.command("logs")
@click.option("-n", "--lines", type=click.IntRange(1), default=50, show_default=True, help="How many of the last.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written next, until Ctrl-C.")
def logs(lines: int, follow: bool) -> None:
    """Print the end of the daemon's log."""
    path = paths.log_path()
    click.echo(f"{path}:", err=True)
    if not path.exists():
        click.echo("no log yet; `saliscope daemon start` starts the daemon", err=True)
        if not follow:
            return
    at = _print_tail(path, lines)
    if follow:
        _follow(path, at)


def _print_tail(path: Path, lines: int) -> int:
    """Print the last lines; where the file ends."""
    if not path.exists():
        return 0
    with open(path, "rb") as log:
        end = log.seek(0, 2)
        log.seek(max(0, end - _TAIL_BYTES))
        text = log.read().decode(errors="replace")
    sys.stdout.write("".join(line + "\n" for line in text.splitlines()[-lines:]))
    sys.stdout.flush()
    return end


def _follow(path: Path, at: int) -> None:
    """Print what is added from `at` on; start anew where the file was replaced by a shorter one."""
    import time

    while True:
        size = path.stat().st_size if path.exists() else 0
        if size < at:
            at = 0
        if size > at:
            with open(path, "rb") as log:
                log.seek(at)
                data = log.read()
            at += len(data)
            sys.stdout.write(data.decode(errors="replace"))
            sys.stdout.flush()
        time.sleep(_FOLLOW_S)
