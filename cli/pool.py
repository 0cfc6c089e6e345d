"""Models as lines of a table: what they are, and what they take."""

from __future__ import annotations

import click

from saliscope.protocol.results import ModelInfo

_TINTS = {"ready": "32", "loading": "33", "draining": "33"}


def show_models(models: list[ModelInfo], *, as_json: bool, color: str = "auto") -> None:
    """Print models with what is known of them, or as JSON."""
    if as_json:
        from saliscope.cli.shapes import ModelsShape, write_json

        write_json(ModelsShape(models))
        return
    from saliscope.cli.status import size
    from saliscope.cli.tables import columns
    from saliscope.cli.terminal import Terminal
    from saliscope.render.text import one_line, visible

    terminal = Terminal.of_stdout(color)
    rows = []
    for model in models:
        labels = ", ".join(model.labels[:4]) + (f", … ({len(model.labels)})" if len(model.labels) > 4 else "")
        room = f"{model.max_tokens} tokens" if model.max_tokens else ""
        facts = [model.kind, labels, room, size(model.num_bytes) if model.num_bytes else "", model.device]
        state = terminal.tinted(model.state, _TINTS.get(model.state, ""))
        rows.append([one_line(model.name), state, visible(", ".join(fact for fact in facts if fact) or model.source)])
    click.echo("\n".join(columns(rows, terminal.columns)) if rows else "no models", color=True)
