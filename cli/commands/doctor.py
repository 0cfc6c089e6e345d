"""`saliscope doctor`."""

from __future__ import annotations

import click

from saliscope.cli import options
from saliscope.cli.checks import run_all
from saliscope.cli.shapes import CheckShape, DoctorShape, write_json


@click.command("doctor")
@options.as_json
@options.color
def command(as_json: bool, color: str) -> int:
    """Check the installation: versions, folders, socket, daemon, device, hub.

    Exit status 1 if a check fails. Starts nothing and asks no network.
    """
    checks = list(run_all())
    healthy = all(check.state != "fail" for check in checks)
    if as_json:
        write_json(DoctorShape(healthy, checks))
    else:
        click.echo("\n".join(_lines(checks, color)), color=True)
    return 0 if healthy else 1


def _lines(checks: list[CheckShape], color: str) -> list[str]:
    from saliscope.cli.tables import wrapped
    from saliscope.cli.terminal import Terminal
    from saliscope.render.text import visible

    terminal = Terminal.of_stdout(color)
    tints = {"ok": "32", "warn": "33", "fail": "1;31"}
    room = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        head, *rest = wrapped(visible(check.detail), terminal.columns - room - 8) or [""]
        lines.append(f"{terminal.tinted(f'{check.state:<4}', tints[check.state])}  {check.name:<{room}}  {head}")
        if check.advice:
            rest += wrapped(f"→ {visible(check.advice)}", terminal.columns - room - 8, "  ")
        lines += [" " * (room + 8) + line for line in rest]
    problems = sum(check.state != "ok" for check in checks)
    return [*lines, "", "all is well" if not problems else f"{problems} to look at, see →"]
