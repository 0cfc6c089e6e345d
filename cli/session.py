"""A client with a spinner: what every command that needs the daemon works in."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from saliscope import protocol
from saliscope.cli.spinner import Spinner
from saliscope.protocol.errors import SaliscopeError

if TYPE_CHECKING:
    from saliscope.protocol.client import Client
    from saliscope.protocol.results import Progress

T = TypeVar("T")


class Session(NamedTuple):
    """A connected client and the spinner that speaks for it."""

    client: Client
    spinner: Spinner

    def on_progress(self, progress: Progress) -> None:
        """Show the progress of the daemon."""
        self.spinner.progress(progress.stage, progress.done, progress.total, progress.message)


@contextmanager
def session(*, private: bool = False, start: bool = True, options: Sequence[str] = ()) -> Iterator[Session]:
    """Connect (starting the daemon, with `options`, or with `private` a worker of our own) and show what takes time."""
    with (
        Spinner("connecting") as spinner,
        protocol.connect(start=start, private=private, options=options, on_stage=spinner.say) as client,
    ):
        yield Session(client, spinner)


def with_download(attempt: Callable[[bool], T], model: str | None, *, download: bool, spinner: Spinner) -> T:
    """Try without fetching; where only a download is missing, ask the person at the terminal and try again."""
    import click

    from saliscope.cli.terminal import is_tty

    try:
        return attempt(download)
    except SaliscopeError as error:
        missing = error.code == "unknown_model" and "--download" in error.message
        if download or not missing or not (is_tty(sys.stdin) and is_tty(sys.stderr)):
            raise
        spinner.stop()
        if not click.confirm(f"{model} is not on this machine. Download it from the Hugging Face hub?", err=True):
            raise
    return attempt(True)
