"""`saliscope diff`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saliscope.cli import options
from saliscope.cli.session import session
from saliscope.cli.workspace import filled
from saliscope.protocol.errors import SaliscopeError
from saliscope.protocol.targets import read_target

if TYPE_CHECKING:
    from saliscope.cli.contrast import Contrast


@click.command("diff")
@click.argument("a")
@click.argument("b")
@click.option("--data", metavar="FILE|HUB-ID", help="The texts, for two models or two prompts.")
@options.model
@click.option("-m", "--method", metavar="NAME", shell_complete=options.complete_methods, help="An explanation method.")
@click.option("--target", metavar="TARGET", help="What is explained on both sides, as for `explain`.")
@click.option("--param", "params", metavar="KEY=VALUE", multiple=True, help="A parameter of the method; repeatable.")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True, metavar="N", help="Only N texts.")
@click.option("--split", metavar="NAME", help="Which part of a data set of the hub (default: test).")
@click.option("--text-field", metavar="NAME", help="The field of the texts.")
@click.option("--html", "html_file", metavar="FILE", help="Write a page with the rows that changed most.")
@options.as_json
@options.color
def command(
    a: str,
    b: str,
    data: str | None,
    model: str | None,
    method: str | None,
    target: str | None,
    params: tuple[str, ...],
    limit: int,
    split: str | None,
    text_field: str | None,
    html_file: str | None,
    as_json: bool,
    color: str,
) -> None:
    """Show what changes between A and B over the same texts: predictions, and which words decide.

    A and B are two outputs of `saliscope dataset explain`, two models, or two prompts with {text} where the text goes
    (both for --model); models and prompts need --data, and what is not given is as the saliscope.toml nearest to that
    file says.
    """
    if data is None:
        found = _outputs(a, b)
    else:
        said = filled(data, {"model": model, "method": method, "target": target, "text_field": text_field})
        asked = {"method": said["method"], "target": read_target(said["target"]), "params": options.read_params(params)}
        texts = _texts(data, split, said["text_field"], limit)
        found = _asked(a, b, said["model"], texts, {name: value for name, value in asked.items() if value})
    if html_file is not None:
        from saliscope.cli.contrasted import contrast_page

        try:
            Path(html_file).write_text(contrast_page(found), encoding="utf-8")
        except OSError as error:
            raise SaliscopeError("bad_request", f"cannot write {html_file}: {error.strerror}") from error
        click.echo(f"wrote {html_file}", err=True)
    if as_json:
        from saliscope.cli.shapes import write_json

        write_json(found)
        return
    from saliscope.cli.contrasted import contrast_lines
    from saliscope.cli.terminal import Terminal

    click.echo("\n".join(contrast_lines(found, Terminal.of_stdout(color))), color=True)


def _outputs(a: str, b: str) -> Contrast:
    """Two outputs, row by row, in little memory."""
    from itertools import zip_longest

    from saliscope.cli.contrast import Contrasting
    from saliscope.cli.readings import is_output, output_rows

    for name in (a, b):
        if not is_output(name):
            raise SaliscopeError("bad_request", f"{name} is no output of a job; models and prompts need --data")
    contrasting = Contrasting(a, b)
    for ours, theirs in zip_longest(output_rows(a), output_rows(b)):
        if ours is None or theirs is None or ours[0] != theirs[0]:
            raise SaliscopeError("bad_request", f"{a} and {b} have not the same rows; they must be of the same data")
        (row, before), (_, after) = ours, theirs
        if before is None or after is None or before.text != after.text:
            contrasting.skip()
        else:
            contrasting.add(row, before, after)
    return contrasting.result()


def _texts(data: str, split: str | None, field: str | None, limit: int) -> list[str]:
    from saliscope.sources import Fields, read_data

    rows = read_data(data, Fields(text=field), split, limit)
    if any("text" not in row or "pair" in row for row in rows):
        raise SaliscopeError("bad_request", f"data: {data} holds pairs or chats; use --text-field, or two outputs")
    return [row["text"] for row in rows]


def _asked(a: str, b: str, model: str | None, texts: list[str], asked: dict[str, Any]) -> Contrast:
    """Two models, or two prompts, asked now."""
    from saliscope.cli.contrast import Contrasting
    from saliscope.cli.readings import asked_rows, sides_of

    first, second = sides_of(a, b, model)
    contrasting = Contrasting(a, b)
    with session() as opened:
        before = [*asked_rows(opened, first, texts, asked)]
        after = [*asked_rows(opened, second, texts, asked)]
    for row, (ours, theirs) in enumerate(zip(before, after, strict=True)):
        if ours is None or theirs is None:
            contrasting.skip()
        else:
            contrasting.add(row, ours, theirs)
    return contrasting.result()
