"""`saliscope completion bash|zsh|fish`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from saliscope.cli.guard import COMPLETE

HOW = {
    "bash": "saliscope completion bash > ~/.local/share/bash-completion/completions/saliscope",
    "zsh": "saliscope completion zsh > ~/.zfunc/_saliscope   (a folder of $fpath)",
    "fish": "saliscope completion fish > ~/.config/fish/completions/saliscope.fish",
}


@click.command("completion", epilog="\b\nInstall:\n" + "\n".join(f"  {line}" for line in HOW.values()))
@click.argument("shell", type=click.Choice(list(HOW)))
def command(shell: str) -> None:
    """Print the script that lets SHELL complete commands, options, models and methods."""
    kind = get_completion_class(shell)
    assert kind is not None
    completion = kind(click.Command("saliscope"), {}, "saliscope", COMPLETE)
    click.echo(completion.source_template % completion.source_vars())
