"""`saliscope generate`."""

from __future__ import annotations

from typing import Any

import click

from saliscope.cli import options
from saliscope.cli.guard import INTERRUPTED
from saliscope.cli.session import session, with_download
from saliscope.protocol.results import Generated


@click.command("generate")
@click.argument("text", required=False)
@click.option(
    "--messages", "messages_file", metavar="FILE", help="A chat instead of TEXT: JSON, [{role, content}] (`-`: stdin)."
)
@options.model
@click.option("-n", "--max-tokens", type=click.IntRange(1, 512), default=64, show_default=True, metavar="N")
@click.option("--temperature", type=click.FloatRange(0, 100), default=0.0, show_default=True, metavar="T",
              help="0: always the likeliest token; else drawn, the flatter the higher.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="For what is drawn.")
@click.option("--top", type=click.IntRange(0, 100), default=0, metavar="K",
              help="Show the K likeliest tokens at each place.")  # fmt: skip
@options.run
@options.as_json
@options.no_daemon
@options.download
@options.color
def command(
    text: str | None,
    messages_file: str | None,
    model: str | None,
    max_tokens: int,
    temperature: float,
    seed: int,
    top: int,
    priority: str | None,
    max_ms: float | None,
    max_rows: int | None,
    as_json: bool,
    no_daemon: bool,
    download: bool,
    color: str,
) -> int:
    """Show what a causal language model writes behind TEXT, or answers to a chat.

    TEXT is read from stdin if it is left out or `-`. Ctrl-C ends the writing and shows what was written until then.
    """
    if messages_file is not None and text is not None:
        raise click.UsageError("--messages stands in place of TEXT")
    asked: dict[str, Any] = {"model": model, "max_tokens": max_tokens, "temperature": temperature, "seed": seed,
                             "top": top, "priority": priority, "max_ms": max_ms, "max_rows": max_rows}  # fmt: skip
    asked = {name: value for name, value in asked.items() if value is not None}
    if messages_file is not None:
        asked["messages"] = options.read_messages(messages_file)
    else:
        text = options.read_text(text)
    heard: list[Generated] = []
    status = 0
    try:
        with session(private=no_daemon) as opened:
            opened.spinner.say("writing")

            def listen(written: Generated) -> None:
                opened.spinner.progress("writing", len(written.tokens), max_tokens, "")
                heard[:] = [written]

            answer = with_download(
                lambda download: opened.client.generate(
                    text, download=download, on_written=listen, on_progress=opened.on_progress, **asked
                ),
                model,
                download=download,
                spinner=opened.spinner,
            )
    except KeyboardInterrupt:
        if not heard:
            raise
        answer, status = heard[0], INTERRUPTED
    if as_json:
        from saliscope.cli.shapes import write_json

        write_json(answer)
    else:
        _print(answer, color)
    for warning in answer.warnings:
        click.echo(f"warning: {warning}", err=True)
    return status


def _print(answer: Generated, color: str) -> None:
    """The text, and below it the likeliest tokens of each place."""
    from saliscope.cli.tables import columns
    from saliscope.cli.terminal import Terminal
    from saliscope.render.bars import percent
    from saliscope.render.text import one_line, visible

    terminal = Terminal.of_stdout(color)
    click.echo(visible(answer.text))
    if any(token.likely for token in answer.tokens):
        rows = [
            [one_line(answer.text[token.start : token.end]), percent(token.probability),
             "  ".join(f"{one_line(text)} {percent(share).strip()}" for text, share in token.likely.items())]
            for token in answer.tokens
        ]  # fmt: skip
        click.echo("\n".join(columns(rows, terminal.columns, right=frozenset({1}))), color=True)
    ends = {"end": "the model ended it", "length": "as long as was asked for", "": "it ended early"}
    click.echo(terminal.quiet(f"{answer.model} · {len(answer.tokens)} tokens · {ends[answer.finish]}"), color=True)
