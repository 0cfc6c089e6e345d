"""`saliscope predict`."""

from __future__ import annotations

import click

from saliscope.cli import options
from saliscope.cli.masks import read_masks
from saliscope.cli.session import session, with_download
from saliscope.protocol.explanation import Prediction
from saliscope.protocol.results import Predictions
from saliscope.protocol.terms import MaskKind
from saliscope.protocol.verbs.given import RunOptions


@click.command("predict")
@click.argument("texts", nargs=-1)
@options.model
@click.option(
    "--mask",
    "masked",
    multiple=True,
    metavar="START:END|WORD",
    help="Hide this place of the text (characters, from 0), or this word wherever it stands; repeatable.",
)
@click.option(
    "--mask-kind",
    type=click.Choice(["replace", "drop", "attention"]),
    default="replace",
    help="What hiding is: the mask token stands there, it is left out, or nobody may look (default: replace).",
)
@click.option("-n", "--top", type=click.IntRange(1, 1000), metavar="N", help="How many labels (or next tokens).")
@options.run
@options.as_json
@options.no_daemon
@options.download
@options.color
def command(
    texts: tuple[str, ...],
    model: str | None,
    masked: tuple[str, ...],
    mask_kind: MaskKind,
    top: int | None,
    priority: str | None,
    max_ms: float | None,
    max_rows: int | None,
    as_json: bool,
    no_daemon: bool,
    download: bool,
    color: str,
) -> None:
    """Show what the model says about each of TEXTS, or what it says without a part of them.

    Without TEXTS, or with `-`, each line of stdin is a text. `--mask wonderful` hides a word, `--mask 4:13` a place.
    """
    asked = options.read_texts(texts)
    masks = read_masks(masked, mask_kind, asked)
    more = {"priority": priority, "max_ms": max_ms, "max_rows": max_rows}
    limits = RunOptions(**{name: value for name, value in more.items() if value is not None})  # type: ignore[typeddict-item]
    with session(private=no_daemon) as opened:
        opened.spinner.say("predicting")
        answer = with_download(
            lambda download: opened.client.predict(
                asked, model=model, mask=masks, top=top, download=download, on_progress=opened.on_progress, **limits
            ),
            model,
            download=download,
            spinner=opened.spinner,
        )
    if as_json:
        from saliscope.cli.shapes import write_json
        from saliscope.cli.shaping import predict_shape

        write_json(predict_shape(asked, answer))
    else:
        _print(asked, answer, color)
    for warning in answer.warnings:
        click.echo(f"warning: {warning}", err=True)


def _print(texts: list[str], answer: Predictions, color: str) -> None:
    """Bars for one text, a table of likeliest labels for several."""
    from saliscope.cli.explained import show_prediction
    from saliscope.cli.tables import columns
    from saliscope.cli.terminal import Terminal
    from saliscope.render.text import one_line

    terminal = Terminal.of_stdout(color)
    if len(texts) == 1:
        lines = show_prediction(answer.predictions[0], answer.predictions[0].label, terminal)
        hidden = " ".join(one_line(texts[0][start:end]) for spans in answer.masked for start, end in spans)
        lines.append(terminal.quiet(f"{answer.model} · without {hidden}" if hidden else answer.model))
    else:
        rows = [
            [one_line(found.label), _share(found), one_line(text)]
            for text, found in zip(texts, answer.predictions, strict=True)
        ]
        lines = columns(rows, terminal.columns, right=frozenset({1}))
    click.echo("\n".join(lines), color=True)


def _share(found: Prediction) -> str:
    """How likely a prediction is, or the value of a regression."""
    from saliscope.render.bars import percent

    if found.value is not None:
        return f"{found.value:.4g}"
    return percent(found.probabilities.get(found.label, float("nan")))
