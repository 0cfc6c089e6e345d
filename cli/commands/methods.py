"""`saliscope methods [NAME]`."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from saliscope.cli import options
from saliscope.cli.session import session
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.ranges import properties, range_of
from saliscope.protocol.results import MethodInfo

if TYPE_CHECKING:
    from saliscope.cli.terminal import Terminal


@click.command("methods")
@click.argument("name", required=False, shell_complete=options.complete_methods)
@options.as_json
@options.no_daemon
@options.color
def command(name: str | None, as_json: bool, no_daemon: bool, color: str) -> None:
    """List explanation methods; with NAME, describe one and its parameters."""
    with session(private=no_daemon) as opened:
        found = opened.client.methods()
    if name is not None:
        found = [_find(name, found)]
    if as_json:
        from saliscope.cli.shapes import MethodsShape, write_json

        write_json(MethodsShape(found))
        return
    from saliscope.cli.terminal import Terminal

    terminal = Terminal.of_stdout(color)
    lines = _describe(found[0], terminal) if name is not None else _list(found, terminal)
    click.echo("\n".join(lines), color=True)


def _find(name: str, methods: list[MethodInfo]) -> MethodInfo:
    names = [method.name for method in methods]
    if name in names:
        return methods[names.index(name)]
    close = get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
    raise SaliscopeError("unknown_method", f"no method {name!r}; {hint}", {"known": names})


def _list(methods: list[MethodInfo], terminal: Terminal) -> list[str]:
    from saliscope.cli.tables import columns

    rows = [[method.name, method.cost, method.summary] for method in methods]
    if terminal.columns < 90:
        rows = [[name, summary] for name, _, summary in rows]
    return columns(rows, terminal.columns)


def _describe(method: MethodInfo, terminal: Terminal) -> list[str]:
    from saliscope.cli.tables import columns, wrapped

    lines = [terminal.strong(method.name), *wrapped(method.summary, terminal.columns), ""]
    facts = [
        ("needs", ", ".join(method.needs)),
        ("targets", ", ".join(method.targets)),
        ("cost", method.cost),
        ("scores", "signed" if method.signed else "magnitudes"),
        ("sum", "to value - reference" if method.additive else ""),
        ("source", method.source),
        ("formula", method.formula),
        ("reading", method.reading),
    ]
    for name, fact in facts:
        if fact:
            head, *rest = wrapped(fact, terminal.columns - 9) or [""]
            lines += [f"{terminal.quiet(f'{name:<8}')} {head}", *(" " * 9 + line for line in rest)]
    parameters = properties(method.params)
    if parameters:
        lines += ["", terminal.quiet("parameters (--param name=value)")]
        rows = []
        for name, schema in parameters.items():
            default = method.defaults.get(name, schema.get("default"))
            rows.append([f"  {name}", json.dumps(default, ensure_ascii=False), range_of(schema)])
        lines += columns(rows, terminal.columns)
        for name, schema in parameters.items():
            if schema.get("description"):
                lines += [
                    f"  {line}" for line in wrapped(f"{name}: {schema['description']}", terminal.columns - 2, "  ")
                ]
    if method.presets:
        lines += ["", terminal.quiet("presets (--param preset=NAME; what is given besides wins)")]
        rows = [[f"  {name}", _settings(values)] for name, values in method.presets.items()]
        lines += columns(rows, terminal.columns)
    for caveat in method.caveats:
        lines += ["", *wrapped(f"Mind: {caveat}", terminal.columns, "  ")]
    return lines


def _settings(values: dict[str, Any]) -> str:
    return " ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
