"""`saliscope dataset explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from saliscope.cli import options
from saliscope.cli.session import session, with_download
from saliscope.cli.workspace import GOLD, filled
from saliscope.protocol.targets import read_target

if TYPE_CHECKING:
    from saliscope.protocol.jobs import Job


@click.group("dataset")
def command() -> None:
    """Explain data sets. `saliscope jobs` shows what is going on."""


@command.command("explain")
@click.argument("data", metavar="FILE|HUB-ID")
@options.model
@click.option("-m", "--method", metavar="NAME", shell_complete=options.complete_methods, help="An explanation method.")
@click.option("--out", metavar="FILE", required=True, help="Where the rows go: .jsonl or .parquet (extra `parquet`).")
@click.option("--target", metavar="TARGET", help="What is explained, as for `explain`; `gold`: the class of the label.")
@options.scale
@options.granularity
@click.option("--param", "params", metavar="KEY=VALUE", multiple=True, help="A parameter of the method; repeatable.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, metavar="N", help="For all that samples.")
@click.option(
    "--windows",
    type=click.Choice(["cut", "stitch"]),
    default="cut",
    show_default=True,
    help="Cut texts that are too long, or explain them in overlapping windows.",
)
@options.rows_of_data
@click.option("--id-field", metavar="NAME", help="A field that names the rows; its values must differ.")
@click.option("--slice", "slices", metavar="NAME", multiple=True, help="Sum up by the values of a field; repeatable.")
@click.option("--deterministic", is_flag=True, help="The same bytes at every run on one machine; slower.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    help="Who computes: a worker here, or every device of a Ray cluster (default: as the daemon was started).",
)
@click.option("--resume", is_flag=True, help="Go on with the same job where it was interrupted.")
@click.option("--overwrite", is_flag=True, help="Begin anew, whatever is there.")
@click.option("--detach", is_flag=True, help="Do not wait for the job.")
@options.as_json
@options.download
@options.color
def explain(
    data: str,
    model: str | None,
    out: str,
    target: str | None,
    params: tuple[str, ...],
    slices: tuple[str, ...],
    detach: bool,
    as_json: bool,
    download: bool,
    color: str,
    **asked: Any,
) -> None:
    """Explain every row of a file (.jsonl, .json, .csv, .tsv, .txt, .parquet) or a data set of the hub.

    The output has one row for each row of the data, in order; one that cannot be explained has the reason instead of
    scores. The job runs in the daemon and goes on without this command: Ctrl-C only stops waiting. After a crash or a
    full disk the same command with --resume goes on where it was. What is not given is as the saliscope.toml nearest to
    the file says.
    """
    if asked["resume"] and asked["overwrite"]:
        raise click.UsageError("give --resume or --overwrite, not both")
    fields = filled(data, {**asked, "model": model, "target": target}, has_labels=True)
    model, target = fields["model"], fields["target"]
    fields |= {
        "target": target if target == GOLD else read_target(target),
        "params": options.read_params(params), "slices": list(slices),
    }  # fmt: skip
    # What is not asked for is not sent.
    fields = {name: value for name, value in fields.items() if value or type(value) is int}
    with session() as opened:
        opened.spinner.say("looking at the data and the model")
        job: Job = with_download(
            lambda download: opened.client.submit_job(data, out, download=download, **fields),
            model, download=download, spinner=opened.spinner,
        )  # fmt: skip
        from saliscope.cli.jobs import tell, wait

        if detach:
            tell(job, as_json=as_json)
            return
        done = wait(opened.client, job, opened.spinner)
        results = opened.client.job_results(done.job)
    if as_json:
        from saliscope.cli.shapes import write_json

        write_json(results)
        return
    from saliscope.cli.summed import result_lines
    from saliscope.cli.terminal import Terminal

    click.echo("\n".join(result_lines(results, Terminal.of_stdout(color))), color=True)
