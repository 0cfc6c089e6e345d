"""Options and arguments that several commands share, and how their values are read."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import click
from click.shell_completion import CompletionItem

from saliscope.cli.terminal import is_tty
from saliscope.protocol.errors import SaliscopeError

F = TypeVar("F", bound=Callable[..., Any])


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON (docs/cli.md has the shape).")
no_daemon = click.option("--no-daemon", is_flag=True, help="Use a process of its own that ends with the command.")
download = click.option("--download", is_flag=True, help="Fetch the model from the hub if it is not here.")
scale = click.option(
    "--scale",
    type=click.Choice(["logit", "margin", "logprob", "prob", "loss"]),
    help="What of the target is explained.",
)
color = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="When to colour; auto looks at the terminal and at NO_COLOR.",
)


def run(function: F) -> F:
    """The options `--priority`, `--max-ms` and `--max-rows`."""
    for option in (
        click.option(
            "--max-rows", type=click.IntRange(1), metavar="N",
            help="Let the model read at most N rows; the best estimate so far is shown.",
        ),
        click.option(
            "--max-ms", type=click.FloatRange(0, 86_400_000, min_open=True), metavar="MS",
            help="Wait at most so long; the best estimate so far is shown.",
        ),
        click.option(
            "--priority", type=click.Choice(["interactive", "request", "bulk"]),
            help="Who goes first where several wait (default: request).",
        ),
    ):  # fmt: skip
        function = option(function)
    return function


def rows_of_data(function: F) -> F:
    """The options `--limit`, `--split`, `--text-field`, `--pair-field` and `--label-field`."""
    for option in (
        click.option("--label-field", metavar="NAME", help="The field of the labels."),
        click.option("--pair-field", metavar="NAME", help="The field of second texts, where the data are pairs."),
        click.option("--text-field", metavar="NAME", help="The field of the texts."),
        click.option("--split", metavar="NAME", help="Which part of a data set of the hub (default: test)."),
        click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N rows."),
    ):
        function = option(function)
    return function


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
        return clean(argument)
    if argument is None and is_tty(sys.stdin):
        raise click.UsageError("give a text, or `-` to read it from the terminal until Ctrl-D")
    return _read_stdin().removesuffix("\n").removesuffix("\r")


def read_texts(arguments: tuple[str, ...]) -> list[str]:
    """The texts given as arguments, or each line of stdin that is not blank."""
    if arguments and arguments != ("-",):
        return [clean(argument) for argument in arguments]
    if not arguments and is_tty(sys.stdin):
        raise click.UsageError("give one or more texts, or `-` to read one a line")
    lines = [line for line in _read_stdin().splitlines() if line.strip()]
    if not lines:
        raise SaliscopeError("bad_request", "texts: stdin has no line that is not blank; there is nothing to ask about")
    return lines


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


def read_messages(file: str) -> Any:
    """The messages of a chat from a JSON file, or from stdin for `-`; the daemon checks what they are."""
    try:
        text = _read_stdin() if file == "-" else Path(file).read_text(encoding="utf-8")
        messages = json.loads(text)
    except OSError as error:
        raise SaliscopeError("bad_request", f"messages: cannot read {file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise SaliscopeError("bad_request", f"messages: {file} is no JSON in UTF-8: {error}") from error
    if not isinstance(messages, list):
        raise SaliscopeError("bad_request", 'messages: expected a list, [{"role": "user", "content": "…"}]')
    return messages


class Granularity(click.ParamType):  # type: ignore[type-arg]
    """What gets a score: one of four names, or a pattern of one's own."""

    name = "granularity"
    names = ("token", "word", "sentence", "line")

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """The values, as a choice shows them."""
        return f"[{'|'.join(self.names)}|regex:PATTERN]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The value itself, if it is a name or a pattern."""
        if value not in self.names and (not str(value).startswith("regex:") or value == "regex:"):
            self.fail(f"{value!r} is not one of {', '.join(self.names)}, or regex:PATTERN.", param, ctx)
        return clean(str(value))

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The names, and how a pattern begins."""
        return [CompletionItem(name) for name in (*self.names, "regex:") if name.startswith(incomplete)]


#: The option `--granularity`.
granularity = click.option(
    "-g", "--granularity", type=Granularity(), default="token", show_default=True,
    help="What gets a score: token, word, sentence, line, or each match of regex:PATTERN.",
)  # fmt: skip


class Seconds(click.ParamType):  # type: ignore[type-arg]
    """A time: seconds, or with a unit; anything negative is for ever."""

    name = "time"
    units: ClassVar = {"": 1, "s": 1, "m": 60, "h": 3600}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        found = re.fullmatch(r"(-?\d+(?:\.\d+)?)([smh]?)", str(value))
        if found is None:
            self.fail(f"{value!r} is no time; use 300, 5m, 2h, 0, or -1 for ever.", param, ctx)
        return float(found[1]) * self.units[found[2]]


def clean(text: str) -> str:
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
