"""`saliscope models`, `models load`, `models unload`."""

from __future__ import annotations

import click

from saliscope.cli import options
from saliscope.cli.session import session, with_download
from saliscope.protocol.results import ModelInfo


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
    if as_json:
        from saliscope.cli.shapes import ModelsShape, write_json

        write_json(ModelsShape(found))
    else:
        _print(found, color)


@command.command("load")
@click.argument("name")
@options.download
@options.as_json
def load(name: str, download: bool, as_json: bool) -> None:
    """Load the model NAME now, so that the first explanation does not wait."""
    with session() as opened:
        opened.spinner.say(f"loading {name}")
        found = with_download(
            lambda download: opened.client.load_model(name, download=download, on_progress=opened.on_progress),
            name,
            download=download,
            spinner=opened.spinner,
        )
    if as_json:
        from saliscope.cli.shapes import ModelsShape, write_json

        write_json(ModelsShape([found]))
    else:
        _print([found], "auto")


@command.command("unload")
@click.argument("name")
def unload(name: str) -> None:
    """Free the model NAME."""
    with session(start=False) as opened:
        gone = opened.client.unload_model(name)
    click.echo(f"unloaded {name}" if gone else f"{name} was not loaded")


def _print(models: list[ModelInfo], color: str) -> None:
    from saliscope.cli.status import size
    from saliscope.cli.tables import columns
    from saliscope.cli.terminal import Terminal
    from saliscope.render.text import one_line, visible

    terminal = Terminal.of_stdout(color)
    states = {"ready": "32", "loading": "33"}
    rows = []
    for model in models:
        labels = ", ".join(model.labels[:4]) + (f", … ({len(model.labels)})" if len(model.labels) > 4 else "")
        room = f"{model.max_tokens} tokens" if model.max_tokens else ""
        facts = [model.kind, labels, room, size(model.num_bytes) if model.num_bytes else "", model.device]
        state = terminal.tinted(model.state, states.get(model.state, ""))
        rows.append([one_line(model.name), state, visible(", ".join(fact for fact in facts if fact) or model.source)])
    click.echo("\n".join(columns(rows, terminal.columns)) if rows else "no models", color=True)
