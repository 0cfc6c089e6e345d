"""Options and arguments that several commands share, and how their values are read."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from saliscope.cli.terminal import is_tty
from saliscope.protocol.errors import SaliscopeError

F = TypeVar("F", bound=Callable[..., Any])


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md has the shape).")
no_daemon = click.option("--no-daemon", is_flag=True, help="Use a process of its own that ends with the command.")
download = click.option("--download", is_flag=True, help="Fetch the model from the hub if it is not here.")
color = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="When to colour; auto looks at the terminal and at NO_COLOR.",
)


def model(function: F) -> F:
    """The option `--model`, completed with what the running daemon knows."""
    return click.option(
        "-M", "--model", metavar="NAME", shell_complete=_complete_models,
        help="A bundled model, a folder, or a hub id; see `saliscope models`.",
    )(function)  # fmt: skip


def methods(function: F) -> F:
    """The repeatable option `--method`."""
    return click.option(
        "-m", "--method", "methods", metavar="NAME", multiple=True, shell_complete=complete_methods,
        help="An explanation method; repeat it to compare several.",
    )(function)  # fmt: skip


def read_text(argument: str | None) -> str:
    """The text given as an argument, or all of stdin for `-` or for nothing where stdin is no terminal."""
    if argument is not None and argument != "-":
        return _clean(argument)
    if argument is None and is_tty(sys.stdin):
        raise click.UsageError("give a text, or `-` to read it from the terminal until Ctrl-D")
    return _read_stdin().removesuffix("\n").removesuffix("\r")


def read_texts(arguments: tuple[str, ...]) -> list[str]:
    """The texts given as arguments, or each line of stdin that is not blank."""
    if arguments and arguments != ("-",):
        return [_clean(argument) for argument in arguments]
    if not arguments and is_tty(sys.stdin):
        raise click.UsageError("give one or more texts, or `-` to read one a line")
    return [line for line in _read_stdin().splitlines() if line.strip()]


def read_params(pairs: tuple[str, ...]) -> dict[str, Any]:
    """`key=value` pairs as a map; a value is JSON where it parses as such, else a plain string."""
    params: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"{pair!r} is not key=value", param_hint="--param")
        try:
            params[name.strip()] = json.loads(value)
        except ValueError:
            params[name.strip()] = value
    return params


def _clean(text: str) -> str:
    """Bytes of an argument that are not UTF-8 become replacement characters."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _read_stdin() -> str:
    return sys.stdin.buffer.read().decode("utf-8", "replace")


def _complete_models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from saliscope import protocol
    from saliscope.protocol.messages import BUNDLED

    try:
        with protocol.connect(start=False) as client:
            names = [found.name for found in client.models()]
    except SaliscopeError:
        names = list(BUNDLED)
    found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


def complete_methods(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of the running daemon's methods; none without a daemon."""
    from saliscope import protocol

    try:
        with protocol.connect(start=False) as client:
            found = client.methods()
    except SaliscopeError:
        return []
    return [CompletionItem(one.name, help=one.summary) for one in found if one.name.startswith(incomplete)]
