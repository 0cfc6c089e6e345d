"""The group of all commands: each is imported only when it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

import click

from saliscope.cli.guard import COMPLETE, INTERRUPTED, guarded, report_failure
from saliscope.protocol.address import CONNECT_VARIABLE
from saliscope.protocol.errors import SaliscopeError

#: Every command with the line that `saliscope --help` shows, so that the help imports none of them.
COMMANDS: Final[dict[str, str]] = {
    "tui": "Open the terminal UI (as does `saliscope` alone, on a terminal).",
    "explain": "Show which tokens decided.",
    "predict": "Show what a model says about texts.",
    "generate": "Show what a causal model writes on.",
    "tokenize": "Show the pieces that a model sees.",
    "evaluate": "Compare methods on a data set, by faithfulness and cost.",
    "dataset": "Explain every row of a data set into a file.",
    "jobs": "Look at data-set jobs; pause, resume and cancel them.",
    "diff": "Show what changes between two models, prompts or outputs.",
    "models": "List models; load and unload them.",
    "load": "Load a model now, and say how.",
    "unload": "Free a model.",
    "ps": "Show the models in memory.",
    "methods": "List explanation methods, or describe one.",
    "lsp": "Serve an editor (Language Server Protocol, over stdio).",
    "status": "Show how the daemon is; never starts it.",
    "daemon": "Start, stop and watch the daemon.",
    "cache": "Look at what the daemon keeps on disk; remove it.",
    "doctor": "Check the installation, and say what to do.",
    "completion": "Print the completion script of a shell.",
}

EXAMPLES: Final = """\b
Examples:
  saliscope explain "a dull, lifeless and boring film"
  saliscope explain "a charming film" -m input-x-gradient -m occlusion
  saliscope explain --json < review.txt | jq .prediction
"""

#: What click says of numbers, and how a person would.
_PLAINER: Final = {
    "is not a valid integer range": "is no whole number",
    "is not a valid integer": "is no whole number",
    "is not a valid float range": "is no number",
    "is not a valid float": "is no number",
}


class LazyGroup(click.Group):
    """A group that finds `name` in `saliscope.cli.commands.<name>` as `command`, and reports failures its way."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"saliscope.cli.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments begin with; an unknown one gets a suggestion."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            close = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean `saliscope {close[0]}`?" if close else f"there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands, without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and turn every failure into its message and exit status."""
        given = list(sys.argv[1:] if args is None else args)
        as_json = "--json" in given
        status = guarded(lambda: self._run(given, prog_name, complete_var, as_json, extra), as_json=as_json)
        if standalone_mode:
            sys.exit(status)
        return status

    def _run(
        self,
        args: list[str],
        prog_name: str | None,
        complete_var: str | None,
        as_json: bool,
        extra: dict[str, Any],
    ) -> Any:
        try:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except click.Abort:
            return INTERRUPTED
        except SystemExit:
            # Outside of completion click leaves this way only where a pipe broke; our answer is in `guarded`.
            if COMPLETE in os.environ:
                raise
            raise BrokenPipeError from None
        except click.ClickException as error:
            return _report_usage(error, as_json)


def _report_usage(error: click.ClickException, as_json: bool) -> int:
    """A mistake on the command line: click's message in our form; exit status 2."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    message = error.format_message().rstrip(".")
    message = message[:1].lower() + message[1:]
    for theirs, ours in _PLAINER.items():
        message = message.replace(theirs, ours)
    if as_json:
        return report_failure(SaliscopeError("bad_request", message), as_json=True)
    path = getattr(getattr(error, "ctx", None), "command_path", "saliscope")
    click.echo(f"error: {message}\n  `{path} --help` lists what it takes.", err=True)
    return error.exit_code


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from saliscope import __version__

        click.echo(f"saliscope {__version__}")
        ctx.exit()


@click.group(
    "saliscope",
    cls=LazyGroup,
    invoke_without_command=True,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
              help="Show the version.")  # fmt: skip
@click.option("--connect", "address", metavar="tcp://HOST:PORT", envvar="SALISCOPE_CONNECT",
              help="Ask a daemon on TCP instead of your own; SALISCOPE_TOKEN has its token.")  # fmt: skip
@click.pass_context
def app(ctx: click.Context, address: str | None) -> int | None:
    """See which tokens decided what a text model said."""
    if address is not None:
        # The clients of this process, wherever they are made, look here.
        os.environ[CONNECT_VARIABLE] = address
    if ctx.invoked_subcommand is not None:
        return None
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(ctx.get_help())
        return None
    from saliscope.cli.commands.tui import start

    return start()
