"""One line on stderr that names what is being waited for; only where a person looks."""

from __future__ import annotations

import os
import sys
import threading
from types import TracebackType

from saliscope.cli.terminal import is_tty

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
#: What is done sooner shows no spinner.
_PATIENCE_S = 0.15
_FRAME_S = 0.08


class Spinner:
    """Shows the last stage it was told of until it is left; does nothing where stderr is no terminal, or a dumb one."""

    def __init__(self, stage: str = "") -> None:
        self._stage = stage
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Spinner:
        if is_tty(sys.stderr) and os.environ.get("TERM") != "dumb":
            self._thread = threading.Thread(target=self._turn, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def say(self, stage: str) -> None:
        """Name what is going on now."""
        self._stage = stage

    def progress(self, stage: str, done: float, total: float, message: str = "") -> None:
        """Name what is going on, and how far it is."""
        share = f" {100 * done / total:3.0f}%" if total > 0 else ""
        self._stage = f"{stage}{share}" + (f"  {message}" if message and message != stage else "")

    def stop(self) -> None:
        """Clear the line; saying more does nothing."""
        if self._thread is not None:
            self._done.set()
            self._thread.join()
            self._thread = None

    def _turn(self) -> None:
        if self._done.wait(_PATIENCE_S):
            return
        import shutil

        from saliscope.render.graphemes import cut
        from saliscope.render.text import one_line

        at = 0
        while True:
            columns = shutil.get_terminal_size((80, 24)).columns
            line = f"{_FRAMES[at % len(_FRAMES)]} {one_line(self._stage) if self._stage else 'working'}"
            sys.stderr.write(f"\r\x1b[2K{cut(line, columns - 1)}")
            sys.stderr.flush()
            at += 1
            if self._done.wait(_FRAME_S):
                break
        sys.stderr.write("\r\x1b[2K")
        sys.stderr.flush()
