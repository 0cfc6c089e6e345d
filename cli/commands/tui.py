"""`saliscope tui [FILE]`, and `saliscope` alone on a terminal."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from saliscope.cli import options
from saliscope.cli.terminal import is_tty
from saliscope.protocol.errors import SaliscopeError


@click.command("tui")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@options.model
@click.option(
    "-m",
    "--method",
    metavar="NAME",
    shell_complete=options.complete_methods,
    help="An explanation method (default: what fits the model).",
)
@click.option("-t", "--target", metavar="LABEL|KIND[:…]", help="What is explained, as for `saliscope explain`.")
@options.granularity
@click.option(
    "--palette",
    type=click.Choice(["blue-orange", "red-green", "mono"]),
    help="Colours for and against the target (default: those of the last time).",
)
@click.option("--table", is_flag=True, help="Open FILE in the table, however short it is.")
@click.option("--text-field", metavar="NAME", help="The field of the texts of a table.")
@click.option("--pair-field", metavar="NAME", help="The field of second texts, where they are pairs.")
@click.option("--label-field", metavar="NAME", help="The field of the labels.")
def command(
    file: Path | None,
    model: str | None,
    method: str | None,
    target: str | None,
    granularity: str,
    palette: str | None,
    table: bool,
    text_field: str | None,
    label_field: str | None,
    pair_field: str | None,
) -> int:
    """Open the terminal UI: a text in colours that change while you type.

    FILE is edited in place (Ctrl+s writes it). Without it the text of the last time is there again. A file of more than
    1,000 rows (.jsonl, .csv, .tsv, .txt), and Parquet, opens in a table.
    """
    if not (is_tty(sys.stdin) and is_tty(sys.stdout)):
        raise click.UsageError("the terminal UI needs a terminal; `saliscope explain` writes to files and pipes")
    if table and file is None:
        raise click.UsageError("--table needs a FILE of rows")
    fields = (text_field, label_field, pair_field)
    return start(file, model=model, method=method, target=target, granularity=granularity, palette=palette,
                 table=table, fields=fields)  # fmt: skip


def start(
    file: Path | None = None,
    *,
    model: str | None = None,
    method: str | None = None,
    target: str | None = None,
    granularity: str = "token",
    palette: str | None = None,
    table: bool = False,
    fields: tuple[str | None, str | None, str | None] = (None, None, None),
) -> int:
    """Run the terminal UI; what is named here is explained so, the rest is as the last time or the daemon's choice."""
    from msgspec.structs import replace

    from saliscope.protocol.targets import read_target
    from saliscope.sources import Fields
    from saliscope.sources.seeking import open_seekable
    from saliscope.tui import files, store
    from saliscope.tui.app import TuiApp
    from saliscope.tui.choices import Choices

    read_target(target)
    if file is not None:
        # What cannot be opened is said here, before the screen is taken.
        table = table or files.is_for_table(file)
        if table:
            open_seekable(file).close()
        else:
            files.read_file(file)
    notes: list[str] = []
    kept = store.load(notes.append)
    named = Choices(model=model, method=method, target=target, granularity=granularity)
    if file is None and named != Choices():
        kept.choices = replace(named, format=kept.choices.format)
    if palette is not None:
        kept.palette = palette
    # How a file is explained is not how the text of the next time is.
    choices = None if file is None else named
    app = TuiApp(kept, file=file, in_table=table, fields=Fields(*fields), choices=choices, notes=notes)
    app.run()
    if app.return_code:
        raise SaliscopeError("internal", "the terminal UI ended with an error")
    return 0
