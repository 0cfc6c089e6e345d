"""`saliscope load`."""

from __future__ import annotations

import click

from saliscope.cli import options
from saliscope.cli.pool import show_models
from saliscope.cli.session import session, with_download


@click.command("load")
@click.argument("model", metavar="MODEL")
@click.option("--device", metavar="DEVICE", help="auto, cpu or cuda:N.")
@click.option("--dtype", type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
              help="What the weights are; auto is as stored on a GPU. Scores are float32 always.")  # fmt: skip
@click.option("--revision", metavar="REV", help="A branch, tag or commit of a hub id.")
@click.option("--adapter", metavar="FOLDER", help="A LoRA adapter to merge into the weights (extra `lora`).")
@click.option("--keep-alive", type=options.Seconds(), metavar="TIME",
              help="How long it stays unused: 300, 5m, 2h; 0 not at all, -1 for ever.")  # fmt: skip
@click.option("--check/--no-check", default=None, help="Run it briefly to see whether it keeps what it promises.")
@options.download
@options.as_json
def command(
    model: str,
    device: str | None,
    dtype: str | None,
    revision: str | None,
    adapter: str | None,
    keep_alive: float | None,
    check: bool | None,
    download: bool,
    as_json: bool,
) -> None:
    """Load MODEL now: a bundled one, a folder, a GGUF file, or a hub id.

    How it is loaded is remembered for its name. One that is loaded otherwise is loaded anew when nobody uses it.
    """
    with session() as opened:
        opened.spinner.say(f"loading {model}")
        found = with_download(
            lambda download: opened.client.load_model(
                model, download=download, device=device, dtype=dtype, revision=revision, adapter=adapter,
                keep_alive=keep_alive, check=check, on_progress=opened.on_progress,
            ),
            model,
            download=download,
            spinner=opened.spinner,
        )  # fmt: skip
    show_models([found], as_json=as_json)
    for one in found.checks:
        if not one.ok:
            click.echo(f"warning: it failed the {one.name} check ({one.value:.2g}, limit {one.limit:.2g})", err=True)
