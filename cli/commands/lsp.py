"""`saliscope lsp`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("lsp")
@click.option("--log", "log_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Where the log goes; default: stderr, which most editors show.")  # fmt: skip
@click.option("--verbose", is_flag=True, help="Log more than warnings; never texts.")
@click.option("--stdio", is_flag=True, help="Ignored: there is no other way, but some editors insist on saying it.")
def command(log_file: Path | None, verbose: bool, stdio: bool) -> int:
    """Serve an editor: the Language Server Protocol on stdin and stdout.

    An editor starts this; docs/editors.md says how, for each.
    """
    from saliscope.lsp.run import run

    return run(log_file, verbose=verbose)
