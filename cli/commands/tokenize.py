"""`saliscope tokenize`."""

from __future__ import annotations

import click

from saliscope.cli import options
from saliscope.cli.session import session
from saliscope.protocol.results import Tokenized


@click.command("tokenize")
@click.argument("text", required=False)
@options.model
@options.as_json
@options.no_daemon
@options.color
def command(text: str | None, model: str | None, as_json: bool, no_daemon: bool, color: str) -> None:
    """Show the pieces of TEXT that the model sees, with their places.

    Places count code points of the text. Without TEXT, or with `-`, the text is read from stdin.
    """
    asked = options.read_text(text)
    with session(private=no_daemon) as opened:
        opened.spinner.say("tokenizing")
        answer = opened.client.tokenize(asked, model=model, on_progress=opened.on_progress)
    if as_json:
        from saliscope.cli.shapes import write_json
        from saliscope.cli.shaping import tokenize_shape

        write_json(tokenize_shape(asked, answer))
    else:
        _print(answer, color)
    for warning in answer.warnings:
        click.echo(f"warning: {warning}", err=True)


def _print(answer: Tokenized, color: str) -> None:
    from saliscope.cli.tables import columns
    from saliscope.cli.terminal import Terminal
    from saliscope.render.graphemes import cut
    from saliscope.render.text import one_line

    terminal = Terminal.of_stdout(color)
    rows = []
    for token in answer.tokens:
        name, place = cut(one_line(token.text), 40), f"{token.start}:{token.end}"
        cells = [place, name, " ".join(map(str, token.ids))]
        rows.append(
            [terminal.quiet(cell) for cell in (cells[0], f"{name} (special)", cells[2])] if token.special else cells
        )
    room = f" of at most {answer.max_tokens}" if answer.max_tokens else ""
    lines = columns(rows, terminal.columns)
    lines.append(terminal.quiet(f"{len(answer.tokens)} tokens{room}, {answer.model}"))
    if answer.truncated_at is not None:
        lines.append(terminal.quiet(f"text from character {answer.truncated_at} on is not read"))
    click.echo("\n".join(lines), color=True)
