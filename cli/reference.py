"""Writes docs/cli.md from commands, `--json` shapes and error table: `python -m saliscope.cli.reference`."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Sequence
from inspect import cleandoc
from typing import Any, Final, Literal

import click
from msgspec import Struct

from saliscope.cli.app import COMMANDS, EXAMPLES, app
from saliscope.cli.guard import BROKEN_PIPE, INTERRUPTED
from saliscope.cli.shapes import SHAPES
from saliscope.protocol.errors import ERRORS

_HEAD: Final = """\
# The command line

<!-- Made by `python -m saliscope.cli.reference`; a test compares. -->

`saliscope` is a client: it asks the daemon, and starts it if none runs. Results go to stdout; progress, warnings
and errors go to stderr. A spinner shows only on a terminal, colours only there or with `--color always`.
"""

_ENVIRONMENT: Final = (
    ("NO_COLOR", "No colours: bold supports the target, underlined speaks against it."),
    ("FORCE_COLOR", "Colours also where stdout is no terminal."),
    ("COLORTERM, TERM", "`truecolor` or `24bit`; `256` in the name of the terminal; else 16 colours."),
    ("SALISCOPE_THEME", "`light` or `dark` ground of the terminal (default: what COLORFGBG says, else dark)."),
    ("SALISCOPE_RUNTIME_DIR", "Folder of the socket (default: `saliscope` in XDG_RUNTIME_DIR, else in the cache)."),
    ("SALISCOPE_CACHE_DIR", "Folder of the log, the token, kept results, the states of jobs and the kept catalogue."),
    ("SALISCOPE_DAEMON_OPTIONS", "Options of every daemon started here, as for `saliscope daemon start`."),
    ("SALISCOPE_CONNECT", "`tcp://HOST:PORT` of a daemon on TCP; as `--connect`."),
    ("SALISCOPE_TOKEN", "Its token (default: the one in this user's cache folder)."),
    (
        "SALISCOPE_KEEP_ALIVE",
        "How long an unused model stays: 300 (default), 5m, 2h; 0 not at all, -1 for ever.",
    ),
    ("SALISCOPE_MEMORY", "Memory that the worker may use: a share (default 0.8 of what is free) or a size (12GiB)."),
    ("SALISCOPE_GPU_MEMORY", "The same of each GPU (default 0.9 of it)."),
    ("SALISCOPE_SELF_CHECK", "`0`: models are not checked when they are loaded."),
    ("HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE", "Where models of the hub lie, and whether they may be fetched."),
)

_JSON_HEAD: Final = """\
## JSON

With `--json` a command prints one object. Numbers that are not finite are `null`; more keys may come, none go.
`tokens[].score` is the score of the feature that holds the token. Places count code points of `text`.
"""


def document() -> str:
    """The whole page."""
    parts = [_HEAD, *_commands(), _environment(), _JSON_HEAD, *_shapes(), _statuses()]
    return "\n".join(parts).rstrip() + "\n"


def _commands() -> Iterator[str]:
    examples = "\n".join(line for line in EXAMPLES.replace("\b", "").splitlines() if line.startswith("  "))
    yield f"```\n{examples}\n```\n"
    root = click.Context(app, info_name="saliscope")
    for name in COMMANDS:
        command = app.get_command(root, name)
        assert command is not None
        yield from _command(command, click.Context(command, info_name=name, parent=root), "##")


def _command(command: click.Command, ctx: click.Context, level: str) -> Iterator[str]:
    usage = " ".join(command.collect_usage_pieces(ctx))
    yield f"{level} {ctx.command_path}\n\n```\n{ctx.command_path} {usage}\n```\n\n{_prose(command.help)}\n"
    rows = [option.get_help_record(ctx) for option in command.params if isinstance(option, click.Option)]
    found = [(f"`{row[0]}`".replace("|", "\\|"), row[1]) for row in rows if row is not None]
    if found:
        yield _table(("option", "meaning"), found)
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            below = command.get_command(ctx, name)
            assert below is not None
            yield from _command(below, click.Context(below, info_name=name, parent=ctx), level + "#")


def _prose(text: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").split("\n\n"))


def _environment() -> str:
    return "## Environment\n\n" + _table(("variable", "meaning"), [(f"`{name}`", text) for name, text in _ENVIRONMENT])


def _shapes() -> Iterator[str]:
    for command, shapes in SHAPES.items():
        yield f"### {command.capitalize() if command.startswith('any ') else f'saliscope {command} --json'}\n"
        for shape in shapes:
            yield f"{cleandoc(shape.__doc__ or '')}\n\n```\n{_type(shape, 0)}\n```\n"


def _statuses() -> str:
    rows = [("0", "", "It worked; `status` also if no daemon runs."), ("1", "", "`doctor` found something that fails.")]
    rows += [(str(status), f"`{code}`", advice) for code, (status, advice) in ERRORS.items()]
    rows += [(str(INTERRUPTED), "", "Ctrl-C; the request was cancelled."),
             (str(BROKEN_PIPE), "", "Whoever read the output left before its end.")]  # fmt: skip
    head = "## Exit statuses\n\nMistakes on the command line are `bad_request` too.\n\n"
    return head + _table(("status", "code", "what to do"), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _type(kind: Any, depth: int) -> str:
    """A type as JSON people read it; structs with their fields."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(_type(part, depth) for part in arguments)
    if origin is Literal:
        return " | ".join(f'"{value}"' for value in arguments)
    if origin is list:
        return f"[{_type(arguments[0], depth)}, …]"
    if origin is dict:
        return f"{{name: {_type(arguments[1], depth)}, …}}"
    if origin is typing.Annotated:
        return _type(arguments[0], depth)
    if isinstance(kind, type) and issubclass(kind, Struct):
        inner = "  " * (depth + 1)
        hints = typing.get_type_hints(kind)
        fields = [f'{inner}"{name}": {_type(hints[name], depth + 1)}' for name in kind.__struct_fields__]
        return "{\n" + ",\n".join(fields) + "\n" + "  " * depth + "}"
    names = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
    return names.get(kind, "any")


if __name__ == "__main__":
    from pathlib import Path

    page = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
    page.write_text(document(), encoding="utf-8")
    print(f"wrote {page}")
