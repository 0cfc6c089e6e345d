"""`saliscope evaluate`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from saliscope.cli import options
from saliscope.cli.session import session, with_download
from saliscope.protocol.errors import SaliscopeError
from saliscope.sources import Fields, read_data

if TYPE_CHECKING:
    from saliscope.protocol.evaluations import Evaluation

Choice = str | dict[str, Any]


@click.command("evaluate")
@options.model
@click.option(
    "--data",
    metavar="FILE|HUB-ID",
    required=True,
    help="Texts (or pairs, or chats) and labels: .jsonl, .json, .csv, .tsv, .txt, .parquet.",
)
@click.option("--methods", metavar="A,B,…", help="Methods to compare; default: every one that fits.")
@click.option("--metrics", metavar="A,B,…", help="Metrics to measure; default: every one that fits.")
@click.option(
    "-p",
    "--param",
    "params",
    metavar="NAME.KEY=VALUE",
    multiple=True,
    help="A parameter of one of the named --methods or --metrics; repeatable.",
)
@click.option("--out", metavar="DIR", help="Keep records and tables there; the same command goes on where it ended.")
@click.option(
    "--target",
    type=click.Choice(["predicted", "gold"]),
    default="predicted",
    show_default=True,
    help="Which class is explained.",
)
@options.scale
@click.option(
    "-g",
    "--granularity",
    type=click.Choice(["token", "word", "sentence", "line"]),
    default="token",
    show_default=True,
    help="What gets a score.",
)
@options.rows_of_data
@click.option("--scores", metavar="FILE", help='Scores from elsewhere, as JSON: {"name": [[…], …]}, a row a text.')
@click.option("--background", metavar="FILE", help="Texts in which the rarity of tokens is counted.")
@click.option(
    "--interval",
    type=click.Choice(["bootstrap", "normal"]),
    default="bootstrap",
    show_default=True,
    help="How 95 % intervals are made.",
)
@click.option(
    "--cheap",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    metavar="N",
    help="Up to how many passes a text a method counts as cheap; forward, or forward and back, is one.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="For all that samples.")
@options.as_json
@options.no_daemon
@options.download
@options.color
def command(
    model: str | None,
    data: str,
    methods: str | None,
    metrics: str | None,
    params: tuple[str, ...],
    out: str | None,
    limit: int | None,
    split: str | None,
    text_field: str | None,
    pair_field: str | None,
    label_field: str | None,
    scores: str | None,
    background: str | None,
    as_json: bool,
    no_daemon: bool,
    download: bool,
    color: str,
    **asked: Any,
) -> None:
    """Compare explanation methods on a data set, by how faithful they are and what they cost.

    Every method sees the same texts. With --out nothing that was computed is lost: stop with Ctrl-C and run the same
    command again. DIR then holds records.jsonl, table.json and table.csv.
    """
    texts = read_data(data, Fields(text_field, label_field, pair_field), split, limit)
    chosen = _with_params(_names(methods), _names(metrics), options.read_params(params))
    fields: dict[str, Any] = {
        **asked,
        **chosen,
        "model": model,
        "out": out,
        "precomputed": _read_scores(scores),
        "background": _read_background(background),
    }
    with _saying_what_is_kept(out), session(private=no_daemon) as opened:
        opened.spinner.say("evaluating")
        found = with_download(
            lambda download: opened.client.evaluate(texts, download=download, on_progress=opened.on_progress, **fields),
            model,
            download=download,
            spinner=opened.spinner,
        )
    if out is not None:
        _write(Path(os.path.expanduser(out)), found)
    if as_json:
        from saliscope.cli.shapes import write_json

        write_json(found)
    else:
        _print(found, color)
    for warning in found.warnings:
        click.echo(f"warning: {warning}", err=True)


@contextmanager
def _saying_what_is_kept(out: str | None) -> Iterator[None]:
    """Ctrl-C within says how one goes on."""
    try:
        yield
    except KeyboardInterrupt:
        if out is not None:
            click.echo(f"stopped; what was found is kept in {out}, the same command goes on there", err=True)
        raise


def _names(given: str | None) -> list[str] | None:
    return None if given is None else [name.strip() for name in given.split(",") if name.strip()]


def _with_params(
    methods: list[str] | None, metrics: list[str] | None, params: dict[str, Any]
) -> dict[str, list[Choice] | None]:
    """Methods and metrics as the daemon takes them, those with parameters as maps."""
    named: dict[str, dict[str, Any]] = {}
    for path, value in params.items():
        name, dot, key = path.partition(".")
        if not dot or not key:
            raise click.BadParameter(f"{path!r} is not NAME.KEY, as in hiding.steps=20", param_hint="--param")
        if name not in {*(methods or ()), *(metrics or ())}:
            raise click.BadParameter(
                f"{name!r} is not among --methods and --metrics; name it there", param_hint="--param"
            )
        named.setdefault(name, {})[key] = value
    return {
        "methods": _choices(methods, lambda name: {"method": name, "params": named[name]} if name in named else name),
        "metrics": _choices(metrics, lambda name: {"metric": name, **named[name]} if name in named else name),
    }


def _choices(names: list[str] | None, choice: Callable[[str], Choice]) -> list[Choice] | None:
    return None if names is None else [choice(name) for name in names]


def _read_scores(file: str | None) -> dict[str, list[list[float]]] | None:
    if file is None:
        return None
    try:
        found = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SaliscopeError("bad_request", f"scores: cannot read {file}: {error}") from error
    if not isinstance(found, dict):
        raise SaliscopeError("bad_request", f'scores: {file} is no map {{"name": [[…], …]}}')
    return found


def _read_background(file: str | None) -> list[str] | None:
    """All texts of a file, those of a pair or of a chat as one."""
    if file is None:
        return None
    rows = read_data(file, Fields(), None, None)
    chats = [[str(said.get("content", "")) for said in row.get("messages", ())] for row in rows]
    return [
        "\n".join(chat or [row["text"], *([row["pair"]] if "pair" in row else [])])
        for row, chat in zip(rows, chats, strict=True)
    ]


def _print(found: Evaluation, color: str) -> None:
    from saliscope.cli.evaluated import evaluation_lines
    from saliscope.cli.terminal import Terminal

    click.echo("\n".join(evaluation_lines(found, Terminal.of_stdout(color))), color=True)


def _write(folder: Path, found: Evaluation) -> None:
    """The table as JSON and as CSV, one line a number."""
    import msgspec

    from saliscope.cli.csv_table import csv_of

    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "table.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
        (folder / "table.csv").write_text(csv_of(found), encoding="utf-8")
    except OSError as error:
        raise SaliscopeError("bad_request", f"out: cannot write to {folder} ({error.strerror})") from error
    click.echo(f"wrote {folder / 'table.json'} and {folder / 'table.csv'}", err=True)
