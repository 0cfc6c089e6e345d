"""`saliscope explain`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from saliscope.cli import options
from saliscope.cli.session import Session, session, with_download
from saliscope.cli.workspace import filled
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.targets import FORMS, read_target

if TYPE_CHECKING:
    from saliscope.protocol.explanation import Explanation


class Asked(NamedTuple):
    """What the command line says about every method."""

    text: str | None
    options: dict[str, Any]
    download: bool


@click.command("explain")
@click.argument("text", required=False)
@options.model
@options.methods
@click.option(
    "-t",
    "--target",
    metavar="LABEL|KIND[:…]",
    help=f"The class to explain (name or index; default: the predicted one), or {', '.join(FORMS)}.",
)
@options.scale
@options.granularity
@click.option("--pair", metavar="TEXT", help="A second text, for models that read two.")
@click.option(
    "--messages", "messages_file", metavar="FILE", help="A chat instead of TEXT: JSON, [{role, content}] (`-`: stdin)."
)
@click.option(
    "--windows",
    type=click.Choice(["cut", "stitch"]),
    default="cut",
    show_default=True,
    help="A text beyond the model's length: cut it, or explain overlapping windows.",
)
@click.option(
    "-p",
    "--param",
    "params",
    metavar="KEY=VALUE",
    multiple=True,
    help="A parameter of the method; `saliscope methods NAME` lists them.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="For methods that sample."
)
@click.option(
    "-n",
    "--top",
    type=click.IntRange(0),
    default=8,
    show_default=True,
    metavar="N",
    help="How many of the strongest features to list.",
)
@options.run
@options.as_json
@click.option("--html", "html_file", metavar="FILE", help="Write a page of its own (`-`: to stdout).")
@click.option("--svg", "svg_file", metavar="FILE", help="Write a picture (`-`: to stdout).")
@options.no_daemon
@options.download
@click.option(
    "--palette",
    type=click.Choice(["blue-orange", "red-green", "mono"]),
    default="blue-orange",
    show_default=True,
    help="Colours for and against the target.",
)
@options.color
def command(
    text: str | None,
    model: str | None,
    methods: tuple[str, ...],
    target: str | None,
    scale: str | None,
    granularity: str,
    pair: str | None,
    messages_file: str | None,
    windows: str,
    params: tuple[str, ...],
    seed: int,
    top: int,
    priority: str | None,
    max_ms: float | None,
    max_rows: int | None,
    as_json: bool,
    html_file: str | None,
    svg_file: str | None,
    no_daemon: bool,
    download: bool,
    palette: str,
    color: str,
) -> None:
    """Show which tokens of TEXT decided what the model says.

    Without TEXT, or with `-`, the text is read from stdin. Colours of one side support the target, those of the
    other speak against it; the deeper, the more. For a chat from a file the nearest saliscope.toml says what is not
    given.
    """
    if [as_json, html_file == "-", svg_file == "-"].count(True) > 1:
        raise click.UsageError("only one of --json, --html - and --svg - can go to stdout")
    if messages_file is not None and (text is not None or pair is not None):
        raise click.UsageError("--messages stands in place of TEXT and --pair")
    said = filled(messages_file, {"model": model, "method": None, "target": target, "granularity": granularity})
    methods = methods or tuple(filter(None, [said["method"]]))
    fields = {
        "model": said["model"], "target": read_target(said["target"]), "scale": scale,
        "granularity": said["granularity"], "seed": seed, "params": options.read_params(params),
    }  # fmt: skip
    fields |= _only_given(
        pair=pair if pair is None else options.clean(pair),
        messages=None if messages_file is None else options.read_messages(messages_file),
        windows=None if windows == "cut" else windows,
        priority=priority,
        max_ms=max_ms,
        max_rows=max_rows,
    )
    asked = Asked(None if messages_file is not None else options.read_text(text), fields, download)
    with session(private=no_daemon) as opened:
        explanations = [_explain(opened, asked, method) for method in methods or (None,)]
    _export(explanations, html_file, svg_file, palette, top)
    if as_json:
        _print_json(explanations)
    elif "-" not in (html_file, svg_file):
        _print(explanations, palette, color, top)
    _warn(explanations)


def _only_given(**fields: Any) -> dict[str, Any]:
    """What is not asked for is not sent, so that an older daemon has nothing to warn of."""
    return {name: value for name, value in fields.items() if value is not None}


def _explain(opened: Session, asked: Asked, method: str | None) -> Explanation:
    opened.spinner.say(f"explaining with {method}" if method else "explaining")

    def attempt(download: bool) -> Explanation:
        return opened.client.explain(
            asked.text, method=method, download=download, on_progress=opened.on_progress, **asked.options
        )

    return with_download(attempt, asked.options["model"], download=asked.download, spinner=opened.spinner)


def _print_json(explanations: Sequence[Explanation]) -> None:
    from saliscope.cli.shapes import ExplainManyShape, write_json
    from saliscope.cli.shaping import explain_shape

    shapes = [explain_shape(one) for one in explanations]
    write_json(shapes[0] if len(shapes) == 1 else ExplainManyShape(shapes))


def _print(explanations: Sequence[Explanation], palette: str, color: str, top: int) -> None:
    from saliscope.cli.comparison import compare
    from saliscope.cli.explained import show
    from saliscope.cli.terminal import Terminal

    terminal = Terminal.of_stdout(color, palette)
    many = len(explanations) > 1
    lines = compare(explanations, terminal, top) if many else show(explanations[0], terminal, top)
    sys.stdout.write("\n".join(lines) + "\n")


def _export(
    explanations: Sequence[Explanation], html_file: str | None, svg_file: str | None, palette: str, top: int
) -> None:
    """Write the page and the picture that were asked for."""
    if html_file is None and svg_file is None:
        return
    from saliscope.cli.explained import facts_of
    from saliscope.render.explained import panel_of
    from saliscope.render.html import page
    from saliscope.render.palettes import PALETTES
    from saliscope.render.svg import picture

    panels = [panel_of(one, top, facts_of(one)) for one in explanations]
    if html_file is not None:
        _write(html_file, page(panels, PALETTES[palette], title=explanations[0].text[:80]))
    if svg_file is not None:
        _write(svg_file, picture(panels, PALETTES[palette]))


def _write(file: str, content: str) -> None:
    if file == "-":
        sys.stdout.write(content)
        return
    try:
        Path(file).write_text(content, encoding="utf-8")
    except OSError as error:
        raise SaliscopeError("bad_request", f"cannot write {file}: {error.strerror}") from error
    click.echo(f"wrote {file}", err=True)


def _warn(explanations: Sequence[Explanation]) -> None:
    """Say each warning once."""
    for warning in dict.fromkeys(warning for one in explanations for warning in _warnings(one)):
        click.echo(f"warning: {warning}", err=True)


def _warnings(explanation: Explanation) -> list[str]:
    """The result's own, and that it was cut if nothing was said."""
    cut = explanation.truncated_at
    if cut is None or explanation.warnings:
        return explanation.warnings
    return [f"the model reads {cut} of {len(explanation.text)} characters"]
